"""The table `file_sets`: the sets of files that are stored, and when each was needed last. The
tables `template_files` and `schedule_files` say which sets are needed by templates and
schedules."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.files import file_pieces

_SQL = load_queries("file_sets.sql")


@dataclass(frozen=True, slots=True)
class FileSetRow:
    """A set that is stored.

    Attributes:
        upload: whose pieces are its bytes; None: only folders have them.
    """

    files: FileSet
    upload: int | None


def find(tx: Transaction, sha256: str) -> FileSetRow | None:
    """A set by the hash of its manifest."""
    row = tx.execute(_SQL["find"], {"sha256": sha256}).fetchone()
    return None if row is None else _row(row)


def insert(tx: Transaction, files: FileSet, now: int, upload: int | None = None) -> None:
    """Adds a set that has come; if it is there already, it came once more.

    Args:
        now: microseconds since 1970 UTC.
        upload: the pieces with its bytes. They are given up if the set has others.
    """
    values = {**asdict(files), "now": now, "upload": upload}
    (row,) = tx.execute(_SQL["insert"], values).fetchall()
    if upload is not None and row["upload"] != upload:
        file_pieces.abandon(tx, upload)


def renew(tx: Transaction, sha256: str, now: int) -> bool:
    """Notes that a set came again; False: it was removed meanwhile."""
    return tx.execute(_SQL["renew"], {"sha256": sha256, "now": now}).rowcount > 0


def use(tx: Transaction, sha256: str, now: int) -> FileSetRow | None:
    """Notes that a task or a saved task file uses a set, which nobody removes meanwhile. None: it
    is not stored. `now`: microseconds since 1970 UTC."""
    found = tx.execute(_SQL["use"], {"sha256": sha256, "now": now}).fetchall()
    return _row(found[0]) if found else None


def name_in_template(tx: Transaction, name: str, version: int, sets: Iterable[FileSet]) -> None:
    """A version of a template names these sets; they stay until it is deleted."""
    for files in sets:
        values = {"name": name, "version": version, "sha256": files.sha256}
        tx.execute(_SQL["name_in_template"], values)


def name_in_schedule(tx: Transaction, schedule: int, sets: Iterable[FileSet]) -> None:
    """The task file of a schedule names these sets, and no others."""
    tx.execute(_SQL["forget_schedule"], {"schedule": schedule})
    for files in sets:
        tx.execute(_SQL["name_in_schedule"], {"schedule": schedule, "sha256": files.sha256})


def total(tx: Transaction) -> int:
    """Bytes of all sets."""
    return int(tx.execute(_SQL["total"]).fetchone()["bytes"])


def known(tx: Transaction, hashes: Collection[str]) -> set[str]:
    """Which of these sets are stored."""
    return {row["sha256"] for row in tx.execute(_SQL["known"], {"values": pack_values(hashes)})}


def removable(
    tx: Transaction,
    before: int,
    limit: int,
    *,
    unused: bool = False,
    among: Collection[str] | None = None,
) -> list[FileSet]:
    """Sets that nobody needs, those first that were not used for the longest time.

    Args:
        before: microseconds since 1970 UTC; a set that came later is needed still.
        unused: only those that no task uses that is kept.
        among: only these; None: all.
    """
    values = {
        "before": before,
        "limit": limit,
        "unused": unused,
        "any": among is None,
        "values": pack_values(among or ()),
    }
    return [_file_set(row) for row in tx.execute(_SQL["removable"], values)]


def remove(
    tx: Transaction, wanted: Sequence[FileSet], before: int, *, unused: bool = False
) -> list[FileSet]:
    """Removes those of some sets that nobody needs, and returns them. `before`, `unused`: see
    `removable`."""
    hashes = [files.sha256 for files in wanted]
    tx.execute(_SQL["lock"], {"values": pack_values(hashes)}).fetchall()
    free = {one.sha256 for one in removable(tx, before, len(hashes), unused=unused, among=hashes)}
    removed = [files for files in wanted if files.sha256 in free]
    for files in removed:
        for row in tx.execute(_SQL["remove"], {"sha256": files.sha256}).fetchall():
            if row["upload"] is not None:
                file_pieces.abandon(tx, row["upload"])
    return removed


def all_sets(tx: Transaction) -> list[FileSetRow]:
    """All sets that are stored."""
    return [_row(row) for row in tx.execute(_SQL["all"])]


def without_upload(tx: Transaction) -> list[FileSet]:
    """Sets whose bytes other managers cannot have."""
    return [_file_set(row) for row in tx.execute(_SQL["without_upload"])]


def _row(row: Row) -> FileSetRow:
    return FileSetRow(_file_set(row), row["upload"])


def _file_set(row: Row) -> FileSet:
    return FileSet(row["sha256"], row["manifest_size"], row["size"], row["files"], row["bytes"])

"""The tables `file_uploads` and `file_pieces`: the bytes of file sets, for the other managers on a
PostgreSQL database. A manager writes an upload piece by piece, each in a transaction of its own;
then the set names the upload."""

from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("file_pieces.sql")
PIECE = 1 << 20  # bytes; the last piece of a part has less


def begin(tx: Transaction, now: int) -> int:
    """Makes an upload, and returns its number. `now`: microseconds since 1970 UTC."""
    (row,) = tx.execute(_SQL["begin"], {"now": now}).fetchall()
    return int(row["id"])


def insert(tx: Transaction, upload: int, part: FileSetPart, number: int, data: bytes) -> None:
    """Adds a piece; a repeat changes nothing.

    Args:
        number: of the piece in its part, from 0.
    """
    values = {"upload": upload, "part": part.value, "number": number, "bytes": data}
    tx.execute(_SQL["insert"], values)


def note_progress(tx: Transaction, upload: int, now: int) -> None:
    """Notes that the upload goes on."""
    tx.execute(_SQL["see"], {"upload": upload, "now": now})


def piece(tx: Transaction, upload: int, part: FileSetPart, number: int) -> bytes | None:
    """A piece; None: it was removed."""
    values = {"upload": upload, "part": part.value, "number": number}
    row = tx.execute(_SQL["piece"], values).fetchone()
    return None if row is None else bytes(row["bytes"])


def abandon(tx: Transaction, upload: int) -> None:
    """Gives an upload up, so that it is removed."""
    tx.execute(_SQL["abandon"], {"upload": upload})


def remove_some(tx: Transaction, before: int, limit: int) -> bool:
    """Removes some pieces of an upload that no set names and that nobody writes; False: there is no
    such upload.

    Args:
        before: microseconds since 1970 UTC; one that was written later goes on.
        limit: pieces.
    """
    row = tx.execute(_SQL["abandoned"], {"before": before}).fetchone()
    if row is None:
        return False
    values = {"upload": row["id"]}
    if tx.execute(_SQL["remove_pieces"], {**values, "limit": limit}).rowcount < limit:
        tx.execute(_SQL["remove"], values)
    return True

"""`tui-manager check` and `tui-manager backup`: they open the database themselves, with or without
a running manager."""

import shlex
import sqlite3
from dataclasses import replace
from pathlib import Path

from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.write_text import note, one_line, write, write_json
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.cluster_key import CLUSTER_KEY
from tui_manager.service.files.check_files import check_files
from tui_manager.service.files.files_folder import FOLDER
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.database_url import hide_password
from tui_manager.storage.engine.sqlite.migrations import check_version
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.maintenance.backup import back_up
from tui_manager.storage.maintenance.check import (
    FILES_SINCE,
    CheckResult,
    Finding,
    check_database,
    check_postgresql,
    read_postgresql,
)
from tui_manager.storage.tables.files import file_sets
from tui_manager.storage.tables.files.file_sets import FileSetRow

CLEAN, FOUND = 0, 1
_SHOWN = 100  # lines of one kind of finding


def run_check(settings: Settings, file: str | None, *, as_json: bool) -> int:
    """Prints the problems in the database, and returns the exit status.

    Args:
        file: a database of SQLite to check instead of the manager's.
    """
    if settings.database and not file:
        place = hide_password(settings.database)
        checked = check_postgresql(settings.database)
    else:
        path = file_path(file) if file else settings.state_dir / DATABASE
        _check_ours(path)
        place, checked = str(path), check_database(path)
    unreadable = {"integrity", "schema"} & {finding.check for finding in checked.findings}
    if not (file or unreadable):  # a backup has no files
        checked = _with_files(settings, checked)
    if as_json:
        write_json(_shape(place, checked))
    else:
        _print(checked)
    return FOUND if checked.findings else CLEAN


def _with_files(settings: Settings, checked: CheckResult) -> CheckResult:
    """The same with what is wrong in the folder of files."""
    found = check_files(settings.state_dir / FOLDER, lambda: _stored_sets(settings))
    more = (Finding("files", text) for text in found)
    return replace(checked, findings=(*checked.findings, *more))


def _stored_sets(settings: Settings) -> list[FileSetRow]:
    """The sets that the database has."""
    if settings.database:
        return read_postgresql(settings.database, file_sets.all_sets)
    return read_only(settings.state_dir / DATABASE, _sets_of_file)


def _sets_of_file(tx: sqlite3.Connection) -> list[FileSetRow]:
    """The same; an older schema has none."""
    if tx.execute("PRAGMA user_version").fetchone()[0] < FILES_SINCE:
        return []
    return file_sets.all_sets(tx)


def _check_ours(path: Path) -> None:
    """Raises InvalidInputError unless the file is a database of this program."""

    def look(tx: sqlite3.Connection) -> None:
        check_version(tx, path)
        if not tx.execute("PRAGMA user_version").fetchone()[0]:
            raise StorageError(f"{path} is empty, and no database of tui-manager.")

    try:
        read_only(path, look)
    except StorageError as error:
        raise InvalidInputError("file", str(error)) from error


def _shape(place: str, checked: CheckResult) -> dict[str, object]:
    return {
        "database": place,
        "tasks": checked.tasks,
        "command_hosts": checked.command_hosts,
        "output_bytes": checked.output_bytes,
        "findings": [{"check": item.check, "text": item.text} for item in checked.findings],
    }


def _print(checked: CheckResult) -> None:
    counts: dict[str, int] = {}
    for finding in checked.findings:
        counts[finding.check] = counts.get(finding.check, 0) + 1
        if counts[finding.check] <= _SHOWN:
            write(f"{one_line(finding.text)}\n")
    for check, count in counts.items():
        if count > _SHOWN:
            write(f"… and {count - _SHOWN:,} more of {check}; --json prints all.\n")
    if counts:
        found = len(checked.findings)
        note(f"{found:,} problem{'s' if found > 1 else ''} found")
        return
    write(
        f"{checked.tasks:,} tasks, {checked.command_hosts:,} command hosts, "
        f"{checked.output_bytes:,} output bytes: no problem found\n"
    )


def run_backup(settings: Settings, file: str, *, force: bool) -> int:
    """Copies the state folder's database to `file`, and returns the exit status."""
    if settings.database:
        url, target = hide_password(settings.database), shlex.quote(file)
        raise InvalidInputError(
            "database",
            f"The manager's database is {url}, which is not one file. Back it up with PostgreSQL's "
            f"own tools, for example: pg_dump --format=custom --file={target} {shlex.quote(url)}. "
            f"Keep {settings.state_dir / CLUSTER_KEY} too, in another place.",
        )
    size = back_up(settings.state_dir / DATABASE, file_path(file), overwrite=force)
    write(f"{file}: {size:,} bytes\n")
    return 0

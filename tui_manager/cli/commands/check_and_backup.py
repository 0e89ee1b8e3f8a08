"""`tui-manager check` and `tui-manager backup`: they open the database themselves, with or without
a running manager."""

import shlex
import sqlite3
from pathlib import Path

from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.text import note, one_line, write, write_json
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.cluster_key import CLUSTER_KEY
from tui_manager.settings import Settings
from tui_manager.state_dir import DATABASE
from tui_manager.storage.engine.database_url import hide_password
from tui_manager.storage.engine.sqlite.migrations import check_version
from tui_manager.storage.engine.sqlite.read_only import read_only
from tui_manager.storage.maintenance.backup import back_up
from tui_manager.storage.maintenance.check import CheckResult, check_database, check_postgresql

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
    if as_json:
        write_json(_shape(place, checked))
    else:
        _print(checked)
    return FOUND if checked.findings else CLEAN


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

"""`tui-manager database migrate`: migrates a database of SQLite to PostgreSQL."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tui_manager import state_dir, state_files
from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.write_text import note, write, write_json
from tui_manager.domain.errors import AlreadyRunningError, InvalidInputError
from tui_manager.settings import Settings
from tui_manager.storage.engine.database_url import hide_password
from tui_manager.storage.maintenance.migrate_to_postgresql import Migrated, migrate_to_postgresql

_SHOW_EVERY = 0.2  # seconds between two figures on a terminal
_DOES = {"write": "migrating", "compare": "comparing"}


def run_migrate_database(settings: Settings, file: str, *, as_json: bool) -> int:
    """Carries `file` over into the database of the settings, and returns the exit status."""
    source, url = file_path(file), settings.database
    if not url:
        raise InvalidInputError(
            "database",
            "The setting database is empty. Set it in the file of settings or in "
            "TUI_MANAGER_DATABASE, for example to postgresql://USER@HOST/DATABASE.",
        )
    began = time.monotonic()
    with _ended_by_signals(), _stopped(settings.state_dir, source):
        progress = _Progress()
        migrated = migrate_to_postgresql(source, url, settings.state_dir, progress.show)
        state_dir.note_database(settings.state_dir, url, migrated.manager_id)
    seconds = time.monotonic() - began
    if as_json:
        write_json(_shape(source, url, migrated, seconds))
    else:
        _print(source, url, migrated, seconds)
    return 0


@contextmanager
def _stopped(folder: Path, source: Path) -> Iterator[None]:
    """Locks the state folder, and that of the file if it is another one, so that no manager starts
    meanwhile. Raises AlreadyRunningError if one runs."""
    folders = {folder.absolute()}
    if (source.absolute().parent / state_files.LOCK).exists():
        folders.add(source.absolute().parent)
    with ExitStack() as stack:
        try:
            for each in sorted(folders):
                stack.enter_context(state_dir.hold(each))
        except AlreadyRunningError as error:
            raise InvalidInputError("from", f"{error} Stop it first.") from error
        yield


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP undo everything before they end the program."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


class _Progress:
    """Says on stderr what is done: a line for each table, with figures on a terminal."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def show(self, what: str, table: str, done: int, total: int) -> None:
        """Shows that so many rows of a table are done."""
        text = f"{_DOES[what]} {table}: {done:,} of {total:,} rows"
        if done < total and time.monotonic() - self._shown < _SHOW_EVERY:
            return
        if self._terminal:
            self._shown = time.monotonic()
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        if done == total:
            sys.stderr.write("\r\x1b[K" if self._terminal else "")
            note(text)


def _shape(source: Path, url: str, migrated: Migrated, seconds: float) -> dict[str, object]:
    return {
        "from": str(source),
        "database": hide_password(url),
        "rows": migrated.rows,
        "replaced": migrated.replaced,
        "recounted": migrated.recounted,
        "seconds": round(seconds, 1),
    }


def _print(source: Path, url: str, migrated: Migrated, seconds: float) -> None:
    rows = sum(migrated.rows.values())
    write(
        f"{source}: {rows:,} rows, {migrated.rows['tasks']:,} tasks and "
        f"{migrated.rows['command_hosts']:,} command hosts among them, are in "
        f"{hide_password(url)}; "
        f"all were compared ({seconds:.1f} s)\n"
    )
    for name, count in sorted(migrated.replaced.items()):
        write(
            f"{count:,} texts of {name} had the character NUL, which PostgreSQL cannot store; it "
            "is U+FFFD there\n"
        )
    if migrated.recounted:
        write(
            f"the counters of {migrated.recounted:,} tasks and commands were wrong, and are right\n"
        )

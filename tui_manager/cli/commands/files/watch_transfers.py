"""Follows the copies, fetches and updates of a task while it runs: prints what happened on each
host, saves what was fetched as soon as a host has completed, and shows the progress on a
terminal."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.status_line import clear_status, show_status
from tui_manager.cli.printing.transfers import bytes_done, end_words, files_words, progress_words
from tui_manager.cli.printing.write_text import note, write
from tui_manager.client.read_lists import all_command_hosts
from tui_manager.domain.errors import ManagerError, NotFoundError, StorageError
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.local_files.download_fetched_files import download_fetched_files
from tui_manager.operator.local_files.write_fetched_files import Saved, SaveError

_INTERVAL = 1.0  # seconds between two readings of all hosts
_ROWS_A_SECOND = 2000  # read in very large tasks


class TransferWatch:
    """The copies and fetches of one task.

    Args:
        steps: of the task.
        folders: into which fetched files go, by the index of the step; without one they stay with
            the manager.
        prints_hosts: whether a line is printed for each host.

    Attributes:
        saved: what was saved of each host, by execution_id.
    """

    def __init__(
        self,
        operator: Operator,
        task_id: int,
        steps: Sequence[CommandSpec],
        folders: Mapping[int, Path],
        *,
        prints_hosts: bool,
    ) -> None:
        self._operator = operator
        self._task_id = task_id
        self._steps = steps
        self._folders = folders
        self._prints_hosts = prints_hosts
        self._transfers = [index for index, step in enumerate(steps) if step.transfer]
        self.saved: dict[str, Saved] = {}
        self._handled: set[str] = set()  # execution_ids
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._bytes: tuple[float, int] | None = None  # when they were read, and how many
        self._speed = 0.0

    @property
    def updates(self) -> bool:
        """Whether the task updates agents."""
        return any(step.update for step in self._steps)

    @property
    def saving_later(self) -> str:
        """How to get fetched files that have not come here; empty: nothing is fetched."""
        if not any(step.fetch for step in self._steps):
            return ""
        return f"Later, {take_command(self._task_id)} saves what was fetched."

    @property
    def complete(self) -> bool:
        """Whether all fetched files were saved that came to this machine."""
        return not any(saved.failed for saved in self.saved.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks at the hosts whenever the task has changed, and once more when it has ended."""
        self._running = asyncio.create_task(self._run())
        try:
            yield
        except BaseException:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            raise
        else:
            self._ended.set()
            self._changed.set()
            await self._running
        finally:
            clear_status()
        self._note_unsaved()

    def wake(self) -> None:
        """The task has changed. Raises what has ended the work."""
        self._changed.set()
        if self._running is not None and self._running.done():
            self._running.result()

    async def _run(self) -> None:
        while not self._ended.is_set():
            await self._changed.wait()
            self._changed.clear()
            number = await self._look()
            with suppress(TimeoutError):
                pause = max(_INTERVAL, number / _ROWS_A_SECOND)
                await asyncio.wait_for(self._ended.wait(), pause)
        await self._look()

    def _note_unsaved(self) -> None:
        """Says where fetched files are that have no folder here."""
        fetches = [index for index, step in enumerate(self._steps) if step.fetch]
        if any(index not in self._folders for index in fetches):
            note(f"the files are with the manager; {take_command(self._task_id)} saves them")

    async def _look(self) -> int:
        """Handles the hosts that have completed; returns the number of rows."""
        rows = []
        for index in self._transfers:
            rows += await all_command_hosts(self._operator, self._task_id, index)
        self._measure(rows)
        for row in rows:
            if row.status is Status.COMPLETED and row.execution_id not in self._handled:
                self._handled.add(row.execution_id)
                await self._handle(row)
        if any(row.status is Status.RUNNING and row.transfer for row in rows):
            show_status(lambda: progress_words(rows, self._steps, self._speed))
        return len(rows)

    def _measure(self, rows: Sequence[CommandHost]) -> None:
        now, number = time.monotonic(), bytes_done(rows)
        if self._bytes is not None and now > self._bytes[0]:
            self._speed = max(number - self._bytes[1], 0) / (now - self._bytes[0])
        self._bytes = now, number

    async def _handle(self, row: CommandHost) -> None:
        folder = self._folders.get(row.command)
        if folder is not None and self._steps[row.command].fetch:
            self.saved[row.execution_id] = await save_row(self._operator, row, folder)
        if self._prints_hosts:
            saved = self.saved.get(row.execution_id)
            write(f"{row.host}: {end_words(row, self._steps[row.command], saved)}\n")


def take_command(task_id: int) -> str:
    """What saves the fetched files of a task later."""
    return f"`{PROGRAM} task files {task_id} DIR`"


async def save_row(operator: FileCalls, row: CommandHost, folder: Path) -> Saved:
    """Saves what was fetched from one host, and prints notes on files that could not be saved. If
    the manager has lost the files or cannot read them, none of the rest is saved.

    Raises:
        OutputError: the folder cannot be written.
        UnreachableError: the manager is lost.
    """
    assert row.transfer is not None
    files, saved = row.transfer.stored, Saved()
    if files is None:
        why = NotFoundError("The manager does not have the files (any more). Fetch them again.")
        return _note_lost(row, saved, why)

    def show(now: Saved) -> None:
        nonlocal saved
        saved = now
        show_status(
            lambda: (
                f"saving of {row.host}: {files_words(saved.files, saved.bytes)} of "
                f"{files_words(files.files, files.bytes)}"
            )
        )

    try:
        saved = await download_fetched_files(operator, files, folder, row.host, show)
    except SaveError as error:
        raise OutputError(
            f"{error} The manager has the files; {take_command(row.task_id)} saves them."
        ) from error
    except (NotFoundError, StorageError) as error:
        return _note_lost(row, saved, error)
    finally:
        clear_status()
    for problem in saved.problems:
        note(problem)
    if len(saved.problems) < saved.failed:
        note(f"{saved.failed - len(saved.problems):,} more files of {row.host} were not saved")
    return saved


def _note_lost(row: CommandHost, saved: Saved, error: ManagerError) -> Saved:
    """The manager cannot give the files of a host, or not all: those of other hosts are saved."""
    assert row.transfer is not None
    note(f"{row.host}: {error}")
    return replace(saved, failed=max(1, row.transfer.files - saved.files))

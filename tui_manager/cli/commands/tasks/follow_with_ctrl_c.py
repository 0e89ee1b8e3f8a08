"""Follows a task until it has ended: prints its output, and says what ctrl-c does meanwhile."""

import asyncio
import signal
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.commands.tasks.run_output import OutputPrinter
from tui_manager.cli.exit_status import COMPLETED, INTERRUPTED, NOT_COMPLETED, UNWRITABLE
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.rollout_text import WaitNote
from tui_manager.cli.printing.summary_text import count_words
from tui_manager.cli.printing.write_text import StorageTroubleNote, note
from tui_manager.domain.errors import (
    IllegalMoveError,
    NoAnswerError,
    UnreachableError,
)
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Progress
from tui_manager.operator.output_calls import NewOutput, StorageTrouble

if TYPE_CHECKING:  # copies and fetches, and the whole API, are imported when they are needed
    from tui_manager.cli.commands.files.watch_transfers import TransferWatch
    from tui_manager.operator.api import Operator


class TaskWatch:
    """Follows a task to its end. If it `cancels`, the first ctrl-c prints the progress, the second
    cancels the task, the third ends the program while the task is being canceled. Otherwise the
    first ctrl-c ends the program."""

    def __init__(
        self,
        operator: "Operator",
        task_id: int,
        printer: OutputPrinter,
        transfers: "TransferWatch | None",
        *,
        cancels: bool = True,
    ) -> None:
        self._operator = operator
        self._transfers = transfers
        self._task_id = task_id
        self._printer = printer
        self._cancels = cancels
        self._presses: asyncio.Queue[None] = asyncio.Queue()
        self._canceled = False
        self._trouble_note = StorageTroubleNote()
        self._wait_note = WaitNote(task_id)

    async def follow_to_end(self) -> int:
        """Waits for the end of the task, and returns the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._presses.put_nowait, None)
        following = asyncio.create_task(self._follow())
        answering = asyncio.create_task(self._answer_interrupts())
        try:
            await asyncio.wait((following, answering), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                answering.result()
                return INTERRUPTED
            status = following.result()
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for task in (following, answering):
                task.cancel()
            await asyncio.gather(following, answering, return_exceptions=True)
        if self._canceled:
            return INTERRUPTED
        if status is not TaskStatus.COMPLETED:
            return NOT_COMPLETED
        return COMPLETED if self._transfers is None or self._transfers.complete else UNWRITABLE

    async def _follow(self) -> TaskStatus:
        try:
            if self._transfers is None:
                ended = await self._print_until_ended()
            else:
                async with self._transfers.running():
                    ended = await self._print_until_ended()
            return await self._printer.finish(self._operator, ended)
        except NoAnswerError as error:
            raise NoAnswerError(f"{error} {self._goes_on()}") from error
        except UnreachableError as error:
            raise UnreachableError(f"The manager has stopped. {self._goes_on()}") from error

    def _goes_on(self) -> str:
        """What becomes of the task without a manager."""
        if self._transfers is None:
            return f"Task {self._task_id} goes on without it; its hosts keep the results."
        if self._transfers.updates:
            return (
                f"Task {self._task_id} waits for it; a host whose new agent does not find it "
                "within 2 minutes goes back to the old one."
            )
        goes_on = (
            f"Copies and fetches of task {self._task_id} wait for it, and go on where they are; "
            "commands that run go on without it."
        )
        return f"{goes_on} {self._transfers.saving_later}".rstrip()

    async def _print_until_ended(self) -> Progress:
        """Prints stored output until the task has ended, and returns how it has. While output
        cannot be read or results cannot be stored, prints a note and waits."""
        async with aclosing(self._operator.follow_task(self._task_id)) as events:
            async for event in events:
                match event:
                    case NewOutput(chunks):
                        for chunk in chunks:
                            self._printer.take(chunk)
                    case StorageTrouble(text):
                        self._trouble_note.update(text)
                    case Progress():
                        self._show_progress(event)
                        ended = event
        self._trouble_note.update("")
        return ended

    def _show_progress(self, progress: Progress) -> None:
        self._printer.flush()
        if self._transfers is not None:
            self._transfers.wake()
        if not progress.status.ended:
            self._wait_note.update(paused=progress.paused, hold=progress.hold)

    async def _answer_interrupts(self) -> None:
        await self._presses.get()
        if not self._cancels:
            again = f"`{PROGRAM} task follow {self._task_id}` prints its output again"
            note(f"task {self._task_id} goes on; {again}")
            return
        progress = await self._operator.get_task_progress(self._task_id)
        elapsed = timedelta(seconds=int((progress.elapsed or timedelta()).total_seconds()))
        note(
            f"task {self._task_id}: {progress.counts.ended} of {progress.counts.total} ended after "
            f"{format_duration(elapsed)}: {count_words(progress.counts)}; ctrl-c again cancels it"
        )
        await self._presses.get()
        with suppress(IllegalMoveError):  # it has just ended
            await self._operator.cancel_task(self._task_id)
            self._canceled = True
            note(f"canceling task {self._task_id}; ctrl-c again leaves without waiting")
        await self._presses.get()

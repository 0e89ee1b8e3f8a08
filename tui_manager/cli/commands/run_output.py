"""How `run` prints output: line by line, as here, or in another way (`gathered_output.py`,
`json_output.py`). Each gets the chunks of a task in the order in which they were stored."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from tui_manager.cli.printing.status_line import clear_status
from tui_manager.cli.printing.summary import Faults, summarize
from tui_manager.cli.printing.text import cleaner_for, note
from tui_manager.client.output_lines import TaskLines
from tui_manager.client.read_lists import each_command_host
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.tasks.task import CommandHost, OutputChunk, TaskDetail

if TYPE_CHECKING:  # copies and fetches, and the whole API, are imported when they are needed
    from tui_manager.cli.printing.transfers import SavedByRow, TransferEnds
    from tui_manager.operator.api import Operator

NOTHING_SAVED: "SavedByRow" = {}


class OutputPrinter(Protocol):
    """Prints the output of a task in one way."""

    def take(self, chunk: OutputChunk) -> None:
        """Called for each chunk, in order."""
        ...

    def flush(self) -> None:
        """Called when no more chunks are stored for now."""
        ...

    async def finish(self, operator: "Operator", detail: TaskDetail) -> None:
        """Called once, with the ended task."""
        ...


class LiveLines:
    """Prints every line when it comes: `host: text`.

    Args:
        files: where the lines of each stream go; by default those of stderr go to stderr.
        saved: what was saved of fetched files, when the task has ended.
    """

    def __init__(
        self,
        files: Mapping[Stream, TextIO] | None = None,
        saved: "SavedByRow" = NOTHING_SAVED,
    ) -> None:
        self._saved = saved
        self._lines = TaskLines()
        self._files = files or {stream: file_of(stream) for stream in Stream}
        self._clean = {stream: cleaner_for(file) for stream, file in self._files.items()}
        self._last = Stream.STDOUT

    def take(self, chunk: OutputChunk) -> None:
        """Prints the lines that the chunk completes."""
        self._print(chunk.host, chunk.stream, self._lines.feed(chunk))

    def flush(self) -> None:
        """Makes what was printed visible."""
        self._files[self._last].flush()

    def end_lines(self) -> None:
        """Prints the lines that have no line end: nothing comes after them."""
        for line in self._lines.rest():
            self._print(line.host, line.stream, (line.text,))
        self.flush()

    async def finish(self, operator: "Operator", detail: TaskDetail) -> None:
        """Prints lines without an end, and the summary."""
        self.end_lines()
        end = EndNote(detail, self._saved)
        async for row in each_command_host(operator, detail.task.task_id):
            end.add(row)
        end.print()

    def _print(self, host: str, stream: Stream, lines: Sequence[str]) -> None:
        if not lines:
            return
        clear_status()
        if stream is not self._last:  # both may go to one place, where the order must stay
            self.flush()
            self._last = stream
        clean = self._clean[stream]
        self._files[stream].write("".join(f"{host}: {clean(line)}\n" for line in lines))


class EndNote:
    """What is printed on stderr at the end: what was not kept, and the summary. The number of a
    task that did not complete is in it, because whoever looks further needs it."""

    def __init__(self, detail: TaskDetail, saved: "SavedByRow") -> None:
        self._task = detail.task
        self._faults = Faults()
        self._truncated: list[tuple[str, int]] = []
        self._transfers = _transfer_ends(detail, saved)

    def add(self, row: CommandHost) -> None:
        """Takes a command host of the task."""
        self._faults.add(row)
        if row.truncated_bytes:
            self._truncated.append((row.host, row.truncated_bytes))
        if self._transfers is not None:
            self._transfers.add(row)

    def print(self) -> None:
        """Called after the last one."""
        for host, size in self._truncated:
            note_past_limit(host, size)
        counts = self._task.counts
        if self._transfers is not None:
            text = self._transfers.summarize(counts, self._faults)
        else:
            text = summarize(counts, self._faults)
        completed = self._task.status is TaskStatus.COMPLETED
        note(text if completed else f"task {self._task.task_id}: {text}")


def _transfer_ends(detail: TaskDetail, saved: "SavedByRow") -> "TransferEnds | None":
    """Counts how the hosts of a task ended that is one copy, fetch or update; None: it is not."""
    steps = [command.spec for command in detail.commands]
    if len(steps) != 1 or not steps[0].transfer:
        return None
    from tui_manager.cli.printing.transfers import TransferEnds

    return TransferEnds(steps[0], saved)


def note_past_limit(host: str, size: int) -> None:
    """Prints that so many bytes of a host were not kept."""
    note(f"{host}: {size} bytes past the output limit were not kept")


def file_of(stream: Stream) -> TextIO:
    """Where the lines of a stream go."""
    return sys.stdout if stream is Stream.STDOUT else sys.stderr

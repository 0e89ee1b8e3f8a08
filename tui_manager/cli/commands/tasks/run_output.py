"""How `run` prints output: line by line, as here, or in another way (`run_gather.py`,
`run_json.py`). Each gets the chunks of a task in the order in which they were stored."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from tui_manager.cli.printing.print_summary import NOTHING_SAVED, SummaryPrinter
from tui_manager.cli.printing.status_line import clear_status
from tui_manager.cli.printing.write_text import cleaner_for
from tui_manager.client.output_lines import TaskLines
from tui_manager.client.read_lists import each_command_host
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.tasks.task import OutputChunk, Progress

if TYPE_CHECKING:  # copies and fetches, and the whole API, are imported when they are needed
    from tui_manager.cli.printing.transfers import SavedByRow
    from tui_manager.domain.task_spec.task_spec import CommandSpec
    from tui_manager.operator.api import Operator


class OutputPrinter(Protocol):
    """Prints the output of a task in one way."""

    def take(self, chunk: OutputChunk) -> None:
        """Called for each chunk, in order."""
        ...

    def flush(self) -> None:
        """Called when no more chunks are stored for now."""
        ...

    async def finish(self, operator: "Operator", ended: Progress) -> TaskStatus:
        """Called once, with the progress of the ended task. Returns the status that it prints."""
        ...


class LiveLines:
    """Prints every line when it comes: `host: text`.

    Args:
        steps: of the task; only `finish` needs them.
        saved: what was saved of fetched files, when the task has ended.
        files: where the lines of each stream go; by default those of stderr go to stderr.
    """

    def __init__(
        self,
        steps: "Sequence[CommandSpec]" = (),
        saved: "SavedByRow" = NOTHING_SAVED,
        files: Mapping[Stream, TextIO] | None = None,
    ) -> None:
        self._steps = steps
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

    async def finish(self, operator: "Operator", ended: Progress) -> TaskStatus:
        """Prints lines without an end, and the summary."""
        self.end_lines()
        end = SummaryPrinter(ended, self._steps, self._saved)
        async for row in each_command_host(operator, ended.task_id):
            end.add(row)
        end.print()
        return ended.status

    def _print(self, host: str, stream: Stream, lines: Sequence[str]) -> None:
        if not lines:
            return
        clear_status()
        if stream is not self._last:  # both may go to one place, where the order must stay
            self.flush()
            self._last = stream
        clean = self._clean[stream]
        self._files[stream].write("".join(f"{host}: {clean(line)}\n" for line in lines))


def file_of(stream: Stream) -> TextIO:
    """Where the lines of a stream go."""
    return sys.stdout if stream is Stream.STDOUT else sys.stderr

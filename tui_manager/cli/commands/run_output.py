"""The three ways in which `run` prints output: live lines, gathered, JSON. Each gets the chunks of
a task in the order in which they were stored."""

import codecs
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from tui_manager.cli.printing.status_line import clear_status
from tui_manager.cli.printing.summary import summarize
from tui_manager.cli.printing.text import cleaner_for, note, write_json
from tui_manager.client.output_lines import StreamLines, TaskLines, gap_text, utf8_decoder
from tui_manager.client.read_lists import all_command_hosts
from tui_manager.domain.status import CommandHostStatus, Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, TaskDetail
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.operator.api import Operator, OutputChunk

if TYPE_CHECKING:  # only needed for JSON, copies and fetches
    from tui_manager.cli.printing.transfers import SavedByRow
    from tui_manager.domain.presentation.json_shapes import Shape

CUT = 1 << 20  # bytes of one stream of one host in JSON
_NOTHING_SAVED: "SavedByRow" = {}
_Key = tuple[str, Stream]


class OutputPrinter(Protocol):
    """Prints the output of a task in one way."""

    def take(self, chunk: OutputChunk) -> None:
        """Called for each chunk, in order."""
        ...

    def flush(self) -> None:
        """Called when no more chunks are stored for now."""
        ...

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
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
        saved: "SavedByRow" = _NOTHING_SAVED,
    ) -> None:
        self._saved = saved
        self._lines = TaskLines()
        self._files = files or {stream: _file(stream) for stream in Stream}
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

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints lines without an end, and the summary."""
        self.end_lines()
        rows = await all_command_hosts(operator, detail.task.task_id)
        _note_end(detail, rows, self._saved)

    def _print(self, host: str, stream: Stream, lines: Sequence[str]) -> None:
        if not lines:
            return
        clear_status()
        if stream is not self._last:  # both may go to one place, where the order must stay
            self.flush()
            self._last = stream
        clean = self._clean[stream]
        self._files[stream].write("".join(f"{host}: {clean(line)}\n" for line in lines))


class GatheredOutput:
    """Prints identical outputs once, under the folded names of their hosts; of copies and fetches
    what they did.

    Args:
        saved: as of `LiveLines`.
    """

    def __init__(self, saved: "SavedByRow" = _NOTHING_SAVED) -> None:
        self._saved = saved
        self._digests: defaultdict[_Key, hashlib._Hash] = defaultdict(hashlib.sha256)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps a digest of the output; the bytes stay with the manager."""
        digest = self._digests[chunk.execution_id, chunk.stream]
        digest.update(f"\0gap {chunk.gap}\0".encode() if chunk.gap else chunk.data)

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints the groups, the largest first, and the summary."""
        rows = await all_command_hosts(operator, detail.task.task_id)
        for stream in Stream:
            groups: defaultdict[bytes, list[CommandHost]] = defaultdict(list)
            for row in rows:
                if digest := self._digests.get((row.execution_id, stream)):
                    groups[digest.digest()].append(row)
            for group in sorted(groups.values(), key=len, reverse=True):
                await _print_group(operator, stream, group)
        self._print_transfers(detail, rows)
        _note_end(detail, rows, self._saved)

    def _print_transfers(self, detail: TaskDetail, rows: Sequence[CommandHost]) -> None:
        """Prints what the copies and fetches did that completed, the largest groups first."""
        groups: defaultdict[str, list[CommandHost]] = defaultdict(list)
        for row in rows:
            step = detail.commands[row.command].spec
            if step.transfer and row.status is CommandHostStatus.COMPLETED:
                from tui_manager.cli.printing.transfers import end_words

                groups[end_words(row, step, self._saved.get(row.execution_id))].append(row)
        for words, group in sorted(groups.items(), key=lambda item: -len(item[1])):
            sys.stdout.write(f"{_heading(group)}{words}\n")
        sys.stdout.flush()


def _heading(group: Sequence[CommandHost]) -> str:
    rule = "-" * 15
    return f"{rule}\n{fold_names(row.host for row in group)} ({len(group)})\n{rule}\n"


async def _print_group(operator: Operator, stream: Stream, group: Sequence[CommandHost]) -> None:
    file, clean, lines = _file(stream), cleaner_for(_file(stream)), StreamLines()
    file.write(_heading(group))
    offset = 0
    while chunks := await operator.read_output(group[0].execution_id, stream, offset):
        for chunk in chunks:
            offset = chunk.offset + (chunk.gap or len(chunk.data))
            file.write("".join(f"{clean(line)}\n" for line in lines.feed(chunk)))
    file.write("".join(f"{clean(line)}\n" for line in lines.rest()))
    file.flush()


class JsonOutput:
    """Prints one JSON object at the end.

    Args:
        saved: as of `LiveLines`.
    """

    def __init__(self, saved: "SavedByRow" = _NOTHING_SAVED) -> None:
        self._saved = saved
        self._text: defaultdict[_Key, list[str]] = defaultdict(list)
        self._decoders: defaultdict[_Key, codecs.IncrementalDecoder] = defaultdict(utf8_decoder)
        self._seen: defaultdict[_Key, int] = defaultdict(int)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps the first MiB of a stream."""
        key = (chunk.execution_id, chunk.stream)
        room = CUT - self._seen[key]
        self._seen[key] += chunk.gap or len(chunk.data)
        if room <= 0:
            return
        if chunk.gap:
            self._text[key].append(gap_text(chunk.gap))
        else:
            self._text[key].append(self._decoders[key].decode(chunk.data[:room]))

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints the object."""
        from tui_manager.domain.presentation.json_shapes import run_shape

        rows = await all_command_hosts(operator, detail.task.task_id)
        steps = [command.spec for command in detail.commands]
        write_json(run_shape(detail, [self._shape(row, steps[row.command]) for row in rows]))

    def _shape(self, row: CommandHost, step: CommandSpec) -> "Shape":
        from tui_manager.domain.presentation.json_shapes import output_shape

        texts, cut = [], False
        for stream in Stream:
            key = (row.execution_id, stream)
            over = self._seen[key] > CUT
            # If our limit cuts a character it is left out; if the host cut it, it is marked.
            rest = "" if over else self._decoders[key].decode(b"", final=True)
            texts.append("".join((*self._text[key], rest)))
            cut = cut or over
        shape = output_shape(row, step, *texts, cut=cut)
        if saved := self._saved.get(row.execution_id):
            shape |= {"unchanged": saved.unchanged, "unchanged_files": saved.unchanged_files}
            shape["renamed"] = [{"path": path, "here": name} for path, name in saved.new_names]
        return shape


def _note_end(detail: TaskDetail, rows: Sequence[CommandHost], saved: "SavedByRow") -> None:
    """Prints on stderr what was not kept, and the summary. The number of a task that did not
    complete is in it, because whoever looks further needs it."""
    note_truncated_output(rows)
    counts, steps = detail.task.counts, [command.spec for command in detail.commands]
    if len(steps) == 1 and steps[0].transfer:
        from tui_manager.cli.printing.transfers import summarize_transfer

        text = summarize_transfer(counts, rows, steps[0], saved)
    else:
        text = summarize(counts, rows)
    completed = detail.task.status is TaskStatus.COMPLETED
    note(text if completed else f"task {detail.task.task_id}: {text}")


def note_truncated_output(rows: Iterable[CommandHost]) -> None:
    """Prints which hosts had more output than the limit."""
    for row in rows:
        if row.truncated_bytes:
            note_past_limit(row.host, row.truncated_bytes)


def note_past_limit(host: str, size: int) -> None:
    """Prints that so many bytes of a host were not kept."""
    note(f"{host}: {size} bytes past the output limit were not kept")


def _file(stream: Stream) -> TextIO:
    return sys.stdout if stream is Stream.STDOUT else sys.stderr

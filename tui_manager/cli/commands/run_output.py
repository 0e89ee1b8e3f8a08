"""The three ways in which `run` prints output: live lines, gathered, JSON. Each gets the chunks of
a task in the order in which they were stored."""

import codecs
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TextIO

from tui_manager.cli.connect_and_read import all_command_hosts
from tui_manager.cli.printing.json_shapes import Shape, output_shape, run_shape
from tui_manager.cli.printing.summary import summarize
from tui_manager.cli.printing.text import cleaner_for, note, write_json
from tui_manager.domain.host_name_ranges import fold_names
from tui_manager.domain.status import Stream
from tui_manager.domain.task import CommandHost, Task, TaskDetail
from tui_manager.operator.api import Operator, OutputChunk

CUT = 1 << 20  # bytes of one stream of one host in JSON
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


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def _gap(size: int) -> str:
    return f"[{size} bytes are gone]"


class _Lines:
    """The text of one stream of one host, cut into lines."""

    def __init__(self) -> None:
        self._decoder = _decoder()
        self._begun: list[str] = []  # pieces of a line that is not complete yet

    def feed(self, chunk: OutputChunk) -> list[str]:
        """The lines that `chunk` completes."""
        text = _gap(chunk.gap) if chunk.gap else self._decoder.decode(chunk.data)
        *complete, rest = text.split("\n")
        if complete:
            complete[0] = "".join((*self._begun, complete[0]))
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return [line.removesuffix("\r") for line in complete]

    def rest(self) -> list[str]:
        """The line at the end that has no line end, if there is one."""
        text = "".join(self._begun) + self._decoder.decode(b"", final=True)
        return [text] if text else []


class LiveLines:
    """Prints every line when it comes: `host: text`.

    Args:
        files: where the lines of each stream go; by default those of stderr go to stderr.
    """

    def __init__(self, files: Mapping[Stream, TextIO] | None = None) -> None:
        self._lines: defaultdict[tuple[str, str, Stream], _Lines] = defaultdict(_Lines)
        self._files = files or {stream: _file(stream) for stream in Stream}
        self._clean = {stream: cleaner_for(file) for stream, file in self._files.items()}
        self._last = Stream.STDOUT

    def take(self, chunk: OutputChunk) -> None:
        """Prints the lines that the chunk completes."""
        lines = self._lines[chunk.execution_id, chunk.host, chunk.stream]
        self._print(chunk.host, chunk.stream, lines.feed(chunk))

    def flush(self) -> None:
        """Makes what was printed visible."""
        self._files[self._last].flush()

    def end_lines(self) -> None:
        """Prints the lines that have no line end: nothing comes after them."""
        for (_, host, stream), lines in self._lines.items():
            self._print(host, stream, lines.rest())
        self._lines.clear()
        self.flush()

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints lines without an end, and the summary."""
        self.end_lines()
        await _note_end(operator, detail.task)

    def _print(self, host: str, stream: Stream, lines: Sequence[str]) -> None:
        if not lines:
            return
        if stream is not self._last:  # both may go to one place, where the order must stay
            self.flush()
            self._last = stream
        clean = self._clean[stream]
        self._files[stream].write("".join(f"{host}: {clean(line)}\n" for line in lines))


class GatheredOutput:
    """Prints identical outputs once, under the folded names of their hosts."""

    def __init__(self) -> None:
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
        await _note_end(operator, detail.task, rows)


async def _print_group(operator: Operator, stream: Stream, group: Sequence[CommandHost]) -> None:
    file, clean, lines = _file(stream), cleaner_for(_file(stream)), _Lines()
    rule = "-" * 15
    file.write(f"{rule}\n{fold_names(row.host for row in group)} ({len(group)})\n{rule}\n")
    offset = 0
    while chunks := await operator.read_output(group[0].execution_id, stream, offset):
        for chunk in chunks:
            offset = chunk.offset + (chunk.gap or len(chunk.data))
            file.write("".join(f"{clean(line)}\n" for line in lines.feed(chunk)))
    file.write("".join(f"{clean(line)}\n" for line in lines.rest()))
    file.flush()


class JsonOutput:
    """Prints one JSON object at the end."""

    def __init__(self) -> None:
        self._text: defaultdict[_Key, list[str]] = defaultdict(list)
        self._decoders: defaultdict[_Key, codecs.IncrementalDecoder] = defaultdict(_decoder)
        self._seen: defaultdict[_Key, int] = defaultdict(int)

    def take(self, chunk: OutputChunk) -> None:
        """Keeps the first MiB of a stream."""
        key = (chunk.execution_id, chunk.stream)
        room = CUT - self._seen[key]
        self._seen[key] += chunk.gap or len(chunk.data)
        if room <= 0:
            return
        if chunk.gap:
            self._text[key].append(_gap(chunk.gap))
        else:
            self._text[key].append(self._decoders[key].decode(chunk.data[:room]))

    def flush(self) -> None:
        """Nothing is shown before the end."""

    async def finish(self, operator: Operator, detail: TaskDetail) -> None:
        """Prints the object."""
        rows = await all_command_hosts(operator, detail.task.task_id)
        write_json(run_shape(detail, [self._shape(row) for row in rows]))

    def _shape(self, row: CommandHost) -> Shape:
        texts, cut = [], False
        for stream in Stream:
            key = (row.execution_id, stream)
            over = self._seen[key] > CUT
            # If our limit cuts a character it is left out; if the host cut it, it is marked.
            rest = "" if over else self._decoders[key].decode(b"", final=True)
            texts.append("".join((*self._text[key], rest)))
            cut = cut or over
        return output_shape(row, *texts, cut=cut)


async def _note_end(
    operator: Operator, task: Task, rows: Sequence[CommandHost] | None = None
) -> None:
    """Prints on stderr what was not kept, and the summary."""
    if rows is None:
        rows = await all_command_hosts(operator, task.task_id)
    note_truncated_output(rows)
    note(summarize(task.counts, rows))


def note_truncated_output(rows: Iterable[CommandHost]) -> None:
    """Prints which hosts had more output than the limit."""
    for row in rows:
        if row.truncated_bytes:
            note(f"{row.host}: {row.truncated_bytes} bytes past the output limit were not kept")


def _file(stream: Stream) -> TextIO:
    return sys.stdout if stream is Stream.STDOUT else sys.stderr

"""Cuts the stored output of a task into lines."""

import codecs
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that a command printed.

    Attributes:
        host: its name.
        text: without the line end. Bytes that are not UTF-8 are replaced. A host may print escape
            sequences: `safe_text` takes them out for a terminal.
        command: the index of the command in its task, from 0.
        execution_id: of the command host.
    """

    host: str
    text: str
    stream: Stream
    command: int
    execution_id: str


def utf8_decoder() -> codecs.IncrementalDecoder:
    """Decodes output piece by piece, and replaces what is not UTF-8."""
    return codecs.getincrementaldecoder("utf-8")("replace")


def gap_text(size: int) -> str:
    """Stands for output that is gone."""
    return f"[{size} bytes are gone]"


class StreamLines:
    """The text of one stream of one command host, cut into lines."""

    def __init__(self) -> None:
        self._decoder = utf8_decoder()
        self._begun: list[str] = []  # pieces of a line that is not complete yet

    def feed(self, chunk: OutputChunk) -> list[str]:
        """The lines that `chunk` completes."""
        text = gap_text(chunk.gap) if chunk.gap else self._decoder.decode(chunk.data)
        *complete, rest = text.split("\n")
        if complete:
            complete[0] = "".join((*self._begun, complete[0]))
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return [line.removesuffix("\r") for line in complete]

    @property
    def between_lines(self) -> bool:
        """Nothing has come of a further line."""
        return not self._begun and not self._decoder.getstate()[0]

    def rest(self) -> list[str]:
        """The line at the end that has no line end, if there is one."""
        text = "".join(self._begun) + self._decoder.decode(b"", final=True)
        return [text] if text else []


class TaskLines:
    """The output of a task, cut into lines. The chunks come in the order in which they were
    stored."""

    def __init__(self) -> None:
        self._streams: defaultdict[tuple[str, str, int, Stream], StreamLines] = defaultdict(
            StreamLines
        )

    def feed(self, chunk: OutputChunk) -> list[str]:
        """The lines that `chunk` completes; they are of its host and its stream."""
        key = (chunk.execution_id, chunk.host, chunk.command, chunk.stream)
        stream = self._streams[key]
        lines = stream.feed(chunk)
        if stream.between_lines:  # a task may have many hosts, most of which end their lines
            del self._streams[key]
        return lines

    def rest(self) -> Iterator[OutputLine]:
        """The lines that have no line end. Nothing comes after them."""
        for (execution_id, host, command, stream), lines in self._streams.items():
            for text in lines.rest():
                yield OutputLine(host, text, stream, command, execution_id)
        self._streams.clear()


def lines_of(chunk: OutputChunk, texts: Iterable[str]) -> Iterator[OutputLine]:
    """Lines of the stream of `chunk`."""
    for text in texts:
        yield OutputLine(chunk.host, text, chunk.stream, chunk.command, chunk.execution_id)

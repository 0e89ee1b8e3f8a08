"""The part of the stored output that a pane holds: chunks that follow each other, and their lines.

Pure. It grows at both ends, and drops what is far from what is seen. A line that begins in a chunk
that is not held is decoded anew when that chunk comes.
"""

from collections.abc import Sequence

from tui_manager.domain.output.output_buffer import OutputBuffer, OutputLine
from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk

KEPT = 512 * 1024  # bytes that are kept after some were dropped; twice as many are held at most
LINES_KEPT = 8_000
HELD_MAX = 4 << 20  # bytes that are held at most if all of them are seen, in very long lines


class OutputWindow:
    """Chunks in the order of storing.

    Attributes:
        at_start: nothing is stored before them.
        at_end: nothing was stored behind them when they were read.
    """

    def __init__(self) -> None:
        self.chunks: list[OutputChunk] = []
        self.at_start = self.at_end = False
        self.size = 0
        self._buffer = OutputBuffer()

    @property
    def lines(self) -> list[OutputLine]:
        """The lines of the chunks."""
        return self._buffer.lines

    @property
    def first(self) -> int:
        """The position of the first chunk; 0 if there is none."""
        return self.chunks[0].position if self.chunks else 0

    @property
    def last(self) -> int:
        """The position of the last chunk; 0 if there is none."""
        return self.chunks[-1].position if self.chunks else 0

    @property
    def is_complete(self) -> bool:
        """Whether it holds all that is stored."""
        return self.at_start and self.at_end

    def replace(self, chunks: Sequence[OutputChunk], *, at_start: bool, at_end: bool) -> None:
        """Holds other chunks."""
        self.at_start, self.at_end = at_start, at_end
        self._hold(chunks)

    def append(self, chunks: Sequence[OutputChunk], *, at_end: bool) -> None:
        """Holds these too, behind the others."""
        self.at_end = at_end
        self.chunks += chunks
        self.size += _size(chunks)
        self._buffer.feed(chunks)

    def prepend(self, chunks: Sequence[OutputChunk], *, at_start: bool) -> None:
        """Holds these too, before the others."""
        self.at_start = at_start
        if chunks:
            self._hold([*chunks, *self.chunks])

    def _hold(self, chunks: Sequence[OutputChunk]) -> None:
        self.chunks = list(chunks)
        self.size = _size(chunks)
        self._buffer = OutputBuffer()
        self._buffer.feed(chunks)

    def drop(self, first: int, last: int) -> bool:
        """Drops what is far from the lines from number `first` to `last`, if too much is held.
        Returns whether something was dropped."""
        lines = self.lines
        if not lines or (self.size <= 2 * KEPT and len(lines) <= 2 * LINES_KEPT):
            return False
        needed = lines[max(first, 0) : last + 1] or lines[-1:]
        begin = needed[0].position
        end = max(line.end for line in needed)
        before = [chunk for chunk in self.chunks if chunk.position < begin]
        after = [chunk for chunk in self.chunks if chunk.position > end][::-1]
        count = max(1, LINES_KEPT * len(self.chunks) // len(lines))  # of chunks with so many lines
        extra, too_many = self.size - KEPT, len(self.chunks) - count
        dropped = [0, 0]
        for side, chunks in sorted(enumerate((before, after)), key=lambda item: -_size(item[1])):
            dropped[side] = _drop_count(chunks, extra, too_many)
            extra -= _size(chunks[: dropped[side]])
            too_many -= dropped[side]
        if not any(dropped):
            return False
        self.at_start = self.at_start and not dropped[0]
        self.at_end = self.at_end and not dropped[1]
        self._hold(self.chunks[dropped[0] : len(self.chunks) - dropped[1]])
        return True

    def find(self, execution_id: str, stream: Stream, offset: int) -> int:
        """The number of the line, or part of a line, that has a byte of a stream; -1 if none."""
        found = -1
        for number, line in enumerate(self.lines):
            of_stream = line.stream is stream and line.execution_id == execution_id
            if of_stream and line.offset <= offset and not line.rewritten:
                found = number
        return found


def _size(chunks: Sequence[OutputChunk]) -> int:
    return sum(len(chunk.data) for chunk in chunks)


def _drop_count(chunks: Sequence[OutputChunk], extra: int, too_many: int) -> int:
    """How many of the first chunks to drop, so that so many bytes and chunks are gone."""
    size = 0
    for number, chunk in enumerate(chunks):
        if size >= extra and number >= too_many:
            return number
        size += len(chunk.data)
    return len(chunks)

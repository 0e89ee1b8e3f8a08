"""The lines that an output pane keeps: makes a bounded list of lines from chunks of bytes. They
are drawn in `colour_and_wrap_lines.py`.

Pure: no widget. Every (execution, stream) has a decoder and a line of its own that grows until its
end. A carriage return clears that line, so that the last rewrite is seen.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tui_manager.domain.safe_text import SafeTextDecoder
from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.drawing.number_format import size

LINES_MAX = 10_000  # that a pane keeps
CHARACTERS_MAX = 4_000_000  # of all lines together
LINE_MAX = 100_000  # characters of one line that are kept


@dataclass(slots=True, eq=False)
class OutputLine:
    """One line of one stream of one command host.

    Attributes:
        text: safe text with colours. It resets them at its end.
        revision: grows when the text changes. A cache of its rows compares it.
        cut: characters after LINE_MAX that are not kept.
        note: it comes from the manager, and not from the host.
        dropped: it was dropped while it still grew.
    """

    host: str
    command: int
    stream: Stream
    text: str = ""
    revision: int = 0
    cut: int = 0
    note: bool = False
    dropped: bool = False

    def add(self, piece: str) -> None:
        """Appends what fits."""
        room = LINE_MAX - len(self.text)
        if piece.startswith("\x1b") or len(piece) <= room:
            self.text += piece
        else:
            self.text += piece[: max(room, 0)]
            self.cut += len(piece) - max(room, 0)
        self.revision += 1

    def clear(self) -> None:
        """Empties the line for a rewrite."""
        self.text, self.cut = "", 0
        self.revision += 1


@dataclass(slots=True)
class _Source:
    """One stream of one execution."""

    decoder: SafeTextDecoder = field(default_factory=lambda: SafeTextDecoder(rewrites=True))
    line: OutputLine | None = None
    rewrite: bool = False
    end: int = 0


class OutputBuffer:
    """A bounded list of lines. It drops the oldest."""

    def __init__(self, lines_max: int = LINES_MAX, characters_max: int = CHARACTERS_MAX) -> None:
        self.lines: deque[OutputLine] = deque()
        self.dropped = 0  # lines that were dropped at the beginning
        self._lines_max = lines_max
        self._characters_max = characters_max
        self._characters = 0
        self._sources: dict[tuple[str, Stream], _Source] = {}

    def feed(self, chunks: Iterable[OutputChunk]) -> None:
        """Appends chunks in the order in which they were stored."""
        for chunk in chunks:
            self._feed(chunk)
        while len(self.lines) > self._lines_max or (
            self._characters > self._characters_max and len(self.lines) > 1
        ):
            line = self.lines.popleft()
            line.dropped = True
            self._characters -= len(line.text)
            self.dropped += 1

    def _feed(self, chunk: OutputChunk) -> None:
        key = (chunk.execution_id, chunk.stream)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source(end=chunk.offset)
            if chunk.offset:
                self._note(chunk, f"… {size(chunk.offset)} before this")
        if chunk.gap:
            source.line = None
            self._note(chunk, f"… {size(chunk.gap)} are gone")
        for piece in source.decoder.feed(chunk.data):
            if piece == "\n":
                self._line(source, chunk)
                source.line, source.rewrite = None, False
            elif piece == "\r":
                source.rewrite = True
            else:
                self._add(source, chunk, piece)

    def _add(self, source: _Source, chunk: OutputChunk, piece: str) -> None:
        line = self._line(source, chunk)
        before = len(line.text)
        if source.rewrite:
            line.clear()
            source.rewrite = False
        line.add(piece)
        self._characters += len(line.text) - before

    def _line(self, source: _Source, chunk: OutputChunk) -> OutputLine:
        if source.line is None or source.line.dropped:
            source.line = OutputLine(chunk.host, chunk.command, chunk.stream)
            self.lines.append(source.line)
        return source.line

    def _note(self, chunk: OutputChunk, text: str) -> None:
        line = OutputLine(chunk.host, chunk.command, chunk.stream, note=True)
        line.add(text)
        self._characters += len(text)
        self.lines.append(line)

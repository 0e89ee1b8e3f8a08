"""Makes lines from chunks of bytes.

Pure. Every (execution, stream) has a decoder and a line of its own that grows until its end. A
carriage return clears that line, so that the last rewrite is seen. On the screen,
`output_window.py` decides which chunks are held, and `colour_and_wrap_lines.py` draws the lines.
"""

import re
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.output_colours import RESET
from tui_manager.domain.text.safe_text import SafeTextDecoder

PART = 8192  # characters of a line that are drawn as one; a longer line has several parts
_PLAIN_LINE = re.compile(rb"([ -~]{1,%d})\n" % (PART - 1))


@dataclass(slots=True, eq=False)
class OutputLine:
    """One line of one stream of one command host, or a part of a long line.

    Attributes:
        offset: of its first byte in its stream.
        position: of the chunk in which it begins.
        end: of the chunk in which it ends so far.
        stored_at: when its beginning was stored; None if that is not known.
        text: safe text with colours. It resets them at its end.
        revision: grows when the text changes. A cache of its rows compares it.
        note: it comes from the manager, and not from the host.
        continues: a part of the line before it in the same stream.
        rewritten: a part of a line that was rewritten since: nothing of it is shown.
        rows: how many rows it took at a revision and a width, and these two.
    """

    execution_id: str
    host: str
    command: int
    stream: Stream
    offset: int
    position: int
    end: int
    stored_at: datetime | None = None
    text: str = ""
    revision: int = 0
    note: bool = False
    continues: bool = False
    rewritten: bool = False
    rows: tuple[int, int, int] = (0, -1, -1)


@dataclass(slots=True)
class _Source:
    """One stream of one execution.

    Attributes:
        line: the one that grows; None at the beginning of a line.
        parts: the parts of this line before `line`.
        colour: the sequence of the colours that are set.
        rewrite: a carriage return was printed: the next text replaces the line.
    """

    decoder: SafeTextDecoder = field(default_factory=lambda: SafeTextDecoder(rewrites=True))
    line: OutputLine | None = None
    parts: list[OutputLine] = field(default_factory=list)
    colour: str = ""
    rewrite: bool = False


class OutputBuffer:
    """The lines of some chunks that follow each other."""

    def __init__(self) -> None:
        self.lines: list[OutputLine] = []
        self._sources: dict[tuple[str, Stream], _Source] = {}

    def feed(self, chunks: Iterable[OutputChunk]) -> None:
        """Appends chunks in the order in which they were stored."""
        for chunk in chunks:
            key = (chunk.execution_id, chunk.stream)
            source = self._sources.get(key)
            if source is None:
                source = self._sources[key] = _Source()
            self._feed(source, chunk)

    def _feed(self, source: _Source, chunk: OutputChunk) -> None:
        if chunk.gap:
            source.line = None
            note = self._add_line(source, chunk, chunk.offset)
            note.text, note.note = f"… {size(chunk.gap)} are gone", True
            source.line = None
        data, at = chunk.data, 0
        while at < len(data):
            if source.line is None and source.decoder.is_plain:
                at = self._feed_plain(source, chunk, at)
            newline = data.find(b"\n", at, at + PART)
            end = newline + 1 if newline >= 0 else min(at + PART, len(data))
            self._feed_slice(source, chunk, data[at:end], chunk.offset + at)
            at = end

    def _feed_plain(self, source: _Source, chunk: OutputChunk, at: int) -> int:
        """Takes lines that need no decoder, as most are. Returns where the next one begins."""
        while plain := _PLAIN_LINE.match(chunk.data, at):
            line = self._add_line(source, chunk, chunk.offset + at)
            line.text, line.revision = plain[1].decode(), 1
            source.line, source.rewrite = None, False
            source.parts.clear()
            at = plain.end()
        return at

    def _feed_slice(self, source: _Source, chunk: OutputChunk, data: bytes, offset: int) -> None:
        """A line, or a part of one."""
        for piece in source.decoder.feed(data):
            if piece == "\n":
                if source.line is None:
                    self._add_line(source, chunk, offset)
                source.line, source.rewrite = None, False
                source.parts.clear()
            elif piece == "\r":
                source.rewrite = True
            else:
                self._add_text(source, chunk, piece, offset)

    def _add_text(self, source: _Source, chunk: OutputChunk, piece: str, offset: int) -> None:
        line = source.line
        if source.rewrite and line is not None:
            line = self._clear(source, line)
        source.rewrite = False
        if piece.startswith("\x1b"):
            source.colour = "" if piece == RESET else piece
        if line is None:
            line = self._add_line(source, chunk, offset)
        elif len(line.text) >= PART and piece != RESET:
            source.parts.append(line)
            line = self._add_line(source, chunk, offset)
            line.continues = True
            line.text = "" if piece.startswith("\x1b") else source.colour
        line.text += piece
        line.revision += 1
        line.end = chunk.position

    @staticmethod
    def _clear(source: _Source, line: OutputLine) -> OutputLine:
        """Empties a line for a rewrite: its first part is used again."""
        for part in (*source.parts, line):
            part.text = ""
            part.revision += 1
            part.rewritten = True
        source.line = source.parts[0] if source.parts else line
        source.line.rewritten = False
        source.parts.clear()
        return source.line

    def _add_line(self, source: _Source, chunk: OutputChunk, offset: int) -> OutputLine:
        source.line = OutputLine(
            chunk.execution_id,
            chunk.host,
            chunk.command,
            chunk.stream,
            offset,
            chunk.position,
            chunk.position,
            chunk.stored_at,
        )
        self.lines.append(source.line)
        return source.line

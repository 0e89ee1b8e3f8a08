"""The grouped output of an HTML page: hosts that printed the same, and what they printed."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from tui_manager.domain.output.output_buffer import OutputBuffer, OutputLine
from tui_manager.domain.output.output_groups import OutputGroup, OutputGroups
from tui_manager.domain.presentation.state_words import GLYPHS
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import CommandHost, OutputChunk
from tui_manager.domain.text.host_name_ranges import fold_names, summarize_names
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.export.html_text import ColouredText, text
from tui_manager.export.read_output import OutputReader
from tui_manager.export.read_task import batches, gather_all

COMPARED_ROWS = 20_000  # command hosts whose output is read
COMPARED_BYTES = 256 << 20  # of their output
GROUPS_MAX = 200  # that are shown
TEXT_MAX = 64 << 10  # bytes of one of them
LINES_MAX = 2_000  # of one of them
TEXTS_MAX = 2 << 20  # bytes of all of them, each line with what surrounds it
_LINE_COST = 32  # bytes around a line
_AT_ONCE = 8  # command hosts whose output is read at the same time
# Of groups that did not fail by themselves, by how they ended.
_GLYPHS = {
    "running": "running",
    "timeout": "timeout",
    "canceled": "canceled",
    "cancel unconfirmed": "canceled",
    "earlier failed": "skipped",
    "budget spent": "skipped",
    "hold expired": "skipped",
    "maintenance": "skipped",
}
_NAMES = 200  # characters of the names of hosts in a heading
_NAMES_MAX = 4000  # hosts of a group whose names are listed


class GroupedOutput:
    """Reads the output of command hosts as they come, and then shows their groups."""

    def __init__(self, reader: OutputReader) -> None:
        self._reader = reader
        self._groups = OutputGroups()
        self._rows = 0
        self.left_out = 0  # command hosts that are in no group, because there are too many

    async def add(self, rows: Sequence[CommandHost]) -> None:
        """Reads what they printed."""
        for some in batches(rows, _AT_ONCE):
            room = self._rows < COMPARED_ROWS and self._groups.size < COMPARED_BYTES
            if not room:
                self.left_out += len(some)
                continue
            self._rows += len(some)
            self._groups.set_states(some)
            await gather_all(self._read(row) for row in some)

    async def _read(self, row: CommandHost) -> None:
        if size := row.stdout_bytes + row.stderr_bytes:
            async for chunks in self._reader.read_both(row.execution_id, size):
                self._groups.feed(chunks)
            self._groups.end(row.execution_id)

    async def html(self, titles: Sequence[str], colours: ColouredText) -> AsyncIterator[str]:
        """The groups by step, those with failures first, then the largest.

        Args:
            titles: of the steps.
        """
        groups = sorted(self._groups.groups(), key=lambda group: not group.failed)
        room = TEXTS_MAX
        for command, title in enumerate(titles):
            of_step = [group for group in groups if group.command == command]
            if len(titles) > 1 and of_step:
                yield f"<h3>{command + 1}. {text(title)}</h3>"
            for group in of_step[: max(1, GROUPS_MAX // len(titles))]:
                limit = min(TEXT_MAX, room)
                shown = await self._text(group, limit)
                room -= sum(_LINE_COST + len(line.text) for line in shown.lines)
                room = max(0, room)
                yield _group(group, shown, limit, colours)
            if more := of_step[max(1, GROUPS_MAX // len(titles)) :]:
                hosts = count_of(sum(len(group.hosts) for group in more), "host")
                yield f'<p class="note">{count_of(len(more), "more group")} of {hosts}.</p>'

    async def _text(self, group: OutputGroup, limit: int) -> "_Shown":
        """The first bytes of its output, `limit` at most, in lines."""
        buffer, left, ends = OutputBuffer(), min(limit, group.size), 0
        async for chunks in self._reader.read_both(group.execution_id, left):
            for chunk in chunks:
                cut = chunk.data[: max(0, left)]
                left -= len(chunk.data) + chunk.gap
                first = _first_lines(cut, LINES_MAX + 1 - len(buffer.lines))
                ends += cut.count(b"\n", len(first))
                if first or chunk.gap:
                    buffer.feed([_cut(chunk, first)])
        lines = [line for line in buffer.lines if not line.rewritten]
        return _Shown(lines[:LINES_MAX], max(0, len(lines) - LINES_MAX) + ends)


class _Shown(NamedTuple):
    """What is shown of a group.

    Attributes:
        more: lines of what was read that are not shown.
    """

    lines: Sequence[OutputLine]
    more: int


def _first_lines(data: bytes, count: int) -> bytes:
    """So many lines of `data`: to make lines of what is not shown would take long."""
    at = 0
    for _ in range(count):
        end = data.find(b"\n", at)
        if end < 0:
            return data
        at = end + 1
    return data[:at]


def _cut(chunk: OutputChunk, data: bytes) -> OutputChunk:
    if len(data) == len(chunk.data):
        return chunk
    return OutputChunk(
        chunk.position, chunk.execution_id, chunk.host, chunk.command, chunk.stream, chunk.offset,
        data, chunk.gap, chunk.stored_at,
    )  # fmt: skip


def _group(group: OutputGroup, shown: _Shown, limit: int, colours: ColouredText) -> str:
    glyph = _GLYPHS.get(group.state, "failed" if group.failed else "completed")
    count = count_of(len(group.hosts), "host")
    names = summarize_names(group.hosts, _NAMES)
    nothing = "" if group.size else " · no output"
    heading = (
        f'<h4><span class="{glyph}">{GLYPHS[glyph]}</span> {count} <b>{text(group.state)}</b> '
        f"<span class=names>{text(names)}{nothing}</span></h4>"
    )
    whole = ""
    if len(group.hosts) <= _NAMES_MAX and (folded := fold_names(group.hosts)) != names:
        whole = f"<details><summary>All names</summary><p>{text(folded)}</p></details>"
    if not group.size:
        return f"<section>{heading}{whole}</section>"
    body = "".join(_line(line, colours) for line in shown.lines)
    parts = [count_of(shown.more, "line")] if shown.more else []
    parts += [size(group.size - limit)] if group.size > limit else []
    cut = f"<p class=note>{' and '.join(parts)} more, not shown here.</p>" if parts else ""
    label = text(f"Output of {names}")
    return (
        f"<section>{heading}{whole}"
        f'<pre tabindex="0" role="region" aria-label="{label}">{body}</pre>{cut}</section>'
    )


def _line(line: OutputLine, colours: ColouredText) -> str:
    kind = "err" if line.stream is Stream.STDERR else "note" if line.note else ""
    shown = colours.line(line.text) or " "
    if kind == "err":
        return f'<span class="l err"><span class=bar>┃</span>{shown}</span>\n'
    return f'<span class="l {kind}">{shown}</span>\n' if kind else f"<span class=l>{shown}</span>\n"

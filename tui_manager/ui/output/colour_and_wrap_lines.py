"""Draws lines of output as rows of cells: the host's own colours, long lines wrapped or cut.
Pure. Which lines are kept is in `output_buffer.py`."""

import re
from bisect import bisect_right
from collections.abc import Collection
from functools import lru_cache
from itertools import accumulate

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from tui_manager.ui.output.output_buffer import OutputLine

_SGR = re.compile("\x1b\\[([0-9;]*)m")
_TAB = 8
_CUT_MARK = "…"


@lru_cache(maxsize=512)
def style_of(parameters: str) -> Style:
    """The style that a canonical colour sequence sets."""
    codes = iter(parameters.split(";"))
    style: dict[str, str | bool] = {}
    for code in codes:
        number = int(code or 0)
        if number in _FLAGS:
            style[_FLAGS[number]] = True
        elif number in (38, 48):
            key = "color" if number == 38 else "bgcolor"
            if next(codes) == "5":
                style[key] = f"color({next(codes)})"
            else:
                style[key] = f"rgb({next(codes)},{next(codes)},{next(codes)})"
        elif number:
            background = number // 10 in (4, 10)
            style["bgcolor" if background else "color"] = _named(number)
    return Style(**style)  # type: ignore[arg-type]


_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}


def _named(number: int) -> str:
    bright = number >= 90
    return f"color({number % 10 + (8 if bright else 0)})"


def segments(text: str) -> list[Segment]:
    """The runs of a safe line, tabs expanded."""
    runs: list[Segment] = []
    style = Style.null()
    column = at = 0
    for match in _SGR.finditer(text):
        column = _run(runs, text[at : match.start()], style, column)
        style = style_of(match.group(1)) if match.group(1) not in ("", "0") else Style.null()
        at = match.end()
    _run(runs, text[at:], style, column)
    return runs


def _run(runs: list[Segment], text: str, style: Style, column: int) -> int:
    if not text:
        return column
    if "\t" in text:
        parts = []
        for index, part in enumerate(text.split("\t")):
            if index:
                gap = _TAB - column % _TAB
                parts.append(" " * gap)
                column += gap
            parts.append(part)
            column += cell_len(part)
        text = "".join(parts)
    else:
        column += cell_len(text)
    runs.append(Segment(text, style))
    return column


def crop(runs: list[Segment], width: int) -> list[Segment]:
    """The first row of a line, with a mark if it is cut."""
    rows = wrap(runs, width, limit=1)
    first = rows[0] if rows else []
    if sum(len(run.text) for run in first) < sum(len(run.text) for run in runs):
        first = wrap(first, width - 1, limit=1)[0]
        first.append(Segment(_CUT_MARK, Style(dim=True)))
    return first


def wrap(runs: list[Segment], width: int, limit: int = 0) -> list[list[Segment]]:
    """The rows of a line at `width` cells; at most `limit` of them unless it is 0."""
    rows: list[list[Segment]] = [[]]
    left = width
    for run in runs:
        text, at = run.text, 0
        while at < len(text):
            end, used = _fitting(text, at, left)
            if end == at and left < width:
                if limit and len(rows) == limit:
                    return rows
                rows.append([])
                left = width
                continue
            if end == at:  # a wide character in a column of one cell
                end, used = at + 1, width
            rows[-1].append(Segment(text[at:end], run.style))
            left -= used
            at = end
    return rows


def _fitting(text: str, at: int, width: int) -> tuple[int, int]:
    """The end of the characters from `at` on that fit `width` cells, and their cells."""
    part = text[at : at + max(width, 0) + 1]
    if part.isascii():
        count = min(len(part), max(width, 0))
        return at + count, count
    used, end = 0, at
    # A character without a width stays with the one before it.
    while end < len(text) and used + (size := get_character_cell_size(text[end])) <= width:
        used += size
        end += 1
    return end, used


class LineRows:
    """Which rows of a pane show which line. A line that is not wrapped takes one row."""

    def __init__(self) -> None:
        self.wraps = False
        self._width = 1
        self._ends: list[int] = []  # rows up to and with each line
        self._heights: dict[OutputLine, tuple[int, int]] = {}  # revision and rows

    def forget(self) -> None:
        """The width has changed, or other lines are shown."""
        self._heights.clear()

    def place(self, lines: Collection[OutputLine], width: int) -> int:
        """Places lines in rows of `width` cells. Returns how many rows they take."""
        self._width = width
        if not self.wraps:
            return len(lines)
        self._ends = list(accumulate(self._height(line) for line in lines))
        if len(self._heights) > 2 * len(lines) + 100:
            self._heights = {line: self._heights[line] for line in lines}
        return self._ends[-1] if self._ends else 0

    def line_at(self, row: int) -> tuple[int, int]:
        """The number of the line that a row shows, and which part of it."""
        if not self.wraps:
            return row, 0
        number = bisect_right(self._ends, row)
        return number, row - (self._ends[number - 1] if number else 0)

    def runs(self, line: OutputLine, part: int) -> list[Segment]:
        """What a row shows of a line."""
        runs = segments(line.text)
        if not self.wraps:
            return crop(runs, self._width)
        rows = wrap(runs, self._width, limit=part + 1)
        return rows[part] if part < len(rows) else []

    def _height(self, line: OutputLine) -> int:
        known = self._heights.get(line)
        if known is None or known[0] != line.revision:
            rows = len(wrap(segments(line.text), self._width))
            known = self._heights[line] = (line.revision, max(rows, 1))
        return known[1]

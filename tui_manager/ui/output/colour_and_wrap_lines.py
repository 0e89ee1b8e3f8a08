"""Draws lines of output as rows of cells: the host's own colours, long lines wrapped or cut.
Pure. Which row shows which line is in `line_rows.py`."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

SGR = re.compile("\x1b\\[([0-9;]*)m")
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
    for match in SGR.finditer(text):
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


def highlight(
    runs: Iterable[Segment], places: Sequence[tuple[int, int]], style: Style
) -> list[Segment]:
    """The runs with another style at some places, which are counted in characters."""
    marked: list[Segment] = []
    at, number = 0, 0
    for text, own, _ in runs:
        end, begin = at + len(text), at
        while begin < end:
            while number < len(places) and places[number][1] <= begin:
                number += 1
            first, last = places[number] if number < len(places) else (end, end)
            inside = first <= begin
            stop = min(end, last if inside else first)
            part = text[begin - at : stop - at]
            marked.append(Segment(part, (own or Style.null()) + style if inside else own))
            begin = stop
        at = end
    return marked


def row_count(text: str, width: int) -> int:
    """How many rows a safe line takes when it is wrapped; counted, and not drawn, if possible."""
    plain = SGR.sub("", text) if "\x1b" in text else text
    if plain.isascii() and "\t" not in plain:
        return max(1, -(-len(plain) // width))
    return max(1, len(wrap(segments(text), width)))

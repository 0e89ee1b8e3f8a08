"""How a table is laid out: columns, header, rows, title, and what an empty one says. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.window import Window
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.drawing.states import MARKED


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        width: cells that it needs at least.
        grow: its share of what is left over; 0 keeps it at its width.
        most: cells beyond which it does not grow.
        right: whether it is aligned to the right.
        rank: columns of the highest rank fold away first; rank 0 never does.
        sort: what `Window.sort` calls it; empty when it cannot be sorted by.
    """

    key: str
    title: str
    width: int
    grow: int = 0
    most: int = 60
    right: bool = False
    rank: int = 0
    sort: str = ""


GAP = 1  # cells between two columns


def share(columns: Sequence[Column], width: int) -> tuple[tuple[Column, int], ...]:
    """The columns that fit `width` cells, each with its width."""
    kept = list(columns)
    while sum(column.width + GAP for column in kept) - GAP > width:
        worst = max(kept, key=lambda column: column.rank)
        if worst.rank == 0:
            break
        kept.remove(worst)
    widths = {column.key: column.width for column in kept}
    spare = width - sum(widths.values()) - GAP * (len(kept) - 1)
    while spare > 0:
        growing = [column for column in kept if column.grow and widths[column.key] < column.most]
        if not growing:
            break
        for column in growing:
            step = min(column.grow, spare, column.most - widths[column.key])
            widths[column.key] += step
            spare -= step
    return tuple((column, widths[column.key]) for column in kept)


GUTTER = 2  # cells in front of a row: cursor or mark, and a space
Shares = Sequence[tuple[Column, int]]


def header_spans(shares: Shares, window: Window) -> Spans:
    """The titles of the columns; the one that the rows are ordered by has an arrow."""
    line: list[Span] = [Span(" " * GUTTER)]
    for column, width in shares:
        title = column.title
        if column.sort and column.sort == window.sort and title:
            title += "▴" if window.descending else "▾"
        line += fit((Span(title, Role.MUTED),), width, right=column.right)
        line.append(Span(" " * GAP))
    return tuple(line)


def rest_after(shares: Shares, key: str) -> Shares:
    """The columns up to this one, and one named "rest" in place of all behind it."""
    last = next(number for number, (column, _) in enumerate(shares) if column.key == key)
    behind = [width for _, width in shares[last + 1 :]]
    rest = sum(behind) + GAP * (len(behind) - 1)
    return (*shares[: last + 1], (Column("rest", "", rest), rest)) if behind else shares


def row_spans(
    shares: Shares, cell: Callable[[str, int], Spans], *, current: bool, marked: bool
) -> Spans:
    """A row; `cell` gives what stands in a column of a width."""
    mark = MARKED.text if marked else "▸" if current else " "
    line: list[Span] = [Span(f"{mark:<{GUTTER}}", Role.STRONG)]
    for column, width in shares:
        line += fit(cell(column.key, width), width, right=column.right)
        line.append(Span(" " * GAP))
    return tuple(line)


def sort_at(shares: Shares, x: int) -> str:
    """What the header at cell `x` sorts by; empty for nothing."""
    x -= GUTTER
    for column, width in shares:
        if 0 <= x < width + GAP:
            return column.sort
        x -= width + GAP
    return ""


def filtered_away(noun: str, total: int, window: Window) -> tuple[Spans, ...]:
    """What a table says whose filter nothing passes."""
    text, faults = safe_line(window.text), window.faults_only
    what = f"contains “{text}”" if text else ""
    what += f"{' and ' if text and faults else ''}{'is faulty' if faults else ''}"
    lines: list[Spans] = [(Span(f"None of {total:,} {noun} {what}."),)]
    if faults:
        lines.append((Span("ctrl+z shows the others too.", Role.MUTED),))
    if text:
        lines.append((Span("/ changes the filter, esc clears it.", Role.MUTED),))
    return tuple(lines)


def table_title(
    title: str,
    window: Window,
    *,
    matching: int,
    total: int,
    marked: int,
    absent: int = 0,
    partial: bool = False,
) -> Text:
    """The title of a table's frame: how many rows, and why not all; `12+ of 900` while more are
    looked for. Of the marked rows `absent` are not in the list."""
    filtered = window.text or window.faults_only
    text = Text(f"{title} ", style="bold")
    text.append(
        f"{matching:,}{'+' if partial else ''} of {total:,}" if filtered else f"{total:,}",
        style="not bold",
    )
    if window.text:
        text.append(f"  / {safe_line(window.text)}", style="not bold")
    if window.faults_only:
        text.append("  ✘ faults only", style="not bold")
    if marked:
        text.append(f"  {MARKED.text} {marked:,} marked", style="not bold")
    if absent:
        text.append(f", {absent:,} not in this list", style="not bold")
    return text

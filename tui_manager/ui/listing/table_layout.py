"""The layout of a table: columns, header, rows, title, and the text without matches. Pure."""

from collections.abc import Callable, Sequence

from rich.text import Text
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import DEFAULT_KEYS, KeyMap
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.drawing.state_words_and_colours import MARKED
from tui_manager.ui.key_bindings import key_of


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        width: its cells at least.
        grow: its share of the cells that are left over; 0 keeps it at `width`.
        max_width: its cells at most.
        right: whether it is aligned to the right.
        hide_order: without room, the column with the highest number is hidden first; 0 never is.
        sort: its name in `Window.sort`; empty if rows cannot be sorted by it.
        largest_first: rows are sorted by it from the largest value on at first.
    """

    key: str
    title: str
    width: int
    grow: int = 0
    max_width: int = 60
    right: bool = False
    hide_order: int = 0
    sort: str = ""
    largest_first: bool = False


GAP = 1  # cells between two columns


def fit_columns(columns: Sequence[Column], width: int) -> tuple[tuple[Column, int], ...]:
    """The columns that fit `width` cells, each with its width."""
    kept = list(columns)
    while sum(column.width + GAP for column in kept) - GAP > width:
        combined_glyph = max(kept, key=lambda column: column.hide_order)
        if combined_glyph.hide_order == 0:
            break
        kept.remove(combined_glyph)
    widths = {column.key: column.width for column in kept}
    spare = width - sum(widths.values()) - GAP * (len(kept) - 1)
    while spare > 0:
        growing = [
            column for column in kept if column.grow and widths[column.key] < column.max_width
        ]
        if not growing:
            break
        for column in growing:
            step = min(column.grow, spare, column.max_width - widths[column.key])
            widths[column.key] += step
            spare -= step
    return tuple((column, widths[column.key]) for column in kept)


GUTTER = 2  # cells in front of a row: cursor or mark, and a space
ColumnWidths = Sequence[tuple[Column, int]]


def header_spans(widths: ColumnWidths, window: Window) -> Spans:
    """The titles of the columns. The one that the rows are sorted by has an arrow: down if the
    largest value comes first."""
    line: list[Span] = [Span(" " * GUTTER)]
    for column, width in widths:
        title, gap = column.title, " " * GAP
        if column.sort and column.sort == window.sort:
            arrow = "▾" if window.descending else "▴"
            title, gap = (title, arrow) if column.right else (f"{title}{arrow}", gap)
        line += fit((Span(title, Role.MUTED),), width, right=column.right)
        line.append(Span(gap, Role.MUTED))
    return tuple(line)


def merge_columns_after(widths: ColumnWidths, key: str) -> ColumnWidths:
    """The columns up to this one, and one column "rest" in place of all after it."""
    last = next(number for number, (column, _) in enumerate(widths) if column.key == key)
    behind = [width for _, width in widths[last + 1 :]]
    rest = sum(behind) + GAP * (len(behind) - 1)
    return (*widths[: last + 1], (Column("rest", "", rest), rest)) if behind else widths


def row_spans(
    widths: ColumnWidths, cell: Callable[[str, int], Spans], *, current: bool, marked: bool
) -> Spans:
    """A row. `cell` gives the spans of a column for a width."""
    mark = MARKED.text if marked else "▸" if current else " "
    line: list[Span] = [Span(f"{mark:<{GUTTER}}", Role.STRONG)]
    for column, width in widths:
        line += fit(cell(column.key, width), width, right=column.right)
        line.append(Span(" " * GAP))
    return tuple(line)


def sort_key_at(widths: ColumnWidths, x: int) -> str:
    """What a click on the header at cell `x` sorts by; empty for nothing."""
    x -= GUTTER
    for column, width in widths:
        if 0 <= x < width + GAP:
            return column.sort
        x -= width + GAP
    return ""


def filter_words(keys: Sequence[str], examples: str = "") -> str:
    """What a list can be filtered by, in one line.

    Args:
        examples: of terms that only this list has.
    """
    known = " ".join(f"{key}=" for key in keys)
    return " ".join(filter(None, ("word /re/ !not", examples, known)))


def no_match_lines(
    noun: str, total: int, window: Window, keys: KeyMap = DEFAULT_KEYS
) -> tuple[Spans, ...]:
    """What a table shows if no row passes its filter."""
    text, faults = safe_line(window.text), window.faults_only
    what = f"fits “{text}”" if text else ""
    what += f"{' and ' if text and faults else ''}{'has a problem' if faults else ''}"
    rows = "No row" if total == 1 else f"None of {total:,} {noun}"
    lines: list[Spans] = [(Span(f"{rows} {what}."),)]
    if faults:
        shows = f"{key_of('faults_only', keys)} shows the others too."
        lines.append((Span(shows, Role.MUTED),))
    if text:
        change, clear = key_of("filter", keys), key_of("back", keys)
        lines.append((Span(f"{change} changes the filter, {clear} clears it.", Role.MUTED),))
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
    note: str = "",
    typed_is_wrong: bool = False,
) -> Text:
    """The title of a table: how many rows, and by what they are filtered. `12+ of 900` while more
    are looked for.

    Args:
        absent: marked rows that are not in the list.
        note: what else is to be said.
        typed_is_wrong: a filter is typed that is not used, as it is wrong.
    """
    filtered = window.text or window.faults_only
    text = Text(f"{title} ", style="bold")
    text.append(
        f"{matching:,}{'+' if partial else ''} of {total:,}" if filtered else f"{total:,}",
        style="not bold",
    )
    if window.text:
        text.append(f"  / {safe_line(window.text)}", style="not bold")
    if typed_is_wrong:
        text.append("  ▲ not as typed", style="not bold")
    if window.faults_only:
        text.append("  ✘ problems only", style="not bold")
    if note:
        text.append(f"  {note}", style="not bold")
    if marked:
        text.append(f"  {MARKED.text} {marked:,} marked", style="not bold")
    if absent:
        text.append(f", {absent:,} not in this list", style="not bold")
    return text

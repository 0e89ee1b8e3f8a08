"""Tables of text with aligned columns."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from tui_manager.cli.printing.status_line import terminal_width
from tui_manager.cli.printing.write_text import one_line

_GAP = "  "
_BETWEEN = "\0"  # between the cells that are kept of a row, in which there is none
_NARROWEST = 12  # cells of a column that is shortened


def table(header: Sequence[str], rows: Iterable[Sequence[str]], stretch: Sequence[int]) -> str:
    """Aligned columns; see `Table`."""
    made = Table(header, stretch)
    for row in rows:
        made.add(row)
    return "".join(made.lines())


class Table:
    """Aligned columns, whose rows are added one after another. Of a row only its text is kept.

    On a terminal the columns of `stretch` are shortened, in this order, until a line fits; a line
    that is still too long is cut.

    Attributes:
        hidden: a column that is not printed.
    """

    def __init__(self, header: Sequence[str], stretch: Sequence[int]) -> None:
        self.hidden: int | None = None
        self._stretch = stretch
        self._widths = [0] * len(header)
        self._rows: list[str] = []
        self.add(header)

    def add(self, row: Sequence[str]) -> None:
        """Adds a row."""
        cells = [*map(one_line, row)]
        self._widths = [*map(max, self._widths, map(_width, cells))]
        self._rows.append(_BETWEEN.join(cells))

    @property
    def empty(self) -> bool:
        """It has no row but the header."""
        return len(self._rows) == 1

    def lines(self) -> Iterator[str]:
        """The lines, each with its end."""
        columns = [column for column in range(len(self._widths)) if column != self.hidden]
        widths = self._widths[:]
        longest = sum(widths[column] for column in columns) + len(_GAP) * (len(columns) - 1)
        if sys.stdout.isatty():
            limit = terminal_width()
            over = longest - limit
            for column in self._stretch:
                narrow = max(widths[column] - max(over, 0), min(widths[column], _NARROWEST))
                over -= widths[column] - narrow
                widths[column] = narrow
            longest = limit
        for row in self._rows:
            cells = row.split(_BETWEEN)
            line = _GAP.join(_fit(cells[column], widths[column]) for column in columns).rstrip()
            yield f"{_fit(line, longest).rstrip()}\n"


def _width(cell: str) -> int:
    """The cells of a text without control characters. Most texts are ASCII."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _fit(cell: str, width: int) -> str:
    if cell.isascii() and len(cell) <= width:
        return cell.ljust(width)
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        cell = set_cell_size(cell, width - 1).rstrip() + "…"
    return cell + " " * (width - cell_len(cell))

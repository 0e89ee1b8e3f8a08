"""Writes lines, notes, JSON and tables. Makes the text of hosts safe for a terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.status_line import clear_status, terminal_width

if TYPE_CHECKING:
    from tui_manager.domain.manager.manager_status import ManagerStatus

Cleaner = Callable[[str], str]
_GAP = "  "
_BETWEEN = "\0"  # between the cells that are kept of a row, in which there is none
_NARROWEST = 12  # cells of a column that is shortened


def write(text: str) -> None:
    """Writes lines to stdout at once."""
    clear_status()
    sys.stdout.write(text)
    sys.stdout.flush()


def write_lines(lines: Iterable[str]) -> None:
    """Writes lines to stdout, each with its end."""
    clear_status()
    sys.stdout.writelines(lines)
    sys.stdout.flush()


def note(text: str) -> None:
    """Writes a note to the operator on stderr."""
    clear_status()
    sys.stdout.flush()
    sys.stderr.write(f"{PROGRAM}: {_safe(text)}\n")
    sys.stderr.flush()


def write_json(value: object) -> None:
    """Writes one JSON value to stdout, in UTF-8 whatever the locale."""
    from tui_manager.cli.printing.indented_json import indented_json

    text = indented_json(value, ascii_only=not speaks_utf8(sys.stdout))
    write(f"{text}\n")


def cleaner_for(stream: TextIO) -> Cleaner:
    """The function that makes a host's line safe for `stream`: a terminal obeys escape sequences, a
    file does not."""
    if not stream.isatty():
        return lambda text: text
    return _safe


def _safe(text: str) -> str:
    """`text` without what a terminal obeys. Most texts have nothing of it."""
    if text.isascii() and text.isprintable():
        return text
    from tui_manager.domain.text.safe_text import safe_text

    return safe_text(text)


def one_line(text: str) -> str:
    """`text` on one line; control characters are removed or made visible."""
    if text.isascii() and text.isprintable():
        return text
    from tui_manager.domain.text.safe_text import safe_line

    return safe_line(text)


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


def local_time(moment: datetime | None) -> str:
    """For people: to the second, in their own time zone, which is named by its offset."""
    return _local_second(moment.replace(microsecond=0)) if moment else "-"


@lru_cache(maxsize=1024)
def _local_second(moment: datetime) -> str:
    """Thousands of commands begin and end within the same seconds."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def speaks_utf8(stream: TextIO) -> bool:
    """Whether its encoding is UTF-8."""
    return (getattr(stream, "encoding", "") or "").lower().replace("-", "") == "utf8"


class StorageTroubleNote:
    """Prints once that results cannot be stored, and once that they can be stored again."""

    def __init__(self) -> None:
        self._error = ""

    def update(self, error: str) -> None:
        """`error`: why results cannot be stored now; empty: they can."""
        if error and not self._error:
            note(f"results cannot be stored now: {error} The hosts keep them until then.")
        elif self._error and not error:
            note("results can be stored again")
        self._error = error


def note_storage_trouble(status: "ManagerStatus") -> None:
    """Prints a note if results cannot be stored now."""
    StorageTroubleNote().update(status.health.storage_error)

"""Writes lines, notes, JSON and tables. Makes the text of hosts safe for a terminal."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.status_line import clear_status, terminal_width

if TYPE_CHECKING:
    from tui_manager.domain.manager.manager_status import ManagerStatus

Cleaner = Callable[[str], str]
_GAP = "  "
_NARROWEST = 12  # cells of a column that is shortened


def write(text: str) -> None:
    """Writes lines to stdout at once."""
    clear_status()
    sys.stdout.write(text)
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

    text = indented_json(value, ascii_only=not _speaks_utf8(sys.stdout))
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


def table(header: Sequence[str], rows: Sequence[Sequence[str]], stretch: Sequence[int]) -> str:
    """Aligned columns. On a terminal the columns of `stretch` are shortened, in this order, until a
    line fits; a line that is still too long is cut."""
    cells = [tuple(header), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    longest = sum(widths) + len(_GAP) * (len(widths) - 1)
    if sys.stdout.isatty():
        width = terminal_width()
        over = longest - width
        for column in stretch:
            narrow = max(widths[column] - max(over, 0), min(widths[column], _NARROWEST))
            over -= widths[column] - narrow
            widths[column] = narrow
        longest = width
    lines = (_GAP.join(map(_fit, line, widths)).rstrip() for line in cells)
    return "".join(f"{_fit(line, longest).rstrip()}\n" for line in lines)


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


def _speaks_utf8(stream: TextIO) -> bool:
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

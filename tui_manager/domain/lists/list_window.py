"""Windows of long lists: which rows, in which order."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError

Row = TypeVar("Row")

LIMIT_MAX = 1000  # rows of one window
TEXT_MAX = 1000  # characters of a filter; SQLite takes patterns of up to 50,000 bytes
_SHOWN = 80  # characters of an unknown column in an error


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a list a reader wants.

    Attributes:
        text: a row must contain it, ignoring case; up to 1000 characters; empty: all rows.
        sort: the column to sort by; empty: the default order of the list.
        descending: reverses the order.
        faults_only: only rows that need attention (offline hosts, failed rows).
        offset: the first row, from 0.
        limit: the most rows, up to 1000.
        hide_turned_away: leaves out hosts that are rejected or revoked, unless the text asks for
            their state: `state=revoked`, `rejected`.
    """

    text: str = ""
    sort: str = ""
    descending: bool = False
    faults_only: bool = False
    offset: int = 0
    limit: int = 100
    hide_turned_away: bool = False

    def check(self, rows: str, columns: Sequence[str] = ()) -> None:
        """Raises InvalidInputError, naming the field, if something is out of bounds.

        Args:
            rows: what the rows are, for the error: "hosts".
            columns: the columns that can be sorted by.
        """
        if len(self.text) > TEXT_MAX:
            raise InvalidInputError(
                "text",
                f"A filter has at most {TEXT_MAX} characters; this one has {len(self.text)}.",
            )
        if self.sort and self.sort not in columns:
            instead = f"take one of {', '.join(columns)}" if columns else "leave the column out"
            raise InvalidInputError(
                "sort", f"A list of {rows} cannot be sorted by {self.sort[:_SHOWN]!r}; {instead}."
            )
        if self.offset < 0:
            raise InvalidInputError("offset", f"An offset is 0 or more, not {self.offset}.")
        if self.limit < 0:
            raise InvalidInputError("limit", f"A limit is 0 or more, not {self.limit}.")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of a window.

    Attributes:
        rows: the rows of the window.
        matching: number of rows that pass the filter.
        total: number of rows without the filter.
        partial: not all rows were searched yet; `matching` counts those found so far, and the
            next call finds more.
        hidden: number of rows that pass the filter, and that `hide_turned_away` has left out.
    """

    rows: Sequence[Row]
    matching: int
    total: int
    partial: bool = False
    hidden: int = 0


def page_of(rows: Sequence[Row], window: Window, total: int) -> Page[Row]:
    """The window onto rows that have passed its filter and are in its order.

    Args:
        total: number of rows without the filter.
    """
    end = window.offset + min(window.limit, LIMIT_MAX)
    return Page(rows[window.offset : end], len(rows), total)

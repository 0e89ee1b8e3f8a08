"""Windows onto long lists: what part of which rows, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tui_manager.domain.errors import InvalidInputError

Row = TypeVar("Row")

LIMIT_MAX = 1000  # rows of one window
TEXT_MAX = 1000  # characters of a filter; SQLite takes patterns of up to 50,000 bytes
_SHOWN = 80  # characters of a column that there is not


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a list a reader wants.

    Attributes:
        text: what a row must contain, without regard to case, up to 1000 characters; empty for all.
        sort: the column to order by; empty for the list's own order.
        descending: whether to turn that order round.
        faults_only: only what needs attention (offline hosts, failed rows).
        offset: the first row, from 0.
        limit: at most so many rows, up to 1000.
    """

    text: str = ""
    sort: str = ""
    descending: bool = False
    faults_only: bool = False
    offset: int = 0
    limit: int = 100

    def check(self, rows: str, columns: Sequence[str] = ()) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds.

        Args:
            rows: what the list has, for the error: "hosts".
            columns: what it can be sorted by.
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
        rows: what the window shows.
        matching: how many rows pass the filter.
        total: how many there are without it.
        partial: not all rows were looked at yet; `matching` counts those found so far, and whoever
            asks again finds more.
    """

    rows: Sequence[Row]
    matching: int
    total: int
    partial: bool = False

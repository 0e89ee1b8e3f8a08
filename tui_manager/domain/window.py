"""Windows onto long lists: what part of which rows, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

LIMIT_MAX = 1000  # rows of one window


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of a list a reader wants.

    Attributes:
        text: what a row must contain, without regard to case; empty for all.
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

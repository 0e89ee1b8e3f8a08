"""How a list of tasks is filtered, besides what its window says, and by which columns it can be
sorted. A file of its own, because it belongs neither to windows, which all lists have, nor to what
a task is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import TEXT_MAX
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.parse_sizes_and_times import parse_moment

if TYPE_CHECKING:
    from tui_manager.domain.lists.filter_language import FilterTerm

TASK_SORT_COLUMNS = ("created", "started", "finished", "duration")  # that tasks can be sorted by


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A task must fit each of these; what is empty lets every task pass.

    Attributes:
        statuses: it has one of them.
        host: it ran on the host of this name or host_id, which may be gone since.
        created_by: this actor made it, or this user at any terminal.
        since: it was made then or later.
    """

    statuses: tuple[TaskStatus, ...] = ()
    host: str = ""
    created_by: str = ""
    since: datetime | None = None

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, if something is out of bounds."""
        for field, text in (("host", self.host), ("created_by", self.created_by)):
            if len(text) > TEXT_MAX:
                raise InvalidInputError(
                    field,
                    f"{field} has at most {TEXT_MAX} characters; this one has {len(text)}.",
                )


ALL_TASKS = TaskFilter()
RUNNING_TASKS = TaskFilter(statuses=(TaskStatus.RUNNING,))
OTHER_TASKS = TaskFilter(
    statuses=tuple(status for status in TaskStatus if status is not TaskStatus.RUNNING)
)

# The keys of the filter of a list. `narrow` reads some; `storage/views/task_list.py` matches the
# others, such as `by`, with the rows.
TASK_KEYS = (
    "status", "by", "since", "target", "name", "host", "id", "template", "command",
)  # fmt: skip


def narrow(
    wanted: TaskFilter, terms: Sequence[FilterTerm], now: datetime
) -> tuple[TaskFilter, tuple[FilterTerm, ...]]:
    """Turns terms that the database has an index for into parts of a TaskFilter.

    Args:
        now: the time that an age such as `since=24h` counts from.

    Returns:
        The narrower filter, and the terms that are left.

    Raises InvalidInputError("text"): a host or a time cannot be looked for in this way.
    """
    left = []
    for term in terms:
        if term.key == "host":
            wanted = replace(wanted, host=_host(wanted, term))
        elif term.key == "since":
            wanted = replace(wanted, since=_since(wanted, term, now))
        elif term.key == "status" and not wanted.statuses and (found := _statuses(term)):
            wanted = replace(wanted, statuses=found)
        else:
            left.append(term)
    return wanted, tuple(left)


def _host(wanted: TaskFilter, term: FilterTerm) -> str:
    name = term.value
    if term.negated or term.absent or not name or not {"*", "?", ","}.isdisjoint(name):
        raise InvalidInputError("text", "host=NAME takes one whole name of a host.")
    if wanted.host not in ("", name):
        raise InvalidInputError("text", "A filter takes one host=NAME.")
    return name


def _since(wanted: TaskFilter, term: FilterTerm, now: datetime) -> datetime:
    if term.negated or term.absent:
        raise InvalidInputError("text", "since=TIME cannot be negated.")
    try:
        since = parse_moment(term.value, now.replace(second=0, microsecond=0), ahead=False)
    except ValueError as error:
        raise InvalidInputError("text", f"since=: {error}.") from None
    return since if wanted.since is None else max(since, wanted.since)


def _statuses(term: FilterTerm) -> tuple[TaskStatus, ...]:
    """The statuses that a term names; none if they are not spelled out."""
    names = term.value.split(",")
    if term.negated or term.absent or not all(name in tuple(TaskStatus) for name in names):
        return ()
    return tuple(TaskStatus(name) for name in names)

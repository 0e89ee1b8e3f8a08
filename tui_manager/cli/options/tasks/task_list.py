"""The options of `task list`, and which tasks they describe."""

import argparse
from datetime import UTC, datetime

from tui_manager.cli.options.parser import row_limit
from tui_manager.cli.options.values import read_moment
from tui_manager.domain.lists.filter_language import quote
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import TASK_SORT_COLUMNS, TaskFilter
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.text.parse_sizes_and_times import MOMENT_FORMS


def add_task_list_options(command: argparse.ArgumentParser) -> None:
    """Adds what filters, sorts and shortens the list."""
    command.add_argument(
        "--status",
        metavar="S",
        action="append",
        choices=[str(status) for status in TaskStatus],
        default=[],
        help=f"only tasks with this status: {', '.join(TaskStatus)}; can be given several times",
    )
    command.add_argument(
        "--host",
        metavar="H",
        type=_not_empty,
        help="only tasks that ran on this host: its name or host_id, also if it was removed",
    )
    command.add_argument(
        "--by",
        metavar="NAME",
        type=_not_empty,
        help="only tasks that this user created: ann, or ann@pts/3 for one terminal; "
        "schedule:NAME for those that a schedule started",
    )
    command.add_argument(
        "--since",
        metavar="T",
        help=f"only tasks that were created since then: {MOMENT_FORMS} for the last two hours",
    )
    command.add_argument(
        "--text", metavar="T", default="", help="only tasks with this text in name, target or id"
    )
    command.add_argument(
        "--sort",
        metavar="F",
        choices=TASK_SORT_COLUMNS,
        help=f"the order: {', '.join(TASK_SORT_COLUMNS)}; the latest or longest first "
        "(default created)",
    )
    command.add_argument(
        "--limit", metavar="N", type=row_limit, help="only the first N tasks (default: all)"
    )


def _not_empty(text: str) -> str:
    """Refuses an empty name: an unset variable of a script must not select all tasks."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; leave the option out for all tasks")
    return text


def task_list_window(options: argparse.Namespace) -> Window:
    """The order of the list, and the text that its tasks contain."""
    return Window(text=quote(options.text), sort=options.sort or "", descending=bool(options.sort))


def task_filter(options: argparse.Namespace) -> TaskFilter:
    """Which tasks are wanted. Raises InvalidInputError."""
    since = options.since
    return TaskFilter(
        statuses=tuple(map(TaskStatus, options.status)),
        host=options.host or "",
        created_by=options.by or "",
        since=since and read_moment("since", since, datetime.now(UTC), ahead=False),
    )

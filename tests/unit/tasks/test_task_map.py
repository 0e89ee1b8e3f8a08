"""How a host stands whose commands stand in several ways."""

import pytest

from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.tasks.task_map import TaskMap, host_letter


@pytest.mark.parametrize(
    ("statuses", "letter"),
    [
        ((Status.COMPLETED, Status.COMPLETED), "c"),
        ((Status.COMPLETED, Status.FAILED, Status.SKIPPED), "f"),
        ((Status.COMPLETED, Status.RUNNING, Status.PENDING), "r"),
        ((Status.COMPLETED, Status.PENDING), "r"),  # between two commands
        ((Status.PENDING, Status.PENDING), "p"),
        ((Status.COMPLETED, Status.CANCELED), "x"),
        ((Status.TIMEOUT, Status.SKIPPED), "t"),
        ((Status.SKIPPED,), "s"),
    ],
)
def test_the_worst_command_decides(statuses: tuple[Status, ...], letter: str) -> None:
    assert host_letter(statuses) == letter


def test_hosts_are_counted_in_the_order_of_attention() -> None:
    found = TaskMap(("ccf", "rpp")).counts()
    assert list(found.items()) == [
        (Status.FAILED, 1), (Status.RUNNING, 1), (Status.PENDING, 2), (Status.COMPLETED, 2)
    ]  # fmt: skip

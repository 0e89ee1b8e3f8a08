"""The class of a host in a task that has ended."""

import pytest

from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.tasks.host_class import (
    HostClass,
    command_host_class,
    host_class,
    task_target,
)

UNKNOWN, FAILED, UNREACHED, COMPLETED = HostClass


@pytest.mark.parametrize(
    ("status", "reason", "began", "expected"),
    [
        (Status.COMPLETED, Reason.NONE, True, COMPLETED),
        (Status.FAILED, Reason.AGENT_LOST, True, UNKNOWN),
        (Status.FAILED, Reason.AGENT_LOST, False, UNKNOWN),
        (Status.FAILED, Reason.AGENT_STATE_LOST, False, UNKNOWN),
        (Status.FAILED, Reason.INTERRUPTED, True, UNKNOWN),
        (Status.CANCELED, Reason.CANCEL_UNCONFIRMED, False, UNKNOWN),
        (Status.FAILED, Reason.EXIT_CODE, True, FAILED),
        (Status.FAILED, Reason.SIGNAL, True, FAILED),
        (Status.FAILED, Reason.REJECTED, False, FAILED),
        (Status.FAILED, Reason.SPAWN_FAILED, False, FAILED),
        (Status.TIMEOUT, Reason.TIMEOUT, True, FAILED),
        (Status.CANCELED, Reason.CANCELED, True, FAILED),
        (Status.CANCELED, Reason.CANCELED, False, UNREACHED),
        (Status.FAILED, Reason.UNDELIVERABLE, False, UNREACHED),
        (Status.SKIPPED, Reason.EARLIER_FAILED, False, UNREACHED),
        (Status.SKIPPED, Reason.BUDGET_SPENT, False, UNREACHED),
        (Status.SKIPPED, Reason.HOLD_EXPIRED, False, UNREACHED),
        (Status.SKIPPED, Reason.MAINTENANCE, False, UNREACHED),
    ],
)
def test_one_command_decides(
    status: Status, reason: Reason, began: bool, expected: HostClass
) -> None:
    assert command_host_class(status, reason, began=began) is expected


def test_of_several_commands_the_first_class_counts() -> None:
    assert host_class([COMPLETED, UNREACHED, FAILED, UNKNOWN]) is UNKNOWN
    assert host_class([COMPLETED, UNREACHED, FAILED]) is FAILED
    assert host_class([COMPLETED, UNREACHED]) is UNREACHED
    assert host_class([COMPLETED, COMPLETED]) is COMPLETED


def test_the_target_of_classes_names_each_once_in_order() -> None:
    assert task_target(62, [UNREACHED, FAILED, UNREACHED]) == "task:62:failed,task:62:unreached"

"""What follows the end of a step on a host: a pure decision over how it ended. A file of its own,
because nothing else of tasks decides this."""

from enum import StrEnum

from tui_manager.domain.status import UNKNOWN_ENDS, CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import OnFailure


class NextSteps(StrEnum):
    """Which of the later steps that are left run on the host."""

    NEXT = "next"  # the next one
    ALWAYS = "always"  # only those that are `always`; the others are skipped
    NOTHING = "nothing"  # none: all are skipped


def next_steps_of(
    status: CommandHostStatus, reason: Reason, on_failure: OnFailure, *, canceled: bool
) -> NextSteps:
    """What follows a step on the host where it ended. Not for late results, after which nothing
    more runs.

    Args:
        status, reason: how it ended.
        on_failure: of the step.
        canceled: the task is being canceled.
    """
    if canceled or status is CommandHostStatus.CANCELED:
        return NextSteps.NOTHING
    if reason in UNKNOWN_ENDS or reason is Reason.UNDELIVERABLE:
        return NextSteps.NOTHING  # it may still run, or its host is not there
    if status is CommandHostStatus.COMPLETED or on_failure is OnFailure.CONTINUE:
        return NextSteps.NEXT
    return NextSteps.ALWAYS

"""What follows the end of a step on a host: each end, with each rule of the step."""

import pytest

from tests.support.managers.step_ends import COMPLETED, ENDS, KNOWN_FAILURES
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.task_spec import OnFailure
from tui_manager.domain.tasks.next_steps import NextSteps, next_steps_of
from tui_manager.domain.tasks.transitions import legal_states


@pytest.mark.parametrize(("status", "reason"), ENDS)
def test_what_follows_each_end(status: CommandHostStatus, reason: Reason) -> None:
    end = (status, reason)
    stop = cont = NextSteps.NOTHING
    if end in COMPLETED:
        stop = cont = NextSteps.NEXT
    elif end in KNOWN_FAILURES:
        stop, cont = NextSteps.ALWAYS, NextSteps.NEXT
    assert next_steps_of(status, reason, OnFailure.STOP, canceled=False) is stop
    assert next_steps_of(status, reason, OnFailure.CONTINUE, canceled=False) is cont


@pytest.mark.parametrize("on_failure", OnFailure)
@pytest.mark.parametrize(("status", "reason"), ENDS)
def test_nothing_follows_in_a_task_that_is_being_canceled(
    status: CommandHostStatus, reason: Reason, on_failure: OnFailure
) -> None:
    assert next_steps_of(status, reason, on_failure, canceled=True) is NextSteps.NOTHING


def test_the_table_has_each_end_that_a_step_can_have() -> None:
    ended = {(status, reason) for status, reason in legal_states() if status.ended}
    assert {end for end in ended if end[0] is not CommandHostStatus.SKIPPED} == set(ENDS)

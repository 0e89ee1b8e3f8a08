"""The table of allowed transitions. The guards in SQL repeat it, and a test compares the two.

A row says: this operation, on a command host with this status (and one of these reasons, if they
matter), leads to that status. Other transitions are not allowed: an operation of the operator or
the manager raises an error, a report of an agent changes nothing.
"""

from collections.abc import Mapping
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Admission, Reason, TaskStatus
from tui_manager.domain.status import CommandHostStatus as Status


class Operation(StrEnum):
    """What can happen to a command host."""

    START = "start"  # the agent says that it runs
    COMPLETE = "complete"  # a result: exit code 0
    FAIL = "fail"  # a result: any other end by itself, or it could not be started
    TIME_OUT = "time_out"  # a result: killed at its timeout
    CONFIRM_CANCEL = "confirm_cancel"  # a result: killed because of a cancel, or never started
    CANCEL_UNSENT = "cancel_unsent"  # cancelled before it was sent
    GIVE_UP_SENDING = "give_up_sending"  # the host is offline, or the delivery timeout has passed
    REFUSE_SENDING = "refuse_sending"  # its agent cannot do what the command needs
    LOSE_AGENT = "lose_agent"  # silent for longer than lost_after, or not started in time
    LOSE_CANCELED = "lose_canceled"  # silent for longer than lost_after after a cancel
    LOSE_STATE = "lose_state"  # the agent is back with another journal
    SKIP = "skip"  # an earlier command did not complete here, or the error budget is spent


@dataclass(frozen=True, slots=True)
class Move:
    """The result of a transition.

    Attributes:
        status: what the command host becomes.
        reasons: the reasons that it can have then.
        late: the row is marked `late`, because the result replaces an assumption of the manager.
    """

    status: Status
    reasons: frozenset[Reason]
    late: bool = False


# A status, or a status with a reason that marks it as an assumption of the manager.
Source = tuple[Status, Reason | None]

LOST: Source = (Status.FAILED, Reason.AGENT_LOST)
UNCONFIRMED: Source = (Status.CANCELED, Reason.CANCEL_UNCONFIRMED)
_PENDING: Source = (Status.PENDING, None)
_RUNNING: Source = (Status.RUNNING, None)

_NONE = frozenset({Reason.NONE})
_FAILURES = frozenset(
    {
        Reason.EXIT_CODE,
        Reason.SIGNAL,
        Reason.REJECTED,
        Reason.SPAWN_FAILED,
        Reason.INTERRUPTED,
        Reason.UNDELIVERABLE,
        Reason.TRANSFER_FAILED,
        Reason.UPDATE_FAILED,
    }
)


def _results(
    operation: Operation, status: Status, reasons: frozenset[Reason]
) -> dict[tuple[Operation, Source], Move]:
    """A result ends what runs; for what is pending it implies the start; it replaces a guess, as
    does UNDELIVERABLE when the agent proves that what was given up never reached it."""
    return {
        (operation, _PENDING): Move(status, reasons),
        (operation, _RUNNING): Move(status, reasons),
        (operation, LOST): Move(status, reasons, late=True),
        (operation, UNCONFIRMED): Move(status, reasons, late=True),
    }


TRANSITIONS: Mapping[tuple[Operation, Source], Move] = {
    (Operation.START, _PENDING): Move(Status.RUNNING, _NONE),
    # The agent is back and still runs it: command and task open again.
    (Operation.START, LOST): Move(Status.RUNNING, _NONE),
    **_results(Operation.COMPLETE, Status.COMPLETED, _NONE),
    **_results(Operation.FAIL, Status.FAILED, _FAILURES),
    **_results(Operation.TIME_OUT, Status.TIMEOUT, frozenset({Reason.TIMEOUT})),
    **_results(Operation.CONFIRM_CANCEL, Status.CANCELED, frozenset({Reason.CANCELED})),
    (Operation.CANCEL_UNSENT, _PENDING): Move(Status.CANCELED, frozenset({Reason.CANCELED})),
    (Operation.GIVE_UP_SENDING, _PENDING): Move(Status.FAILED, frozenset({Reason.UNDELIVERABLE})),
    (Operation.REFUSE_SENDING, _PENDING): Move(Status.FAILED, frozenset({Reason.REJECTED})),
    (Operation.LOSE_AGENT, _PENDING): Move(Status.FAILED, frozenset({Reason.AGENT_LOST})),
    (Operation.LOSE_AGENT, _RUNNING): Move(Status.FAILED, frozenset({Reason.AGENT_LOST})),
    (Operation.LOSE_CANCELED, _PENDING): Move(
        Status.CANCELED, frozenset({Reason.CANCEL_UNCONFIRMED})
    ),
    (Operation.LOSE_CANCELED, _RUNNING): Move(
        Status.CANCELED, frozenset({Reason.CANCEL_UNCONFIRMED})
    ),
    (Operation.LOSE_STATE, _PENDING): Move(Status.FAILED, frozenset({Reason.AGENT_STATE_LOST})),
    (Operation.LOSE_STATE, _RUNNING): Move(Status.FAILED, frozenset({Reason.AGENT_STATE_LOST})),
    (Operation.SKIP, _PENDING): Move(
        Status.SKIPPED,
        frozenset(
            {
                Reason.EARLIER_FAILED,
                Reason.BUDGET_SPENT,
                Reason.HOLD_EXPIRED,
                Reason.MAINTENANCE,
            }
        ),
    ),
}

OPERATION_OF_RESULT: Mapping[Status, Operation] = {
    Status.COMPLETED: Operation.COMPLETE,
    Status.FAILED: Operation.FAIL,
    Status.TIMEOUT: Operation.TIME_OUT,
    Status.CANCELED: Operation.CONFIRM_CANCEL,
}


def move(operation: Operation, status: Status, reason: Reason = Reason.NONE) -> Move | None:
    """What `operation` makes of a command host with `status` and `reason`; None: not a move."""
    return TRANSITIONS.get((operation, (status, None))) or TRANSITIONS.get(
        (operation, (status, reason))
    )


def legal_states() -> frozenset[tuple[Status, Reason]]:
    """Every pair of status and reason that a command host can have: waiting, or after a move."""
    moved = {(end.status, reason) for end in TRANSITIONS.values() for reason in end.reasons}
    return frozenset(moved | {(Status.PENDING, Reason.NONE)})


class TaskOperation(StrEnum):
    """What can happen to a task."""

    START = "start"
    CANCEL = "cancel"
    PAUSE = "pause"  # an operator wants nothing more to be sent
    RESUME = "resume"  # an operator ends a pause, and a hold after a batch
    END = "end"  # all its command hosts have ended
    REOPEN = "reopen"  # an agent called lost is back and still runs a command of it
    CORRECT = "correct"  # a late result turns completed into failed, or back


TASK_TRANSITIONS: Mapping[tuple[TaskOperation, TaskStatus], frozenset[TaskStatus]] = {
    (TaskOperation.START, TaskStatus.PENDING): frozenset({TaskStatus.RUNNING}),
    (TaskOperation.CANCEL, TaskStatus.PENDING): frozenset({TaskStatus.CANCELED}),
    # The task ends once its command hosts have; until then the wish stands in cancel_requested_at.
    (TaskOperation.CANCEL, TaskStatus.RUNNING): frozenset({TaskStatus.RUNNING}),
    # Neither after a cancel. A paused task is not paused again, and only a paused or held one is
    # resumed.
    (TaskOperation.PAUSE, TaskStatus.RUNNING): frozenset({TaskStatus.RUNNING}),
    (TaskOperation.RESUME, TaskStatus.RUNNING): frozenset({TaskStatus.RUNNING}),
    (TaskOperation.END, TaskStatus.RUNNING): frozenset(
        {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED}
    ),
    (TaskOperation.REOPEN, TaskStatus.FAILED): frozenset({TaskStatus.RUNNING}),
    (TaskOperation.CORRECT, TaskStatus.COMPLETED): frozenset({TaskStatus.FAILED}),
    (TaskOperation.CORRECT, TaskStatus.FAILED): frozenset({TaskStatus.COMPLETED}),
}


class AdmissionOperation(StrEnum):
    """What can happen to a host."""

    ADMIT = "admit"  # an operator says that it belongs, or its join token does
    REJECT = "reject"  # an operator does not let it in
    REVOKE = "revoke"  # an operator throws it out
    REMOVE = "remove"  # an operator forgets it: it is also gone from every list
    PUT_BACK = "put_back"  # it says something else of itself than when it was approved


# A host that was turned away never comes back: its key is known, and another key is another host.
ADMISSION_TRANSITIONS: Mapping[tuple[AdmissionOperation, Admission], Admission] = {
    (AdmissionOperation.ADMIT, Admission.PENDING): Admission.ADMITTED,
    (AdmissionOperation.REJECT, Admission.PENDING): Admission.REJECTED,
    (AdmissionOperation.REVOKE, Admission.ADMITTED): Admission.REVOKED,
    **{(AdmissionOperation.REMOVE, admission): Admission.REVOKED for admission in Admission},
    (AdmissionOperation.PUT_BACK, Admission.PENDING): Admission.PENDING,
    (AdmissionOperation.PUT_BACK, Admission.ADMITTED): Admission.PENDING,
}

"""The statuses and reasons, spelled as in the database, in JSON and on the screen."""

from collections.abc import Collection
from enum import StrEnum


class TaskStatus(StrEnum):
    """The status of a task."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether the task has ended. A late result can still correct the status."""
        return self not in (TaskStatus.PENDING, TaskStatus.RUNNING)


class CommandHostStatus(StrEnum):
    """The status of a command host, and the derived status of a command."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """Whether it has ended. A late result can still correct the status."""
        return self not in (CommandHostStatus.PENDING, CommandHostStatus.RUNNING)

    @property
    def failed(self) -> bool:
        """Whether it did not do what it should: it failed, or was killed at its timeout."""
        return self in (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT)


class Reason(StrEnum):
    """Why a command host ended; empty before its end, and for `completed`."""

    NONE = ""
    UNDELIVERABLE = "undeliverable"
    REJECTED = "rejected"
    SPAWN_FAILED = "spawn_failed"
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    AGENT_LOST = "agent_lost"
    AGENT_STATE_LOST = "agent_state_lost"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    CANCEL_UNCONFIRMED = "cancel_unconfirmed"
    EARLIER_FAILED = "earlier_failed"
    BUDGET_SPENT = "budget_spent"
    HOLD_EXPIRED = "hold_expired"
    MAINTENANCE = "maintenance"
    TRANSFER_FAILED = "transfer_failed"
    UPDATE_FAILED = "update_failed"


# The command may have run, or may still run.
UNKNOWN_ENDS = frozenset(
    {
        Reason.AGENT_LOST,
        Reason.AGENT_STATE_LOST,
        Reason.INTERRUPTED,
        Reason.CANCEL_UNCONFIRMED,
    }
)


class Admission(StrEnum):
    """Whether a host belongs to the fleet; only an admitted host gets commands."""

    PENDING = "pending"
    ADMITTED = "admitted"
    REJECTED = "rejected"
    REVOKED = "revoked"


_ADMISSIONS = (Admission.ADMITTED, Admission.PENDING, Admission.REVOKED, Admission.REJECTED)


def best_admission(found: Collection[str]) -> Admission | None:
    """Of several hosts with one name, the admission of the one that is closest to being admitted;
    None: there is no host."""
    return next((admission for admission in _ADMISSIONS if admission in found), None)


class Stream(StrEnum):
    """One of the two outputs of a command."""

    STDOUT = "stdout"
    STDERR = "stderr"

"""How a step can end on a host, and what follows it there by the rules of the manual."""

from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason

# The next step, whatever the step says of its failures.
COMPLETED = {(Status.COMPLETED, Reason.NONE)}
# With on_failure = "continue" the next step, else only steps that are `always`.
KNOWN_FAILURES = {
    (Status.FAILED, Reason.EXIT_CODE),
    (Status.FAILED, Reason.SIGNAL),
    (Status.FAILED, Reason.REJECTED),
    (Status.FAILED, Reason.SPAWN_FAILED),
    (Status.FAILED, Reason.TRANSFER_FAILED),
    (Status.FAILED, Reason.UPDATE_FAILED),
    (Status.TIMEOUT, Reason.TIMEOUT),
}
# Nothing, because the command may still run, or its host was not reached, or somebody canceled it.
LAST = {
    (Status.FAILED, Reason.AGENT_LOST),
    (Status.FAILED, Reason.AGENT_STATE_LOST),
    (Status.FAILED, Reason.INTERRUPTED),
    (Status.FAILED, Reason.UNDELIVERABLE),
    (Status.CANCELED, Reason.CANCELED),
    (Status.CANCELED, Reason.CANCEL_UNCONFIRMED),
}
ENDS = sorted(COMPLETED | KNOWN_FAILURES | LAST)

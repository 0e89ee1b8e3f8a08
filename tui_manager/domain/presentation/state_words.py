"""Glyphs and words for the states of tasks and command hosts. Pure."""

from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import FailureGroup
from tui_manager.domain.text.safe_text import safe_line

# Statuses, and what a running task or command host may be doing.
GLYPHS = {
    "pending": "◌",
    "running": "▶",
    "completed": "✔",
    "failed": "✘",
    "timeout": "◷",
    "canceled": "⊘",
    "skipped": "⤼",
    "canceling": "■",
    "paused": "‖",
    "on hold": "‖",
}

_REASONS = {
    Reason.UNDELIVERABLE: "could not be delivered",
    Reason.REJECTED: "rejected",
    Reason.SPAWN_FAILED: "could not be started",
    Reason.AGENT_LOST: "agent lost",
    Reason.AGENT_STATE_LOST: "agent lost its state",
    Reason.INTERRUPTED: "interrupted on the host",
    Reason.TRANSFER_FAILED: "the transfer failed",
    Reason.UPDATE_FAILED: "the update failed",
    Reason.CANCEL_UNCONFIRMED: "no proof of the kill",
    Reason.EARLIER_FAILED: "an earlier command failed here",
    Reason.BUDGET_SPENT: "too many hosts have failed",
    Reason.HOLD_EXPIRED: "nobody resumed the task in time",
    Reason.MAINTENANCE: "in maintenance at its turn",
}


def glyph_of(status: str) -> str:
    """The glyph of a status by its name."""
    return GLYPHS[status]


def reason_words(reason: Reason) -> str:
    """Why a command ended, in words; its own name for one that needs none."""
    return _REASONS.get(reason, str(reason))


def cause_words(group: FailureGroup) -> str:
    """`exit 4`, `signal 9`, `timeout`, `could not be delivered`."""
    match group.reason:
        case Reason.EXIT_CODE:
            return f"exit {group.exit_code}"
        case Reason.SIGNAL:
            return f"signal {group.signal}"
        case Reason.TIMEOUT | Reason.NONE:
            return str(group.status)
        case _:
            return reason_words(group.reason)


def command_host_text(row: CommandHost) -> str:
    """The state of a command host in words: `failed: exit code 100`."""
    words, detail = _command_host_state(row), safe_line(row.detail)
    if row.reason in (Reason.TRANSFER_FAILED, Reason.UPDATE_FAILED) and detail:
        words = f"{row.status}: {detail}"  # a sentence that says all
    elif detail:
        words += f" ({detail})"
    if row.kill_incomplete:
        words += ", some processes survive"
    return f"{words}, corrected late" if row.late else words


def _command_host_state(row: CommandHost) -> str:
    if row.canceling:
        return "canceling"
    match row.reason:
        case Reason.NONE if row.status is CommandHostStatus.PENDING:
            waits = f"waits in batch {row.batch}" if row.batch else "waits to be sent"
            if row.waits_until is not None:
                return "waits for its connection"
            return "waits for its start" if row.sent_at else waits
        case Reason.NONE if row.transfer is not None and row.transfer.unchanged:
            return "unchanged"
        case Reason.NONE | Reason.TIMEOUT | Reason.CANCELED:
            return str(row.status)
        case Reason.EXIT_CODE:
            return f"{row.status}: exit code {row.exit_code}"
        case Reason.SIGNAL:
            return f"{row.status}: signal {row.signal}"
        case _:
            return f"{row.status}: {_REASONS[row.reason]}"

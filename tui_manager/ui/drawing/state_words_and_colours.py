"""Glyphs, roles and words for states. Colour only adds to what the glyph says."""

from tui_manager.domain.host import Host
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task import CommandHost, Task
from tui_manager.ui.drawing.spans import Role, Span

_STATUS: dict[str, Span] = {
    "pending": Span("◌", Role.MUTED),
    "running": Span("▶", Role.ACTIVE),
    "completed": Span("✔", Role.GOOD),
    "failed": Span("✘", Role.FAULT),
    "timeout": Span("◷", Role.FAULT),
    "canceled": Span("⊘", Role.CAUTION),
    "skipped": Span("⤼", Role.CAUTION),
    "canceling": Span("■", Role.CAUTION),
    "paused": Span("‖", Role.CAUTION),
    "on hold": Span("‖", Role.CAUTION),
}

ONLINE, BUSY, OFFLINE = Span("●", Role.GOOD), Span("▶", Role.ACTIVE), Span("○", Role.FAULT)
PARTLY_ONLINE = Span("◐", Role.CAUTION)
WAITING, EXCLUDED = Span("◌", Role.CAUTION), Span("⊘", Role.MUTED)
MAINTENANCE = Span("⚒", Role.CAUTION)
UNKNOWN = Span("?", Role.CAUTION)
# Of schedules and their due times, which have no status.
PENDING, FAULT = _STATUS["pending"], _STATUS["failed"]
PAUSED, SKIPPED = _STATUS["paused"], _STATUS["skipped"]
MARKED = Span("◆", Role.STRONG)
TRUNCATED = Span("✂", Role.CAUTION)
STDERR, STDOUT = Span("┃", Role.FAULT), Span("│", Role.MUTED)

LEGEND: tuple[tuple[Span, str], ...] = (
    (ONLINE, "online"),
    (OFFLINE, "offline"),
    (WAITING, "waits for admission"),
    (EXCLUDED, "rejected or revoked"),
    (MAINTENANCE, "in maintenance"),
    (UNKNOWN, "not known: manager away"),
    (_STATUS["pending"], "pending"),
    (_STATUS["running"], "running"),
    (_STATUS["completed"], "completed"),
    (_STATUS["failed"], "failed"),
    (_STATUS["timeout"], "timeout"),
    (_STATUS["paused"], "paused or on hold"),
    (_STATUS["canceling"], "canceling"),
    (_STATUS["canceled"], "canceled"),
    (_STATUS["skipped"], "skipped"),
    (MARKED, "marked"),
    (STDERR, "written to stderr"),
    (TRUNCATED, "output past the limit"),
)

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


def host_glyph(host: Host, *, away: bool = False) -> Span:
    """The state of a host in one cell. Nobody knows who is online while the manager is `away`."""
    if host.admission is Admission.PENDING:
        return WAITING
    if host.admission is not Admission.ADMITTED:
        return EXCLUDED
    if host.maintenance:
        return MAINTENANCE
    if away:
        return UNKNOWN
    if not host.online:
        return OFFLINE
    return BUSY if host.running else ONLINE


def host_state(host: Host) -> str:
    """The state of a host in words."""
    if host.admission is not Admission.ADMITTED:
        return f"{host.admission} admission" if host_glyph(host) is WAITING else host.admission
    connection = "online" if host.online else "offline"
    return f"in maintenance, {connection}" if host.maintenance else connection


def task_state(task: Task) -> str:
    """The status of a task as a screen says it."""
    return task.state


def task_glyph(task: Task) -> Span:
    """The status of a task in one cell."""
    return _STATUS[task_state(task)]


def glyph_of(status: str) -> str:
    """The glyph of a status by its name."""
    return _STATUS[status].text


def command_glyph(status: CommandHostStatus | TaskStatus) -> Span:
    """The status of a command or command host in one cell."""
    return _STATUS[status]


def command_host_glyph(row: CommandHost) -> Span:
    """The status of a command host, or that it is being canceled."""
    return _STATUS["canceling" if row.canceling else row.status]


def reason_words(reason: Reason) -> str:
    """Why a command ended, in words; its own name for one that needs none."""
    return _REASONS.get(reason, str(reason))


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

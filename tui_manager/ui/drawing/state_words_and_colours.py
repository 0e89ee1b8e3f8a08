"""Glyphs and roles for states, and the words for hosts. Colour only adds to what the glyph says.

`ui/drawing/theme.py` has the colour of each role. `ui/tasks/one_task/command_host_state.py` chooses
quieter roles for the words beside a glyph.
"""

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.presentation.state_words import GLYPHS
from tui_manager.domain.status import Admission, CommandHostStatus, TaskStatus
from tui_manager.domain.tasks.task import CommandHost, Task
from tui_manager.ui.drawing.spans import Role, Span

STATE_ROLES = {
    "pending": Role.MUTED,
    "running": Role.ACTIVE,
    "completed": Role.GOOD,
    "failed": Role.FAULT,
    "timeout": Role.FAULT,
    "canceled": Role.CAUTION,
    "skipped": Role.CAUTION,
    "canceling": Role.CAUTION,
    "paused": Role.CAUTION,
    "on hold": Role.CAUTION,
}
_STATUS = {status: Span(GLYPHS[status], role) for status, role in STATE_ROLES.items()}

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


def command_glyph(status: CommandHostStatus | TaskStatus) -> Span:
    """The status of a command or command host in one cell."""
    return _STATUS[status]


def command_host_glyph(row: CommandHost) -> Span:
    """The status of a command host, or that it is being canceled."""
    return _STATUS["canceling" if row.canceling else row.status]

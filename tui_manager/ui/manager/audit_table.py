"""The audit as a table: who did what to which host or task, the newest first."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.audit import AUDIT_KEYS, AuditEntry
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import Role, Span, Spans, shorten, spans
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words

COLUMNS = (
    Column("when", "WHEN", 11),
    Column("who", "WHO", 12, grow=1, max_width=24),
    Column("what", "WHAT", 24, grow=4, max_width=70),
    Column("detail", "DETAIL", 10, grow=3, max_width=100, hide_order=1),
)

_SENTENCES = ("text", "note")  # details that need no name
_NOTHING = ("", "0", "false")
_DIGITS_MAX = 10
_NAME_CELLS = 24  # of a task; its hosts shall be in sight too


@dataclass(frozen=True, slots=True)
class _Words:
    """The text of an action.

    Attributes:
        text: with `{task}`, `{host}`, `{named}` (` named HOST` or nothing) and names of details.
        used: the details that are in the text.
        role: whether it is good, routine or a fault.
    """

    text: str
    used: tuple[str, ...] = ()
    role: Role = Role.PLAIN


_ACTIONS: Mapping[str, _Words] = {
    "create_task": _Words("made {task} for {target}", ("target",)),
    "start_task": _Words("started {task} on {names}", ("names",)),
    "cancel_task": _Words("canceled {task}", role=Role.CAUTION),
    "cancel_hosts": _Words("canceled {task} on {names}", ("names",), Role.CAUTION),
    "pause_task": _Words("paused {task}", role=Role.CAUTION),
    "resume_task": _Words("resumed {task}"),
    "hold_task": _Words("holds {task} after batch {batch} of {of}", ("batch", "of"), Role.CAUTION),
    "skip_rest": _Words("skipped {hosts} hosts of {task}", ("hosts",), Role.CAUTION),
    "create_token": _Words("made a join token"),
    "revoke_token": _Words("revoked join token {token}", ("token",), Role.CAUTION),
    "enroll_host": _Words("{host} asked to join"),
    "admit_host": _Words("admitted {host}", role=Role.GOOD),
    "reject_host": _Words("rejected {host}", role=Role.CAUTION),
    "revoke_host": _Words("revoked {host}", role=Role.CAUTION),
    "refuse_host": _Words("refused an agent{named}", role=Role.FAULT),
    "violation": _Words("{host} broke the protocol", role=Role.FAULT),
    "renew_certificate": _Words("renewed the certificate of {host}", role=Role.MUTED),
    "remove_host": _Words("removed {host}", role=Role.CAUTION),
    "label_host": _Words("labeled {host}"),
    "rename_host": _Words("{host} was called {before} before", ("before",), Role.CAUTION),
    "set_maintenance": _Words("put {host} into maintenance"),
    "end_maintenance": _Words("ended the maintenance of {host}"),
    "save_template": _Words("saved the template {template}", ("template",)),
    "delete_template": _Words("deleted the template {template}", ("template",), Role.CAUTION),
    "add_schedule": _Words("made the schedule {schedule}", ("schedule",)),
    "edit_schedule": _Words("edited the schedule {schedule}", ("schedule",)),
    "pause_schedule": _Words("paused the schedule {schedule}", ("schedule",), Role.CAUTION),
    "resume_schedule": _Words("resumed the schedule {schedule}", ("schedule",)),
    "run_schedule": _Words("ran the schedule {schedule} as {task}", ("schedule",)),
    "delete_schedule": _Words("deleted the schedule {schedule}", ("schedule",), Role.CAUTION),
    "prune_tasks": _Words(
        "removed {tasks} tasks that ended before {before}", ("tasks", "before"), Role.MUTED
    ),
    "test_receiver": _Words("sent a test to the receiver {receiver}", ("receiver",)),
    "accept_clock": _Words("accepted the manager's clock", role=Role.CAUTION),
    "forget_keys": _Words("let the managers have other keys", role=Role.CAUTION),
    "move_host": _Words("{host} came from another machine", role=Role.CAUTION),
}


def audit_cell(entry: AuditEntry, key: str, width: int, now: datetime) -> Spans:
    """The cell of an entry in a column."""
    match key:
        case "when":
            return spans(_when(entry.at, now), Role.MUTED)
        case "who":
            return spans(safe_line(entry.actor))
        case "what":
            return (Span(audit_words(entry), _words(entry).role),)
        case _:
            return spans(audit_detail(entry), Role.MUTED)


def audit_words(entry: AuditEntry) -> str:
    """The text of an entry: `started task 12 on web[01-14]`."""
    host = _host(entry)
    facts = {
        "task": _task(entry),
        "host": host or "a host",
        "named": f" named {host}" if host else "",
        **_used(entry),
    }
    return safe_line(_words(entry).text.format_map(facts))


def audit_detail(entry: AuditEntry) -> str:
    """The other details: sentences first, then `target role=web, hosts 14`."""
    shown = {*_NOTHING, *_used(entry).values(), *(() if entry.host else (_host(entry),))}
    kept = {name: value for name, value in entry.detail.items() if value not in shown}
    sentences = [kept.pop(name) for name in _SENTENCES if name in kept]
    others = ", ".join(_fact(name, value) for name, value in kept.items())
    return safe_line("  ".join([*sentences, *([others] if others else [])]))


def _used(entry: AuditEntry) -> Mapping[str, str]:
    """The details that are in the text. An old entry may not have them."""
    target = entry.detail.get("target", "?")
    return {name: entry.detail.get(name, target) for name in _words(entry).used}


def _fact(name: str, value: str) -> str:
    match name:
        case "count":  # rows that were left out because there were too many of them
            return f"{value} more times"
        case "seconds" if value.isascii() and value.isdigit() and len(value) < _DIGITS_MAX:
            return f"lasts {format_duration(timedelta(seconds=int(value)))}"
        case _:
            return f"{name.replace('_', ' ')} {value}"


def _task(entry: AuditEntry) -> str:
    name = f" ({shorten(entry.task_name, _NAME_CELLS)})" if entry.task_name else ""
    return f"task {entry.task_id}{name}"


def _host(entry: AuditEntry) -> str:
    return entry.host or entry.detail.get("name", "")


def _words(entry: AuditEntry) -> _Words:
    if (known := _ACTIONS.get(entry.action)) is not None:
        return known
    # An action of a newer manager.
    which = " {task}" if entry.task_id else " {host}" if entry.host else ""
    action = entry.action.replace("_", " ").replace("{", "(").replace("}", ")")
    return _Words(f"{action}{which}")


def _when(at: datetime, now: datetime) -> str:
    """In the operator's time zone: the time, with the day unless it is today."""
    local = at.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%m-%d %H:%M}" if local.year == now.year else f"{local:%Y-%m-%d}"


NO_AUDIT: tuple[Spans, ...] = ((Span("Nothing has been done yet.", Role.MUTED),),)


class AuditTable(RowTable[AuditEntry]):
    """All entries."""

    PANE = Pane.AUDIT
    TITLE = "Audit"
    NOUN = "entries"
    FILTER_KEYS = AUDIT_KEYS
    FILTERS = filter_words(AUDIT_KEYS, "#12")
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def key_of(self, row: AuditEntry) -> str:
        return str(row.audit_id)

    def cell(self, row: AuditEntry, key: str, width: int, now: datetime) -> Spans:
        return audit_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[AuditEntry]:
        return await self.link.operator.list_audit(window)

    def empty_lines(self) -> Sequence[Spans]:
        return NO_AUDIT

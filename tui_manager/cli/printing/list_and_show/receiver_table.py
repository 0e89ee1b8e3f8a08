"""The table of `notifications`."""

from collections.abc import Iterable

from tui_manager.cli.printing.text_table import table
from tui_manager.cli.printing.write_text import local_time, one_line
from tui_manager.domain.manager.notification import ReceiverStatus

_COLUMNS = ("NAME", "KIND", "TO", "EVENTS", "WAIT", "TAKEN", "LOST", "LAST", "STATE")


def receiver_table(receivers: Iterable[ReceiverStatus]) -> str:
    """A row for each receiver: what waits, what it took, what was lost, and when it took one last.
    Below is a line for each that fails, with the reason, which a narrow terminal does not cut."""
    receivers = tuple(receivers)
    stretch = tuple(map(_COLUMNS.index, ("EVENTS", "TO")))
    rows = table(_COLUMNS, [_row(receiver) for receiver in receivers], stretch=stretch)
    return rows + "".join(map(_failure, receivers))


def _failure(receiver: ReceiverStatus) -> str:
    if not receiver.failing_since:
        return ""
    since = local_time(receiver.failing_since)
    return f"{receiver.name} fails since {since}: {one_line(receiver.last_error)}\n"


def _row(receiver: ReceiverStatus) -> tuple[str, ...]:
    state = "ok" if receiver.delivered else "-"
    if receiver.failing_since:
        state = "fails"
    return (
        receiver.name,
        receiver.kind,
        receiver.place,
        ",".join(receiver.events),
        str(receiver.pending),
        str(receiver.delivered),
        str(receiver.given_up + receiver.dropped),
        local_time(receiver.delivered_at),
        state,
    )

"""The table of `notifications`."""

from collections.abc import Iterable

from tui_manager.cli.printing.text import local_time, table
from tui_manager.domain.notification import ReceiverStatus

_COLUMNS = ("NAME", "KIND", "TO", "EVENTS", "WAIT", "TAKEN", "LOST", "LAST", "STATE")


def receiver_table(receivers: Iterable[ReceiverStatus]) -> str:
    """A row for each receiver: what waits, what it took, what was lost, when it took one last, and
    why the last try failed."""
    stretch = tuple(map(_COLUMNS.index, ("EVENTS", "TO", "STATE")))
    return table(_COLUMNS, [_row(receiver) for receiver in receivers], stretch=stretch)


def _row(receiver: ReceiverStatus) -> tuple[str, ...]:
    state = "ok"
    if receiver.failing_since:
        state = f"fails since {local_time(receiver.failing_since)}: {receiver.last_error}"
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

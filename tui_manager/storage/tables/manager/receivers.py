"""The table `receivers`: who receives notifications, and the state of their deliveries."""

import json
from collections.abc import Iterable

from tui_manager.domain.manager.notification import (
    ERROR_MAX,
    Event,
    Receiver,
    ReceiverKind,
    ReceiverStatus,
)
from tui_manager.storage.engine.statements import load_queries, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("notifications.sql")


def register(tx: Transaction, receivers: Iterable[Receiver], old: int) -> None:
    """From now on these receivers get the events that they want. Events that wait for other
    receivers stay, in case that these come back, except those older than `old`."""
    tx.execute(_SQL["leave_out"])
    tx.execute(_SQL["want_nothing"])
    for receiver in receivers:
        values = {
            "name": receiver.name,
            "kind": receiver.kind,
            "place": receiver.place,
            "events": json.dumps(receiver.events),
            "after_failures": receiver.after_failures,
        }
        tx.execute(_SQL["register"], values)
        for event in dict.fromkeys(receiver.events):
            tx.execute(_SQL["want"], {"event": event, "receiver": receiver.name})
    tx.execute(_SQL["forget_old"], {"before": old})
    tx.execute(_SQL["forget"])


def some_are_known(tx: Transaction) -> bool:
    """Whether there is any, also one that the settings do not have any more."""
    return tx.execute(_SQL["some_are_known"]).fetchone() is not None


def all_receivers(tx: Transaction) -> list[ReceiverStatus]:
    """Those of the settings, by name."""
    return [_status(row) for row in tx.execute(_SQL["list"])]


def _status(row: Row) -> ReceiverStatus:
    return ReceiverStatus(
        name=row["name"],
        kind=ReceiverKind(row["kind"]),
        place=row["place"],
        events=tuple(Event(event) for event in json.loads(row["events"])),
        after_failures=row["after_failures"],
        pending=row["pending"],
        delivered=row["delivered"],
        given_up=row["given_up"],
        dropped=row["dropped"],
        delivered_at=to_datetime(row["delivered_at"]),
        failing_since=to_datetime(row["failing_since"]),
        last_error=row["last_error"],
        lost_at=to_datetime(row["lost_at"]),
    )


def count_delivered(tx: Transaction, name: str, now: int) -> None:
    """A receiver has taken a notification."""
    tx.execute(_SQL["count_delivered"], {"name": name, "now": now})


def end_failing(tx: Transaction, name: str) -> None:
    """A receiver has taken a test."""
    tx.execute(_SQL["end_failing"], {"name": name})


def count_failed(tx: Transaction, name: str, error: str, now: int) -> None:
    """A try has failed."""
    tx.execute(_SQL["count_failed"], {"name": name, "error": error[:ERROR_MAX], "now": now})


def count_lost(
    tx: Transaction, name: str, now: int, *, given_up: int = 0, dropped: int = 0
) -> None:
    """So many notifications never come."""
    values = {"name": name, "given_up": given_up, "dropped": dropped, "now": now}
    tx.execute(_SQL["count_lost"], values)

"""Receivers of notifications between the wire and the domain."""

from datetime import datetime
from typing import Literal

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.manager.notification import (
    Answer,
    Event,
    Outcome,
    ReceiverKind,
    ReceiverStatus,
)
from tui_manager.operator.conversion.convert_values import instant, timestamp

_KINDS = {
    ReceiverKind.HOOK: wire.RECEIVER_KIND_HOOK,
    ReceiverKind.WEBHOOK: wire.RECEIVER_KIND_WEBHOOK,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}
_OUTCOMES = {
    Outcome.DELIVERED: wire.DELIVERY_OUTCOME_DELIVERED,
    Outcome.FAILED: wire.DELIVERY_OUTCOME_FAILED,
    Outcome.REFUSED: wire.DELIVERY_OUTCOME_REFUSED,
}
_OUTCOMES_BACK = {number: outcome for outcome, number in _OUTCOMES.items()}


def receiver_to_wire(status: ReceiverStatus) -> wire.Receiver:
    return wire.Receiver(
        name=status.name,
        kind=_KINDS[status.kind],
        place=status.place,
        events=status.events,
        after_failures=status.after_failures,
        pending=status.pending,
        delivered=status.delivered,
        given_up=status.given_up,
        dropped=status.dropped,
        delivered_at=timestamp(status.delivered_at),
        failing_since=timestamp(status.failing_since),
        last_error=status.last_error,
        lost_at=timestamp(status.lost_at),
    )


def receiver_from_wire(message: wire.Receiver) -> ReceiverStatus:
    known = set(Event)
    return ReceiverStatus(
        name=message.name,
        kind=_KINDS_BACK[message.kind],
        place=message.place,
        events=tuple(Event(event) for event in message.events if event in known),
        after_failures=message.after_failures,
        pending=message.pending,
        delivered=message.delivered,
        given_up=message.given_up,
        dropped=message.dropped,
        delivered_at=_instant(message, "delivered_at"),
        failing_since=_instant(message, "failing_since"),
        last_error=message.last_error,
        lost_at=_instant(message, "lost_at"),
    )


def _instant(
    message: wire.Receiver, field: Literal["delivered_at", "failing_since", "lost_at"]
) -> datetime | None:
    return instant(getattr(message, field)) if message.HasField(field) else None


def answer_to_wire(answer: Answer) -> wire.TestReceiverResponse:
    return wire.TestReceiverResponse(outcome=_OUTCOMES[answer.outcome], text=answer.text)


def answer_from_wire(message: wire.TestReceiverResponse) -> Answer:
    return Answer(_OUTCOMES_BACK[message.outcome], message.text)

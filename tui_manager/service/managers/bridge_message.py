"""The message in which a manager tells the others what has changed, as JSON.

A newer manager may send fields that are not known here; they are ignored. Fields that are missing
have their usual values. A field of another type makes the message malformed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tui_manager.domain.changes import Changes
from tui_manager.service.core.gateway_requests import Requests
from tui_manager.service.managers.notifier import MESSAGE_MAX

_CHANGES = ("hosts", "all_tasks", "manager", "templates", "schedules")
_CHANGED_IDS = ("tasks", "output")
_REQUESTS = ("send_any", "cancel_any")
_REQUESTED_IDS = ("send", "cancels")
_KIND, _CHANGED = "kind", "changed"


class MalformedMessageError(Exception):
    """A message is not what any manager sends; the text says why."""


@dataclass(frozen=True, slots=True)
class BridgeMessage:
    """One message.

    Attributes:
        gateway: the number of its sender.
        run: new with each start of the sender.
        number: counts the messages of a run, from 1.
        committed: how many transactions the sender had committed.
    """

    gateway: int
    run: str
    number: int
    committed: int
    changes: Changes
    requests: Requests

    def encode(self) -> bytes:
        """The message for the wire. If it names too many tasks or hosts for one message, it says
        that any of them may have changed."""
        message = _encode(self)
        if len(message) > MESSAGE_MAX:
            few = replace(self, changes=_unnamed(self.changes), requests=_any(self.requests))
            message = _encode(few)
        return message


def _unnamed(changes: Changes) -> Changes:
    if not (changes.tasks or changes.output):
        return changes
    return replace(changes, tasks=frozenset(), output=frozenset(), all_tasks=True)


def _any(requests: Requests) -> Requests:
    return Requests(
        send_any=requests.send_any or bool(requests.send),
        cancel_any=requests.cancel_any or bool(requests.cancels),
    )


def _encode(message: BridgeMessage) -> bytes:
    changes, requests = message.changes, message.requests
    fields: dict[str, object] = {
        _KIND: _CHANGED,
        "gateway": message.gateway,
        "run": message.run,
        "number": message.number,
        "committed": message.committed,
    }
    fields.update({name: True for name in _CHANGES if getattr(changes, name)})
    fields.update({name: True for name in _REQUESTS if getattr(requests, name)})
    for source, names in ((changes, _CHANGED_IDS), (requests, _REQUESTED_IDS)):
        fields.update({name: sorted(ids) for name in names if (ids := getattr(source, name))})
    return json.dumps(fields, separators=(",", ":")).encode()


def decode(data: bytes) -> BridgeMessage | None:
    """The message of these bytes; None: it is of a kind that is not known here.

    Raises:
        MalformedMessageError: it is no message.
    """
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise MalformedMessageError(f"It is no JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise MalformedMessageError("It is no JSON object.")
    if fields.get(_KIND) != _CHANGED:
        if not isinstance(fields.get(_KIND), str):
            raise MalformedMessageError("It has no kind.")
        return None
    return BridgeMessage(
        gateway=_value(fields, "gateway", int),
        run=_value(fields, "run", str),
        number=_value(fields, "number", int),
        committed=_value(fields, "committed", int),
        changes=Changes(**_flags_and_ids(fields, _CHANGES, _CHANGED_IDS)),
        requests=Requests(**_flags_and_ids(fields, _REQUESTS, _REQUESTED_IDS)),
    )


def _value(fields: Mapping[str, Any], name: str, kind: type, usual: Any = None) -> Any:
    value = fields.get(name, usual)
    if type(value) is not kind:
        raise MalformedMessageError(f"Its field {name!r} is {value!r:.80}.")
    return value


def _flags_and_ids(
    fields: Mapping[str, Any], flags: Iterable[str], ids: Iterable[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {name: _value(fields, name, bool, False) for name in flags}
    return found | {name: _ids(fields, name) for name in ids}


def _ids(fields: Mapping[str, Any], name: str) -> frozenset[int]:
    ids = _value(fields, name, list, [])
    if not all(type(one) is int for one in ids):
        raise MalformedMessageError(f"Its field {name!r} does not have numbers only.")
    return frozenset(ids)

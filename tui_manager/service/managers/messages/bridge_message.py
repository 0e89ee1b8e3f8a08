"""The message in which a manager tells the others what has changed, as JSON.

A newer manager may send fields that are not known here; they are ignored. Fields that are missing
have their usual values. A field of another type makes the message malformed.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.gateway_requests import Requests
from tui_manager.service.managers.messages.notifier import MESSAGE_MAX

_PARTS = (Changes, Requests)  # what they hold is a field of the message each, if it is set
_FLAGS = {part: [one.name for one in fields(part) if one.type is bool] for part in _PARTS}
_IDS = {part: [one.name for one in fields(part) if one.type is not bool] for part in _PARTS}
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
    found: dict[str, object] = {
        _KIND: _CHANGED,
        "gateway": message.gateway,
        "run": message.run,
        "number": message.number,
        "committed": message.committed,
    }
    for part in (message.changes, message.requests):
        found.update({name: True for name in _FLAGS[type(part)] if getattr(part, name)})
        ids = {name: sorted(getattr(part, name)) for name in _IDS[type(part)]}
        found.update({name: numbers for name, numbers in ids.items() if numbers})
    return json.dumps(found, separators=(",", ":")).encode()


def decode(data: bytes) -> BridgeMessage | None:
    """The message of these bytes; None: it is of a kind that is not known here.

    Raises:
        MalformedMessageError: it is no message.
    """
    try:
        found = json.loads(data)
    except ValueError as error:
        raise MalformedMessageError(f"It is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise MalformedMessageError("It is no JSON object.")
    if found.get(_KIND) != _CHANGED:
        if not isinstance(found.get(_KIND), str):
            raise MalformedMessageError("It has no kind.")
        return None
    return BridgeMessage(
        gateway=_value(found, "gateway", int),
        run=_value(found, "run", str),
        number=_value(found, "number", int),
        committed=_value(found, "committed", int),
        changes=Changes(**_part(found, Changes)),
        requests=Requests(**_part(found, Requests)),
    )


def _value(found: Mapping[str, Any], name: str, kind: type, usual: Any = None) -> Any:
    value = found.get(name, usual)
    if type(value) is not kind:
        raise MalformedMessageError(f"Its field {name!r} is {value!r:.80}.")
    return value


def _part(found: Mapping[str, Any], part: type[Changes | Requests]) -> dict[str, Any]:
    flags: dict[str, Any] = {name: _value(found, name, bool, False) for name in _FLAGS[part]}
    return flags | {name: _ids(found, name) for name in _IDS[part]}


def _ids(found: Mapping[str, Any], name: str) -> frozenset[int]:
    ids = _value(found, name, list, [])
    if not all(type(one) is int for one in ids):
        raise MalformedMessageError(f"Its field {name!r} does not have numbers only.")
    return frozenset(ids)

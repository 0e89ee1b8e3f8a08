"""Messages between managers, and how lost ones are found."""

import json
from dataclasses import replace

import pytest

from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.gateway_requests import GatewayRequests, Requests
from tui_manager.service.managers.messages.bridge_message import (
    BridgeMessage,
    MalformedMessageError,
    decode,
)
from tui_manager.service.managers.messages.missed_messages import MissedMessages, Missing
from tui_manager.service.managers.messages.notifier import MESSAGE_MAX

MESSAGE = BridgeMessage(
    gateway=2,
    run="a run",
    number=7,
    committed=1000,
    changes=Changes(
        hosts=True, tasks=frozenset({1, 2}), output=frozenset({2}), templates=True, schedules=True
    ),
    requests=Requests(send=frozenset({5}), cancels=frozenset({1})),
)
EMPTY = replace(MESSAGE, changes=Changes(), requests=Requests())


@pytest.mark.parametrize("message", [MESSAGE, EMPTY])
def test_a_message_is_read_as_it_was_written(message: BridgeMessage) -> None:
    data = message.encode()
    assert data.isascii()
    assert decode(data) == message


def test_the_fields_of_a_message_are_those_of_other_versions() -> None:
    everything = replace(
        MESSAGE,
        changes=replace(MESSAGE.changes, all_tasks=True, manager=True),
        requests=Requests(frozenset({5}), True, frozenset({1}), True),
    )
    assert json.loads(everything.encode()) == {
        "kind": "changed", "gateway": 2, "run": "a run", "number": 7, "committed": 1000,
        "hosts": True, "tasks": [1, 2], "output": [2], "all_tasks": True, "manager": True,
        "templates": True, "schedules": True,
        "send": [5], "send_any": True, "cancels": [1], "cancel_any": True,
    }  # fmt: skip


def test_what_a_newer_manager_adds_is_ignored() -> None:
    fields = json.loads(MESSAGE.encode())
    assert decode(json.dumps({**fields, "more": {"of": "this"}}).encode()) == MESSAGE
    assert decode(b'{"kind": "another", "gateway": "any"}') is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no kind"),
        (b'{"kind": "changed"}', "'gateway'"),
        (MESSAGE.encode().replace(b'"tasks":[1,2]', b'"tasks":[1,"2"]'), "'tasks'"),
        (MESSAGE.encode().replace(b'"hosts":true', b'"hosts":1'), "'hosts'"),
        (MESSAGE.encode().replace(b'"number":7', b'"number":true'), "'number'"),
    ],
)
def test_what_no_manager_sends_is_malformed(data: bytes, why: str) -> None:
    with pytest.raises(MalformedMessageError, match=why):
        decode(data)


def test_too_many_tasks_for_one_message_are_all_tasks() -> None:
    ids = frozenset(range(10**17, 10**17 + 200))
    many = replace(
        MESSAGE,
        changes=Changes(hosts=True, tasks=ids, output=ids),
        requests=Requests(send=ids, cancels=ids),
    )
    data = many.encode()
    assert len(data) <= MESSAGE_MAX
    found = decode(data)
    assert found
    assert found.changes == Changes(hosts=True, all_tasks=True)
    assert found.requests == Requests(send_any=True, cancel_any=True)
    output_only = replace(many, changes=Changes(output=ids | {1}), requests=many.requests)
    shortened = decode(output_only.encode())
    assert shortened
    assert shortened.changes.all_tasks


def test_requests_are_merged_and_many_become_any() -> None:
    requests = GatewayRequests()
    requests.send([1])
    assert not requests.take()  # nobody is there
    requests.wanted = True
    requests.send([1, 2])
    requests.send([3])
    requests.cancel(9)
    assert requests.take() == Requests(send=frozenset({1, 2, 3}), cancels=frozenset({9}))
    assert not requests.take()
    requests.send(range(1000))
    for task_id in range(1000):
        requests.cancel(task_id)
    assert requests.take() == Requests(send_any=True, cancel_any=True)


def _said(number: int, committed: int = 0, run: str = "a run") -> BridgeMessage:
    return replace(EMPTY, number=number, committed=committed, run=run)


def test_a_number_that_is_missing_is_found_once() -> None:
    missed = MissedMessages()
    nothing, before = Missing.NOTHING, Missing.BEFORE
    assert missed.check(_said(4)) is before  # what was said before is not known
    assert [missed.check(_said(number)) for number in (5, 6)] == [nothing, nothing]
    assert missed.check(_said(8)) is Missing.MESSAGES
    assert [missed.check(_said(number)) for number in (8, 7, 9)] == [nothing] * 3
    assert missed.check(_said(1, run="after a restart")) is before
    assert missed.check(_said(2, run="after a restart")) is nothing


def test_what_was_committed_and_not_said_is_found_once() -> None:
    missed = MissedMessages()
    missed.check(_said(1, committed=100))
    assert not missed.compare({2: 103})  # the message may be under way
    missed.check(_said(2, committed=103))
    assert not missed.compare({2: 110})
    assert missed.compare({2: 110})
    assert not missed.compare({2: 110})
    assert not missed.compare({2: 111})
    assert missed.compare({2: 111})
    assert not missed.compare({2: 111, 3: 50})  # that one is new
    assert missed.compare({2: 111, 3: 50})
    assert not missed.compare({2: 111, 3: 50})

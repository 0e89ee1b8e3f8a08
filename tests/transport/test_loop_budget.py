"""Others get the event loop while the agents of thousands of hosts send at the same time."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.status import Admission
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions.command_port import CommandService, write_messages
from tui_manager.transport.sessions.loop_budget import LoopBudget
from tui_manager.transport.sessions.session import Session

_SESSIONS = 2000
_TURNS = (
    10  # that the answer to an operator takes: to accept the call, to read it, to ask, to reply
)
_MOST = 25 * (_TURNS + 2)  # messages of sessions that are handled meanwhile


class _Hosts:
    """What the command port asks of the hosts."""

    def note_contact(self, host_id: str, generation: int) -> None:
        pass

    @contextlib.contextmanager
    def busy_with(self, host_id: str, generation: int) -> Iterator[None]:
        yield


class _CountingService(CommandService):
    def __init__(self) -> None:
        unused: Any = None
        hosts: Any = _Hosts()
        super().__init__(unused, hosts, unused, unused, unused, unused, unused)
        self.handled = 0

    async def _handle_message(self, session: Session, message: pb.AgentMessage) -> None:
        self.handled += 1


class _Stream:
    """A stream on which one message has come, and which takes what is written."""

    written = 0

    def __init__(self) -> None:
        self._messages = [pb.AgentMessage()]

    async def read(self) -> pb.AgentMessage | None:
        return self._messages.pop() if self._messages else None

    async def write(self, message: pb.ManagerMessage) -> None:
        type(self).written += 1


def _session() -> Session:
    unused: Any = None
    opened = OpenedSession("h", "web01", Admission.ADMITTED, 1, Limits().heartbeat, (), ())
    guard = MessageGuard(Limits(), time.monotonic)
    return Session(opened, Limits(), guard, lambda _: None, unused, unused)


async def _answer_an_operator() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def test_an_operator_is_answered_while_all_agents_send() -> None:
    service, stream = _CountingService(), _Stream
    reading = [
        asyncio.ensure_future(service._read_messages(_session(), stream()))  # type: ignore[arg-type]
        for _ in range(_SESSIONS)
    ]
    await _answer_an_operator()
    assert 0 < service.handled <= _MOST
    await asyncio.gather(*reading)
    assert service.handled == _SESSIONS


async def test_an_operator_is_answered_while_all_agents_are_sent_something() -> None:
    budget, sessions = LoopBudget(), [_session() for _ in range(_SESSIONS)]
    stream: Any = _Stream()
    _Stream.written = 0
    writing = [asyncio.ensure_future(write_messages(one, stream, budget)) for one in sessions]
    await asyncio.sleep(0)
    for session in sessions:
        session.send_settings()
    await _answer_an_operator()
    assert 0 < _Stream.written <= _MOST
    for session in sessions:
        session.end()
    await asyncio.gather(*writing)


async def test_messages_pass_in_the_order_in_which_they_came() -> None:
    budget, passed = LoopBudget(2), list[int]()

    async def message(number: int) -> None:
        if not budget.take():
            await budget.wait()
        passed.append(number)

    messages = [asyncio.ensure_future(message(number)) for number in range(9)]
    await asyncio.sleep(0)
    messages[3].cancel()  # its session has ended; nobody else waits longer for that
    turns = 0
    while len(passed) < 8:
        await asyncio.sleep(0)
        turns += 1
    assert passed == [0, 1, 2, 4, 5, 6, 7, 8]
    assert turns <= 4
    await asyncio.gather(*messages, return_exceptions=True)
    assert not budget.take()
    await budget.wait()  # also when nobody has waited for a while
    assert budget.take()

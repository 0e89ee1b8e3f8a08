"""What agents are told of the addresses of all managers."""

import asyncio
from pathlib import Path

import pytest
from tui_manager_protos.rules.manager_address import ADDRESSES_MAX
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import dial
from tests.support.waiting import GIVE_UP
from tui_manager.domain.status import Admission
from tui_manager.run_manager import run_manager
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.settings import Settings, advertised_address
from tui_manager.transport.messages.message_guard import MessageGuard
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.session import Session
from tui_manager.transport.sessions.sessions import Sessions


class Pauses:
    """Instead of asyncio.sleep: counts pauses, and ends each when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self._changed = asyncio.Condition()
        self._allowed = 0

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        async with self._changed:
            self.begun += 1
            number = self.begun
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._allowed >= number)

    async def end(self) -> None:
        async with self._changed:
            self._allowed += 1
            self._changed.notify_all()

    async def reached(self, number: int) -> None:
        async with asyncio.timeout(GIVE_UP), self._changed:
            await self._changed.wait_for(lambda: self.begun == number)


def add_sessions(sessions: Sessions, count: int) -> None:
    for number in range(len(sessions), len(sessions) + count):
        opened = OpenedSession(
            f"h{number}", f"web{number}", Admission.ADMITTED, 1, Limits().heartbeat, (), ()
        )
        guard = MessageGuard(Limits(), lambda: 0.0)
        large = LargeCommands(None, lambda: 0.0)  # type: ignore[arg-type]
        files = FileShare(None, lambda _: None, lambda: 0.0)  # type: ignore[arg-type]
        sessions.add(
            Session(
                opened, Limits(), guard, lambda _: None, large, files, managers=sessions.managers
            )
        )


def told(sessions: Sessions) -> int:
    """How many Settings wait to be sent."""
    return sum(session.waiting for session in sessions)


async def test_a_change_is_told_to_a_few_agents_at_a_time() -> None:
    sessions, pauses = Sessions(), Pauses()
    add_sessions(sessions, 250)
    telling = asyncio.create_task(sessions.tell_managers(pauses.sleep))
    sessions.set_managers(["m2:1", "m1:1", "m2:1"])
    for pause, expected in enumerate((100, 200, 250), 1):
        await pauses.reached(pause)
        assert told(sessions) == expected
        await pauses.end()
    for session in sessions:
        (message,) = await session.next_messages()
        assert message.settings.managers == ["m1:1", "m2:1"]
        assert message.settings.admission == pb.ADMISSION_ADMITTED
    telling.cancel()


async def test_what_has_not_changed_is_not_told_again() -> None:
    sessions, pauses = Sessions(), Pauses()
    sessions.set_managers(["m1:1", "m2:1"])
    add_sessions(sessions, 1)  # its Welcome says so
    telling = asyncio.create_task(sessions.tell_managers(pauses.sleep))
    sessions.set_managers(["m2:1", "m1:1"])
    sessions.set_managers([])
    assert sessions.managers == ("m1:1", "m2:1")
    sessions.set_managers(["m3:1"])
    await pauses.reached(1)
    assert told(sessions) == 1
    telling.cancel()


async def test_a_change_while_agents_are_told_reaches_all_of_them() -> None:
    sessions, pauses = Sessions(), Pauses()
    add_sessions(sessions, 150)
    telling = asyncio.create_task(sessions.tell_managers(pauses.sleep))
    sessions.set_managers(["m1:1"])
    await pauses.reached(1)
    sessions.set_managers(["m2:1"])
    for pause in (1, 2, 3):
        await pauses.end()
        await pauses.reached(pause + 1) if pause < 3 else None
    assert {session.managers for session in sessions} == {("m2:1",)}
    assert told(sessions) == 100 + 150
    telling.cancel()


def test_a_list_without_end_is_cut() -> None:
    sessions = Sessions()
    sessions.set_managers(f"m{number}:1" for number in range(3 * ADDRESSES_MAX))
    assert len(sessions.managers) == ADDRESSES_MAX


@pytest.mark.parametrize("advertise", ["", "m1.example.org:7443"])
async def test_a_manager_alone_tells_only_what_its_operator_has_set(
    advertise: str, tmp_path: Path
) -> None:
    settings = Settings(
        state_dir=tmp_path / "state", listen="127.0.0.1:0", insecure=True, advertise=advertise
    )
    async with run_manager(settings) as manager, dial(manager.address) as agent:
        welcome = (await agent.hello("web01")).welcome
        assert welcome.settings.managers == ([advertise] if advertise else [])


@pytest.mark.parametrize(
    ("advertise", "listening", "address"),
    [
        ("", "127.0.0.1:7443", "127.0.0.1:7443"),
        ("", "[fd00::1]:7443", "[fd00::1]:7443"),
        ("", "0.0.0.0:7443", ""),
        ("", "[::]:7443", ""),
        ("m1:7443", "0.0.0.0:1", "m1:7443"),
    ],
)
def test_by_which_address_agents_know_a_manager(
    advertise: str, listening: str, address: str
) -> None:
    assert advertised_address(Settings(advertise=advertise), listening) == address

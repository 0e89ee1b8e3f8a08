"""The services of several managers on one database of PostgreSQL, in one process. Messages between
them are carried at once, and nothing runs by itself: a test lets them follow each other with
`settle`."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.service.managers.hosts_elsewhere import HostsElsewhere
from tui_manager.service.managers.messages.change_bridge import ChangeBridge
from tui_manager.service.managers.messages.gateway_request_handler import GatewayRequestHandler
from tui_manager.service.managers.messages.notifier import ignore
from tui_manager.service.managers.running_elsewhere import RunningElsewhere
from tui_manager.service.managers.vitals_elsewhere import VitalsExchange

_TURNS_MAX = 50  # of messages and what follows from them; more would never end


@dataclass
class Wire:
    """Carries messages between the managers.

    Attributes:
        carried: all that were sent.
        copies: how often each arrives; 0: it is lost.
    """

    carried: list[bytes] = field(default_factory=list)
    copies: int = 1
    notifiers: list["WireNotifier"] = field(default_factory=list)

    def carry(self, message: bytes) -> None:
        """Brings a message to all managers."""
        self.carried.append(message)
        for notifier in self.notifiers:
            for _ in range(self.copies):
                notifier.on_message(message)


class WireNotifier:
    """The end of a wire at one manager; implements Notifier."""

    problem = ""

    def __init__(self, wire: Wire) -> None:
        self.on_message: Callable[[bytes], None] = ignore
        self._wire = wire

    def send(self, message: bytes) -> None:
        self._wire.carry(message)

    async def run(self) -> None:
        pass


class Manager:
    """One of them. The parts of `manager_parts` are its attributes."""

    def __init__(self, parts: Parts, wire: Wire) -> None:
        self.parts, self.core = parts, parts.core
        self.notifier = WireNotifier(wire)
        self.follower = HostsElsewhere(parts.core, parts.dispatch, parts.sessions)
        parts.leadership.on_missed = self.follower.note_missed
        requests = GatewayRequestHandler(parts.core, parts.dispatch, parts.dispatcher)
        self.bridge = ChangeBridge(parts.core, self.notifier, self.follower, requests)
        self.exchange = VitalsExchange(parts.core)
        self.running = RunningElsewhere(parts.core)
        self.number = parts.core.database.gateway
        self.alive = True
        wire.notifiers.append(self.notifier)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parts, name)

    @property
    def gateway(self) -> Gateway:
        """How it stands for the others."""
        return Gateway(self.number, "", "", "", alive=self.alive)

    async def send(self) -> list[tuple[str, Run]]:
        """Sends everything that may be sent, and returns what was sent since the last call."""
        while await self.parts.dispatch.send_next():
            pass
        before, self.parts.seen = self.parts.seen, len(self.parts.dispatcher.sent)
        return self.parts.dispatcher.sent[before:]


@dataclass
class Managers:
    """All of them; the first one leads."""

    all: list[Manager]
    wire: Wire
    clock: TurnedClock

    def __iter__(self) -> Any:
        return iter(self.all)

    def stand(self, gone: Iterable[Manager] = ()) -> None:
        """All hear each other, but nobody hears those that are gone."""
        for manager in gone:
            manager.alive = False
            manager.notifier.on_message = ignore
        for manager in self.all:
            others = [other.gateway for other in self.all if other is not manager]
            clock = manager.core.clock
            manager.directory.follow_gateways(others, {}, clock.now(), clock.monotonic())
            manager.bridge.set_others_alive(alive=any(other.alive for other in others))

    async def settle(self) -> None:
        """Lets all follow each other until nothing more follows."""
        for _ in range(_TURNS_MAX):
            alive = [manager for manager in self.all if manager.alive]
            told = [manager.bridge.send_changes() for manager in alive]
            followed = [await manager.bridge.follow() for manager in alive]
            if not any(told + followed):
                return
        raise AssertionError("The managers tell each other something all the time.")


@contextlib.asynccontextmanager
async def following_managers(
    folder: Path, count: int = 3, **limits: Any
) -> AsyncIterator[Managers]:
    """Managers that know each other, on the database of a folder."""
    wire, turned = Wire(), TurnedClock()
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for number in range(count):
            opening = manager_parts(folder, turned, key=f"manager {number}", **limits)
            found.append(Manager(await stack.enter_async_context(opening), wire))
        managers = Managers(found, wire, turned)
        managers.stand()
        await managers.settle()
        yield managers

"""All live sessions. They implement the services' TaskDispatcher and SessionControl."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta

from tui_manager_protos.rules.manager_address import ADDRESSES_MAX
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError, Refusal, RefusedError
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.domain.status import Admission
from tui_manager.transport.messages.convert_messages import RETRY_LATE, disconnect, from_refusal
from tui_manager.transport.sessions.session import Session

_AWAY_FOR = (0.2, 3.0)  # seconds after which an agent that was sent away dials again
_RETURN_AFTER = timedelta(seconds=1)  # least time after which an agent may connect again
_TOLD_AT_ONCE = 100  # agents that are told of other managers, and after which pause the next ones
_TELL_EVERY = 0.1  # seconds


class Sessions:
    """The newest session of each host. An older session that ends removes only itself.

    Attributes:
        refuses: why no session is opened now, as a sentence; empty: they are opened.
        managers: the addresses of all managers, which agents are told; empty: there is nothing to
            tell.
    """

    def __init__(self) -> None:
        self.refuses = ""
        self.managers: tuple[str, ...] = ()
        self._managers_changed = asyncio.Event()
        self._sessions: dict[str, Session] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    @property
    def waiting(self) -> int:
        """Messages that wait in all sessions."""
        return sum(session.waiting for session in self)

    def add(self, session: Session) -> None:
        """Registers a session for its host, and ends the session that it replaces."""
        old = self._sessions.get(session.host_id)
        self._sessions[session.host_id] = session
        self._empty.clear()
        if old:
            old.end(_replaced(), SessionEnd.REPLACED)

    def remove(self, session: Session) -> None:
        """Removes a session that has ended, unless a newer one has replaced it."""
        session.end(reason=SessionEnd.BROKEN)
        if self._sessions.get(session.host_id) is session:
            del self._sessions[session.host_id]
            if not self._sessions:
                self._empty.set()

    def end(self, host_id: str, generation: int) -> None:
        """Ends a session that has been silent for too long."""
        session = self._sessions.get(host_id)
        if session and session.generation == generation:
            session.end(reason=SessionEnd.SILENT)

    async def end_all(self, within: float) -> None:
        """Tells all agents to come back later, and waits until their streams have ended.

        Args:
            within: seconds to wait at most.
        """
        reason = pb.DISCONNECT_REASON_SHUTTING_DOWN
        for session in list(self):
            last = disconnect(reason, "The manager stops.", _RETURN_AFTER)
            session.end(last, SessionEnd.STOPPED)
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            return

    def set_managers(self, addresses: Iterable[str]) -> None:
        """Tells all agents where all managers listen (HOST:PORT), if that has changed. None: the
        agents keep what they were told."""
        managers = tuple(sorted(set(addresses)))[:ADDRESSES_MAX]
        if managers and managers != self.managers:
            self.managers = managers
            self._managers_changed.set()

    async def tell_managers(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Sends what `set_managers` changes to the agents that do not know it yet, a few at a time:
        all of a large fleet at once would hold up everything else. Works until it is cancelled."""
        while True:
            await self._managers_changed.wait()
            self._managers_changed.clear()
            behind = [session for session in self if session.managers != self.managers]
            for begin in range(0, len(behind), _TOLD_AT_ONCE):
                for session in behind[begin : begin + _TOLD_AT_ONCE]:
                    session.set_managers(self.managers)
                await sleep(_TELL_EVERY)

    def tell_admission(self, host_id: str, admission: Admission) -> None:
        """See SessionControl."""
        if session := self._sessions.get(host_id):
            session.set_admission(admission)

    def end_replaced(self, host_id: str, generation: int) -> None:
        """See SessionControl."""
        session = self._sessions.get(host_id)
        if session and session.generation == generation:
            session.end(_replaced(), SessionEnd.REPLACED)

    def disconnect_all(self, why: str) -> None:
        """See AgentConnections. The agents do not all come to the others at once."""
        self.refuses = why
        for session in list(self):
            session.end(without_database(why), SessionEnd.NO_DATABASE)

    def accept_again(self) -> None:
        """See AgentConnections."""
        self.refuses = ""

    def turn_away(self, host_id: str, refusal: Refusal, why: str) -> None:
        """See SessionControl."""
        if session := self._sessions.get(host_id):
            session.end(from_refusal(RefusedError(refusal, why), RETRY_LATE))

    def room(self, host_id: str) -> int:
        """See TaskDispatcher."""
        session = self._sessions.get(host_id)
        return session.room if session else 0

    async def send_command_to_agent(self, host_id: str, run: Run) -> None:
        """See TaskDispatcher."""
        self._of(host_id).queue_command(run)

    async def send_cancel_to_agent(self, host_id: str, execution_id: str) -> None:
        """See TaskDispatcher."""
        self._of(host_id).queue_cancel(execution_id)

    def _of(self, host_id: str) -> Session:
        session = self._sessions.get(host_id)
        if session is None:
            raise AgentUnavailableError("The host has no session.")
        return session


def _replaced() -> pb.ManagerMessage:
    reason = pb.DISCONNECT_REASON_REPLACED
    return disconnect(reason, "A newer session took its place.", _RETURN_AFTER)


def without_database(why: str) -> pb.ManagerMessage:
    """The last message to an agent that another manager should take, as this one cannot reach its
    database."""
    after = timedelta(seconds=random.uniform(*_AWAY_FOR))
    return disconnect(pb.DISCONNECT_REASON_NO_DATABASE, why, after)

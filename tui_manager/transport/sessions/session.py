"""One live stream of one agent, and what waits to be sent on it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.domain.report import Acknowledged, Run
from tui_manager.domain.status import Admission
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert
from tui_manager.transport.messages.guard import Guard
from tui_manager.transport.sessions.renewal import Renewal

RUNS_MAX = 64  # commands that wait on a session; beyond, they stay unsent in the database
UNKNOWN_MAX = 1000  # answers to reports of unknown executions that wait on a session


class Session:
    """The outbox of a stream. Commands and answers are bounded; acknowledgements fold into one
    message; cancels are bounded by what was sent, Settings by what an operator does."""

    def __init__(
        self,
        opened: OpenedSession,
        limits: Limits,
        guard: Guard,
        on_room: Callable[[str], None],
        renewal: Renewal | None = None,
    ) -> None:
        """
        Args:
            on_room: is told the host_id when a full session takes commands again.
            renewal: of the certificate with which the host came; None: without TLS.

        `on_end` is called once, when the session ends.
        """
        self.host_id = opened.host_id
        self.generation = opened.generation
        self.guard = guard
        self.renewal = renewal
        self.on_end: Callable[[], object] = lambda: None
        self._admission = opened.admission
        self._heartbeat = opened.heartbeat
        self._limits = limits
        self._on_room = on_room
        self._control: deque[pb.ManagerMessage] = deque()
        self._acknowledged: dict[str, Acknowledged] = {}
        self._cancels: dict[str, None] = {}
        self._unknown: dict[str, None] = {}
        self._runs: deque[Run] = deque()
        self._was_full = False
        self._last: pb.ManagerMessage | None = None
        self._ended = False
        self._some = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more commands it takes."""
        return 0 if self._ended else RUNS_MAX - len(self._runs)

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        if not self._some.is_set():
            return 0
        return (
            len(self._control)
            + bool(self._acknowledged)
            + len(self._cancels)
            + len(self._unknown)
            + len(self._runs)
        )

    def welcome(self, manager_id: str, opened: OpenedSession) -> None:
        """Says what a session begins with."""
        self.control(convert.from_opened(manager_id, opened, self._settings()))
        for resume in opened.resumes:
            self.control(convert.from_resume(resume))
        for execution_id in opened.missing:
            self.control(convert.from_question(execution_id))

    def admit(self, admission: Admission) -> None:
        """Tells the agent how it stands with its host."""
        self._admission = admission
        self.tell_settings()

    def beat_every(self, heartbeat: timedelta) -> None:
        """Tells the agent another heartbeat."""
        self._heartbeat = heartbeat
        self.tell_settings()

    def keep_to(self, limits: Limits) -> None:
        """Tells the agent of other limits."""
        self._limits = limits
        self.tell_settings()

    def tell_settings(self) -> None:
        """Tells the agent what holds now."""
        self.control(pb.ManagerMessage(settings=self._settings()))

    def _settings(self) -> pb.Settings:
        renew = self.renewal is not None and self.renewal.wanted
        return convert.from_limits(self._limits, self._heartbeat, self._admission, renew=renew)

    def control(self, message: pb.ManagerMessage) -> None:
        """Adds a message that goes before all others."""
        self._control.append(message)
        self._some.set()

    def run(self, run: Run) -> None:
        """Adds a command. Raises AgentUnavailableError when there is no room."""
        if not self.room:
            raise AgentUnavailableError("The session has ended, or its queue is full.")
        self._runs.append(run)
        self._was_full = not self.room
        self._some.set()

    def cancel(self, execution_id: str) -> None:
        """Adds a cancel."""
        if self._ended:
            raise AgentUnavailableError("The session has ended.")
        self._cancels[execution_id] = None
        self._some.set()

    def acknowledge(self, executions: list[Acknowledged]) -> None:
        """Adds acknowledgements; a newer one of an execution replaces the older."""
        if executions:
            self._acknowledged.update({item.execution_id: item for item in executions})
            self._some.set()

    def does_not_know(self, execution_ids: Iterable[str]) -> None:
        """Tells the agent that these executions are not in the database; it is told again of what
        does not fit now, when it reports that again."""
        for execution_id in execution_ids:
            if len(self._unknown) < UNKNOWN_MAX:
                self._unknown[execution_id] = None
        self._some.set()

    def end(self, last: pb.ManagerMessage | None = None) -> None:
        """Ends the stream: nothing more is sent but `last`, and nothing more is taken in."""
        if not self._ended:
            self._ended, self._last = True, last
            self._some.set()
            self.on_end()

    async def next_messages(self) -> list[pb.ManagerMessage]:
        """What is to be sent now, in order; empty: the stream ends."""
        while True:
            if self._ended:
                messages, self._last = [self._last] if self._last else [], None
                return messages
            messages = self._take()
            if messages:
                return messages
            self._some.clear()
            await self._some.wait()

    def _take(self) -> list[pb.ManagerMessage]:
        messages = list(self._control)
        self._control.clear()
        if self._acknowledged:
            messages.append(convert.from_acknowledged(self._acknowledged.values()))
            self._acknowledged.clear()
        messages += map(convert.from_run, self._runs)
        self._runs.clear()
        messages += map(convert.from_cancel, self._cancels)
        self._cancels.clear()
        messages += map(convert.from_unknown, self._unknown)
        self._unknown.clear()
        if self._was_full:
            self._was_full = False
            self._on_room(self.host_id)
        return messages

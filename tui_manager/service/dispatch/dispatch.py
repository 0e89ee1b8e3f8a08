"""Hands out what may be sent: marks it as sent, commits, and gives it to the dispatcher."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tui_manager.domain import features
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import AgentUnavailableError, StorageError
from tui_manager.domain.features import Feature
from tui_manager.domain.status import Admission, CommandHostStatus
from tui_manager.service.dispatch.task_dispatcher import TaskDispatcher
from tui_manager.service.hosts.directory import Directory
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.statistics import Statistics
from tui_manager.service.tasks import task_status
from tui_manager.service.tasks.secrets import LostSecretError, Secrets
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import command_hosts, tasks
from tui_manager.storage.views import claiming, sending
from tui_manager.storage.views.claiming import Ask, Claimed, Terms

log = logging.getLogger(__name__)
_HOSTS_AT_ONCE = 500  # of one transaction
_AHEAD = 64  # commands that a host may hold beyond its capacity; more wait in the database
_End = Callable[[Transaction, int, str, int], bool]  # of command_hosts: row id, detail, now
_RETRY = 1.0  # seconds until the next try when the database cannot be written


@dataclass(frozen=True, slots=True)
class Place:
    """A session with room."""

    host_id: str
    name: str
    row_id: int
    journal_id: str
    generation: int
    room: int
    most: int
    features: frozenset[Feature]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A command that was claimed and did not leave the manager.

    Attributes:
        again: only the session for which it was claimed has gone, and a newer one took its place;
            or two claims at once took its room, of which it may have some again.
    """

    host_id: str
    command: Claimed
    again: bool


@dataclass(slots=True)
class Claims:
    """What a transaction has found to be sent.

    Attributes:
        given_up: tasks of commands that can never be sent.
        behind: hosts of these, which have room for what waits behind them.
    """

    commands: list[tuple[Place, Claimed]] = field(default_factory=list)
    given_up: set[int] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)

    def end(self, place: Place, command: Claimed) -> None:
        """This command is not sent."""
        self.given_up.add(command.task_id)
        self.behind.add(place.host_id)


class Dispatch:
    """Everything that makes a command sendable says so with `kick`; one loop sends."""

    def __init__(
        self,
        database: Database,
        dispatcher: TaskDispatcher,
        directory: Directory,
        feed: ChangeFeed,
        statistics: Statistics,
        clock: Clock,
        limits: Limits,
        secrets: Secrets,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._directory = directory
        self._feed = feed
        self._statistics = statistics
        self._clock = clock
        self._limits = limits
        self._secrets = secrets
        self._kicked: dict[str, None] = {}
        self._some = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """Hands nothing over any more: the manager stops, and what is unsent waits for the next."""
        self._closed = True

    def kick(self, host_ids: Iterable[str]) -> None:
        """Looks soon for what these hosts may be sent."""
        self._kicked.update(dict.fromkeys(host_ids))
        if self._kicked:
            self._some.set()

    async def run(self) -> None:
        """Sends until cancelled."""
        while True:
            await self._some.wait()
            try:
                await self.send_some()
            except StorageError as error:
                log.error("sending waits for the database", extra={"error": str(error)})
                await asyncio.sleep(_RETRY)

    async def send_some(self) -> bool:
        """Sends what the next of the kicked hosts may be sent; False when none is left.

        Raises:
            StorageError: the database cannot be written now; the hosts are looked at again.
        """
        hosts = list(self._kicked)[:_HOSTS_AT_ONCE]
        for host_id in hosts:
            del self._kicked[host_id]
        if not self._kicked:
            self._some.clear()
        try:
            await self._send(hosts)
        except StorageError:
            self.kick(hosts)
            raise
        return bool(self._kicked)

    async def _send(self, host_ids: list[str]) -> None:
        places = [place for host_id in host_ids if (place := self.place(host_id))]
        if places:
            await self.hand_over(await self._database.write(lambda tx: self.claim(tx, places)))

    async def hand_over(self, claims: Claims) -> None:
        """Gives what was claimed to the sessions, once that is committed.

        Raises:
            StorageError: what could not be given to a session is not yet taken back.
        """
        refused = [
            refusal
            for place, command in claims.commands
            if (refusal := await self._hand_over(place, command))
        ]
        if claims.given_up:
            self._feed.publish(Changes(tasks=frozenset(claims.given_up)))
            self.kick(claims.behind)
        if refused:
            await self._take_back(refused)

    def place(self, host_id: str) -> Place | None:
        """The session of a host, when something may be sent on it."""
        entry = self._directory.get(host_id)
        if entry is None or entry.session is None:
            return None
        room = self._dispatcher.room(host_id)
        row = entry.row
        if not room or row.admission is not Admission.ADMITTED:
            return None
        most = row.capacity + _AHEAD
        return Place(
            host_id=host_id,
            name=row.name,
            row_id=row.row_id,
            journal_id=row.journal_id,
            generation=row.generation,
            room=room,
            most=most,
            features=entry.session.features,
        )

    def claim(self, tx: Transaction, places: Iterable[Place]) -> Claims:
        """Marks what may be sent on these sessions as sent."""
        now, claims = self._clock.stamp(), Claims()
        by_row = {place.row_id: place for place in places}
        asks = [
            Ask(place.row_id, place.room, place.most, place.journal_id) for place in by_row.values()
        ]
        terms = Terms(now, self._limits.kill_grace, self._limits.output_limit)
        for command in claiming.claim(tx, asks, terms):
            place = by_row[command.host]
            if why := features.refusal(command.run, place.features):
                claims.end(place, command)
                _end(tx, place, command, why, command_hosts.refuse_sending, now)
                continue
            try:
                claims.commands.append((place, self._secrets.unseal(command)))
            except LostSecretError as error:
                claims.end(place, command)
                _end(tx, place, command, str(error), command_hosts.give_up_sending, now)
        for task_id in claims.given_up:
            task_status.settle(tx, task_id, now)
        return claims

    async def _hand_over(self, place: Place, command: Claimed) -> _Refused | None:
        """None when the session for which the command was claimed has it now."""
        ids = {"task": command.task_id, "host": place.name, "execution": command.run.execution_id}
        entry = self._directory.get(place.host_id)
        replaced = bool(entry and entry.session and entry.row.generation != place.generation)
        admitted = bool(entry and entry.row.admission is Admission.ADMITTED)
        try:
            if self._closed or replaced:  # a newer session may be of another journal
                raise AgentUnavailableError("The session for which it was claimed has ended.")
            if not admitted:
                raise AgentUnavailableError("The host is not admitted any more.")
            await self._dispatcher.send_command_to_agent(place.host_id, command.run)
        except AgentUnavailableError as error:
            log.warning("command not sent", extra={**ids, "error": str(error)})
            full = not self._dispatcher.room(place.host_id)
            return _Refused(place.host_id, command, again=replaced or full)
        self._statistics.counters.sent += 1
        log.info("command sent", extra=ids)
        return None

    async def _take_back(self, refused: list[_Refused]) -> None:
        """What never left the manager waits for the host's next session, or for its silence to be
        judged. If the database fails now, the next Hello, which does not name it, does the same."""

        def work(tx: Transaction) -> set[int]:
            now = self._clock.stamp()
            canceled = set()
            for refusal in refused:
                task_id = refusal.command.task_id
                sending.mark_unsent(tx, refusal.command.row_id)
                if tasks.get(tx, task_id).cancel_requested_at is not None:
                    command_hosts.cancel_unsent(tx, task_id, now)
                    canceled.add(task_id)
            for task_id in canceled:
                task_status.settle(tx, task_id, now)
            return canceled

        canceled = await self._database.write(work)
        self.kick(refusal.host_id for refusal in refused if refusal.again)
        self._feed.publish(Changes(tasks=frozenset(canceled)))


def _end(tx: Transaction, place: Place, command: Claimed, why: str, end: _End, now: int) -> None:
    """A command that was claimed ends before it has left."""
    ids = {"task": command.task_id, "host": place.name, "execution": command.run.execution_id}
    log.error("command cannot be sent", extra={**ids, "error": why})
    sending.mark_unsent(tx, command.row_id)
    end(tx, command.row_id, why, now)
    failed = CommandHostStatus.FAILED
    task_status.go_on(tx, command.task_id, place.row_id, command.position, failed, now)

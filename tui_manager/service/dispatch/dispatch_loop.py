"""DispatchLoop: claims what may be sent, commits that, and hands it to the dispatcher."""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Sequence

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import AgentUnavailableError, StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.service.core import advance_task
from tui_manager.service.core.core import Core
from tui_manager.service.dispatch import claim_commands
from tui_manager.service.dispatch.claim_commands import Claims, ReadySession
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.task_dispatcher import TaskDispatcher
from tui_manager.storage.engine.metric_counters import Act
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.tasks import command_hosts
from tui_manager.storage.views.delivery import command_delivery
from tui_manager.storage.views.delivery.choose_commands import ClaimedCommand

log = logging.getLogger(__name__)
_HOSTS_A_CLAIM = 500  # hosts that get commands in one transaction
_QUEUED_MAX = 64  # commands that a host may hold beyond its capacity; more wait in the database
_COMMANDS_A_TURN = 100  # handed over before others get the event loop: about 4 ms; all of a host
_RETRY = 1.0  # seconds until the next attempt if the database cannot be written


@dataclass(frozen=True, slots=True)
class NotSent:
    """A command that was claimed and did not leave the manager.

    Attributes:
        retry: its host can be tried at once: a newer session has replaced the one of the claim, or
            two claims at the same time have filled the session, which may have room again.
    """

    session: ReadySession
    command: ClaimedCommand
    retry: bool


class DispatchLoop:
    """Whatever makes a command sendable calls `wake`; one loop sends.

    Attributes:
        on_not_sent: told of hosts whose claimed commands did not leave the manager.
    """

    def __init__(self, core: Core, dispatcher: TaskDispatcher, secrets: CommandSecrets) -> None:
        self._core = core
        self._dispatcher = dispatcher
        self._secrets = secrets
        self._hosts: dict[str, None] = {}  # to be looked at, in order
        self._woken = asyncio.Event()
        self._closed = False
        self.on_not_sent: Callable[[list[str]], None] = lambda _hosts: None

    @property
    def closed(self) -> bool:
        """Whether the manager stops."""
        return self._closed

    def close(self) -> None:
        """Sends nothing any more: the manager stops, and the next one sends what is left."""
        self._closed = True

    def wake(self, host_ids: Iterable[str]) -> None:
        """Looks soon for commands that these hosts may be sent. If a host is connected to another
        manager, that one does."""
        if self._core.requests.wanted:
            host_ids = self._connected_here(host_ids)
        self._hosts.update(dict.fromkeys(host_ids))
        if self._hosts:
            self._woken.set()

    def _connected_here(self, host_ids: Iterable[str]) -> list[str]:
        """Those of these hosts. The others may be connected elsewhere, also if that is not known
        here yet."""
        found = [entry for host_id in host_ids if (entry := self._core.directory.get(host_id))]
        self._core.requests.send(entry.row.row_id for entry in found if entry.session is None)
        return [entry.row.host_id for entry in found if entry.session is not None]

    def wake_rows(self, rows: Iterable[int]) -> None:
        """The same for hosts by their row ids. One that is not known here yet has enrolled
        elsewhere."""
        entries = {row: self._core.directory.find_row(row) for row in rows}
        self._core.requests.send(row for row, entry in entries.items() if entry is None)
        self.wake(entry.row.host_id for entry in entries.values() if entry)

    async def run(self) -> None:
        """Sends until cancelled."""
        while True:
            await self._woken.wait()
            try:
                await self.send_next()
            except StorageError as error:
                log.error("sending waits for the database", extra={"error": str(error)})
                await asyncio.sleep(_RETRY)

    async def send_next(self) -> bool:
        """Sends what the next hosts may be sent; False if no host is left to look at.

        Raises:
            StorageError: the database cannot be written now; the hosts will be looked at again.
        """
        hosts = list(self._hosts)[:_HOSTS_A_CLAIM]
        for host_id in hosts:
            del self._hosts[host_id]
        if not self._hosts:
            self._woken.clear()
        try:
            await self._send(hosts)
        except StorageError:
            self.wake(hosts)
            raise
        return bool(self._hosts)

    async def _send(self, host_ids: list[str]) -> None:
        sessions = [session for host_id in host_ids if (session := self.ready_session(host_id))]
        if sessions:
            claimed = await self._core.database.write(lambda tx: self.claim_for(tx, sessions))
            not_sent: list[NotSent] = []
            for portion in claimed.in_portions(_COMMANDS_A_TURN):
                not_sent += await self.hand_over(portion)
                await asyncio.sleep(0)
            await self.mark_unsent(not_sent)

    def ready_session(self, host_id: str) -> ReadySession | None:
        """The session of a host, if commands may be sent on it now. If the database has a newer
        session, nothing is sent on this one, because its agent may no longer read it."""
        entry = self._core.directory.get(host_id)
        session = entry.session_of(entry.row.generation) if entry else None
        if entry is None or session is None:
            return None
        room = self._dispatcher.room(host_id)
        row = entry.row
        if not room or row.admission is not Admission.ADMITTED:
            return None
        return ReadySession(
            host_id=host_id,
            name=row.name,
            row_id=row.row_id,
            journal_id=row.journal_id,
            generation=row.generation,
            room=room,
            limit=row.capacity + _QUEUED_MAX,
            features=session.features,
            variables=entry.variables,
            agent=row.agent,
        )

    def claim_for(self, tx: Transaction, sessions: Sequence[ReadySession]) -> Claims:
        """Claims commands for those of these sessions that are the newest of their hosts, inside a
        transaction."""
        newest = self._fence(tx, sessions)
        return self.claim_fenced(tx, [item for item in sessions if item.row_id in newest])

    def claim_fenced(self, tx: Transaction, sessions: Iterable[ReadySession]) -> Claims:
        """The same for sessions of which the transaction knows that: see `claim_commands`."""
        now = self._core.clock.stamp()
        return claim_commands.claim_commands(tx, sessions, self._core.limits, self._secrets, now)

    def _fence(self, tx: Transaction, sessions: Iterable[ReadySession]) -> Container[int]:
        """Row ids of the hosts of which these sessions are the newest."""
        found = {(session.row_id, session.generation) for session in sessions}
        return hosts.fence(tx, self._core.database.gateway, found)

    async def hand_over(self, claimed: Claims) -> list[NotSent]:
        """Gives claimed commands to their sessions. The claim must be committed.

        Returns:
            Commands that no session took, which are still marked as sent: see `mark_unsent`.
        """
        claimed.log_failures()
        not_sent = [
            item
            for session, command in claimed.commands
            if (item := await self._send_one(session, command))
        ]
        if claimed.failed_tasks:
            self._core.feed.publish(Changes(tasks=frozenset(claimed.failed_tasks)))
            self.wake(claimed.hosts_with_room)
        return not_sent

    async def _send_one(self, session: ReadySession, command: ClaimedCommand) -> NotSent | None:
        """None: the session for which the command was claimed has it now."""
        entry = self._core.directory.get(session.host_id)
        replaced = bool(entry and entry.session and entry.row.generation != session.generation)
        admitted = bool(entry and entry.row.admission is Admission.ADMITTED)
        try:
            if self._closed or replaced:  # a newer session may be of another journal
                raise AgentUnavailableError("The session for which it was claimed has ended.")
            if not admitted:
                raise AgentUnavailableError("The host is not admitted any more.")
            await self._dispatcher.send_command_to_agent(session.host_id, command.run)
        except AgentUnavailableError as error:
            ids = {"task": command.task_id, "execution": command.run.execution_id}
            fields = {**ids, "host": session.name, "error": str(error)}
            log.warning("command not sent", extra=fields)
            full = not self._dispatcher.room(session.host_id)
            return NotSent(session, command, retry=replaced or full)
        self._core.statistics.counters.sent += 1
        self._core.statistics.count(Act.COMMAND_SENT, command.run.command.kind)
        if entry and entry.session:
            entry.session.sent[command.run.execution_id] = self._core.clock.monotonic()
        self._core.command_log.sent(command.task_id, session.name, command.run.execution_id)
        return None

    async def mark_unsent(self, not_sent: Sequence[NotSent]) -> None:
        """Marks commands that never left the manager as not sent. The next session of their host
        gets them, or they fail when the host was silent for too long. If a Hello of the host has
        come meanwhile, they are marked already.

        Raises:
            StorageError: they stay marked as sent. The next Hello of the host does not name them,
                and so they are marked as not sent then.
        """
        if not not_sent:
            return

        def work(tx: Transaction) -> set[int]:
            now = self._core.clock.stamp()
            canceled = set()
            newest = self._fence(tx, [item.session for item in not_sent])
            for item in not_sent:
                if item.session.row_id not in newest:
                    continue
                task_id = item.command.task_id
                command_delivery.mark_unsent(tx, item.command.row_id)
                if command_delivery.cancel_is_requested(tx, item.command.row_id):
                    command_hosts.cancel_unsent(tx, task_id, now, [item.command.host])
                    canceled.add(task_id)
            for task_id in canceled:
                advance_task.update_task_status(tx, task_id, now)
            return canceled

        canceled = await self._core.database.write(work)
        self.wake(item.session.host_id for item in not_sent if item.retry)
        self.on_not_sent([item.session.host_id for item in not_sent])
        self._core.feed.publish(Changes(tasks=frozenset(canceled)))

"""ChangeBridge: sends the other managers on the database what changes here, and does here what they
send.

A message says only where to look. Changes that come from other managers are published to the
watchers of this one, and not sent on. Now and then the bridge also looks whether messages are
missing; if so, everything may have changed.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import ManagerGroup
from tui_manager.service.core.change_feed import EVERYTHING, ChangeRate, Subscription
from tui_manager.service.core.core import Core
from tui_manager.service.core.gateway_requests import ANYTHING, Requests
from tui_manager.service.managers.hosts_elsewhere import HostsElsewhere
from tui_manager.service.managers.log_storage_error import log_storage_error
from tui_manager.service.managers.messages import bridge_message
from tui_manager.service.managers.messages.bridge_message import (
    BridgeMessage,
    MalformedMessageError,
)
from tui_manager.service.managers.messages.gateway_request_handler import GatewayRequestHandler
from tui_manager.service.managers.messages.missed_messages import MissedMessages
from tui_manager.service.managers.messages.notifier import Notifier
from tui_manager.storage.tables.manager import gateways

log = logging.getLogger(__name__)
_SEND_EVERY = 2.5  # seconds, at least, between two messages while this manager writes
_COMPARE_EVERY = 5.0  # seconds
_RETRY = 1.0  # seconds until the next attempt if the database cannot be read


class _Outgoing(Subscription):
    """What changes here, without vitals and figures, which each manager sends in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.take()  # at first nothing has changed

    def add_figures(self, changes: Changes) -> None:
        pass


@dataclass(slots=True)
class _Incoming:
    """What others have sent and was not done yet.

    Attributes:
        own_hosts: hosts have changed here. What was read of them at the same time may be older.
        opened: row ids of hosts with which sessions have begun here.
    """

    changes: Changes
    requests: Requests
    own_hosts: bool = False
    opened: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.changes or self.requests or self.own_hosts or self.opened)


class ChangeBridge:
    """Between the change feed of this manager and the notifier.

    Attributes:
        on_changes: each is called with what other managers have changed, after the directory has
            followed it.
    """

    def __init__(
        self,
        core: Core,
        notifier: Notifier,
        hosts: HostsElsewhere,
        requests: GatewayRequestHandler,
    ) -> None:
        self._core = core
        self._notifier = notifier
        self._hosts = hosts
        self._requests = requests
        self.on_changes: list[Callable[[Changes], None]] = []
        self._outgoing = _Outgoing()
        self._incoming = _Incoming(Changes(), Requests())
        self._arrived = asyncio.Event()
        self._others_alive = asyncio.Event()
        self._missed = MissedMessages()
        self._run_id = uuid.uuid4().hex
        self._number = 0  # of the newest message
        self._sent_commits = -1  # how many transactions the newest message counts
        self._was_malformed = False
        core.requests.on_request = self._outgoing.changed.set
        core.requests.on_opened = self._on_session_opened
        notifier.on_message = self.receive
        self.set_others_alive(alive=bool(core.directory.alive))

    def follow_managers(self, managers: ManagerGroup, heard_at: Mapping[int, float]) -> None:
        """Other managers have come, stopped, died or started again.

        Args:
            heard_at: when each was heard last, monotonic seconds, by its number.
        """
        clock = self._core.clock
        others, directory = managers.others, self._core.directory
        directory.follow_gateways(others, heard_at, clock.now(), clock.monotonic())
        self.set_others_alive(alive=bool(directory.alive))

    def set_others_alive(self, *, alive: bool) -> None:
        """Whether another manager is alive. While none is, nothing is gathered."""
        if alive == self._others_alive.is_set():
            return
        self._core.requests.wanted = alive
        if alive:
            self._core.feed.attach(self._outgoing)
            self._others_alive.set()
            self._outgoing.changed.set()  # they learn that this one is there
            self._look_at_everything()
        else:
            self._core.feed.detach(self._outgoing)
            self._outgoing.take()
            self._core.requests.take()
            self._others_alive.clear()

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_forever(), name="send changes to other managers")
            group.create_task(self._follow_forever(), name="follow other managers")
            group.create_task(self._compare_forever(), name="look for lost messages")

    # What this manager sends.

    async def _send_forever(self) -> None:
        pace, loop = ChangeRate(), asyncio.get_running_loop()
        while True:
            await self._others_alive.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SEND_EVERY):
                    await self._outgoing.changed.wait()
            if self.send_changes():
                await asyncio.sleep(pace.count(loop.time()))

    def send_changes(self) -> bool:
        """Sends what has changed since the last message, or that transactions were committed which
        have changed nothing that others need to know. Returns whether there was anything."""
        news = self._outgoing.changed.is_set()
        changes, requests = self._outgoing.take(), self._core.requests.take()
        committed = self._core.database.committed
        if not self._others_alive.is_set() or not (news or committed != self._sent_commits):
            return False
        self._number, self._sent_commits = self._number + 1, committed
        message = BridgeMessage(
            gateway=self._core.database.gateway,
            run=self._run_id,
            number=self._number,
            committed=committed,
            changes=changes,
            requests=requests,
        )
        self._notifier.send(message.encode())
        if changes.hosts:
            self._incoming.own_hosts = True
            self._arrived.set()
        return True

    # What others send.

    def receive(self, data: bytes) -> None:
        """Takes a message of any manager, this one too."""
        try:
            message = bridge_message.decode(data)
        except MalformedMessageError as error:
            if not self._was_malformed:
                fields = {"error": str(error)}
                log.warning("a message of another manager is malformed", extra=fields)
            self._was_malformed = True
            self._look_at_everything()
            return
        if message is None or message.gateway == self._core.database.gateway:
            return
        if missing := self._missed.check(message):
            log.info(missing, extra={"gateway": message.gateway})
            self._look_at_everything()
        self._add_incoming(message.changes, message.requests)

    def _look_at_everything(self) -> None:
        self._add_incoming(EVERYTHING, ANYTHING)

    def _add_incoming(self, changes: Changes, requests: Requests) -> None:
        if changes or requests:
            self._incoming.changes |= changes
            self._incoming.requests |= requests
            self._arrived.set()

    def _on_session_opened(self, host: int) -> None:
        """A cancel at another manager was perhaps committed after the session's transaction had
        read what was canceled, and before there was a session."""
        self._incoming.opened.add(host)
        self._arrived.set()

    async def _follow_forever(self) -> None:
        pace, loop = ChangeRate(), asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            try:
                await self.follow()
            except StorageError as error:
                log_storage_error(log, self._core, "other managers are not followed", error)
                await asyncio.sleep(_RETRY)
            else:
                await asyncio.sleep(pace.count(loop.time()))

    async def follow(self) -> bool:
        """Does what others have sent since the last call. Returns whether that was anything.

        Raises:
            StorageError: the database cannot be read now; the next call does it.
        """
        incoming, self._incoming = self._incoming, _Incoming(Changes(), Requests())
        self._arrived.clear()
        changes, requests = incoming.changes, incoming.requests
        try:
            if changes.hosts or incoming.own_hosts:
                await self._hosts.run_once()
            self._core.feed.publish(changes, source=self._outgoing)
            for on_changes in self.on_changes:
                on_changes(changes)
            await self._requests.handle(requests)
            if incoming.opened and not requests.cancel_any:
                await self._requests.cancel_on(incoming.opened)
        except StorageError:
            self._incoming.own_hosts |= incoming.own_hosts
            self._incoming.opened |= incoming.opened
            self._add_incoming(changes, requests)
            self._arrived.set()
            raise
        return bool(incoming)

    async def _compare_forever(self) -> None:
        while True:
            await self._others_alive.wait()
            await asyncio.sleep(_COMPARE_EVERY)
            try:
                await self.compare()
            except StorageError as error:
                log_storage_error(log, self._core, "lost messages are not looked for", error)

    async def compare(self) -> None:
        """Looks whether others have committed what no message has told of, and at the hosts, which
        are most of what others rely on. Raises StorageError."""
        committed = await self._core.database.read(gateways.committed)
        committed.pop(self._core.database.gateway, None)
        if self._missed.compare(committed):
            log.info("messages of other managers were lost")
            self._look_at_everything()
        else:
            await self._hosts.run_once()

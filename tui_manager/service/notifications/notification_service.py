"""NotificationService: the receivers of the settings, what waits for them, and a test of one."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence

from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.notification import GIVEN_UP_AFTER, Answer, Outcome, ReceiverStatus
from tui_manager.service.core.change_feed import Subscription
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.notifications import event_json
from tui_manager.service.notifications.deliver_to_receiver import (
    Delivery,
    DeliveryTimes,
    ReceiverDelivery,
)
from tui_manager.service.notifications.event_json import Sender
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit, notifications, receivers

log = logging.getLogger(__name__)
_SHOWN = 80  # characters of a wrong name in an error


class _Events(Subscription):
    """The changes with which an event may come."""

    def add_figures(self, changes: Changes) -> None:
        pass


class NotificationService:
    """Delivers while this manager leads; its settings say to whom."""

    def __init__(
        self,
        core: Core,
        clock_watch: ClockWatch,
        manager_name: str,
        ways: Sequence[Delivery],
        times: DeliveryTimes | None = None,
    ) -> None:
        self._core = core
        self._sender = Sender(core.manager_id, manager_name)
        self._ways = {way.receiver.name: way for way in ways}
        self._times = times or DeliveryTimes()
        self._by_receiver = {
            way.receiver.name: ReceiverDelivery(core, clock_watch, self._sender, way, self._times)
            for way in ways
        }

    async def begin(self) -> None:
        """From now on what happens is written down for the receivers of the settings.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be used now.
        """
        wanted = [way.receiver for way in self._ways.values()]
        clock = self._core.clock
        if not wanted and not await self._core.database.read(receivers.some_are_known):
            return
        old = from_datetime(clock.now() - GIVEN_UP_AFTER)
        await self._core.plan(lambda tx: receivers.register(tx, wanted, old))

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            try:
                await self.begin()
                break
            except StorageError as error:
                log.error("notifications wait for the database", extra={"error": str(error)})
                await asyncio.sleep(self._times.retry)
        if not self._by_receiver:
            await asyncio.Event().wait()
        running = [asyncio.create_task(delivery.run()) for delivery in self._by_receiver.values()]
        running.append(asyncio.create_task(self._wake()))
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _wake(self) -> None:
        """Wakes the deliveries when something was written down. One that is not woken looks by
        itself after a while."""
        events, newest = _Events(), 0
        self._core.feed.attach(events)
        try:
            while True:
                await events.changed.wait()
                events.take()
                with contextlib.suppress(StorageError):
                    before, newest = newest, await self._core.database.read(notifications.newest)
                    if newest != before:
                        for delivery in self._by_receiver.values():
                            delivery.woken.set()
                await asyncio.sleep(self._times.gather_changes)
        finally:
            self._core.feed.detach(events)

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        """The state of each receiver in the settings of the manager that leads.

        Raises:
            StorageError: the database cannot be read.
        """
        return await self._core.database.read(receivers.all_receivers)

    async def test(self, name: str, actor: str) -> Answer:
        """Sends an event that says that it is a test, at once, whatever waits; the receiver is that
        of the settings of this manager. If it takes the test, it does not fail any more, and what
        waits is tried at once.

        Raises:
            NotFoundError: the settings name no such receiver.
            StorageError: the audit cannot be written; nothing was sent.
        """
        way = self._ways.get(name)
        if way is None:
            raise NotFoundError(
                f"The settings of this manager name no hook or webhook {name[:_SHOWN]!r}."
            )
        clock = self._core.clock

        def work(tx: Transaction) -> None:
            audit.record(tx, clock.stamp(), actor, "test_receiver", receiver=name)

        await self._core.database.write(work)
        event_id = str(uuid.uuid4())
        shape = event_json.test_shape(self._sender, event_id, clock.now())
        answer = await way.send(event_json.TEST, event_id, event_json.encode(shape))
        log.info("receiver tested", extra={"receiver": name, "answer": answer.text})
        if answer.outcome is Outcome.DELIVERED:
            with contextlib.suppress(StorageError):
                await self._core.database.write(lambda tx: receivers.end_failing(tx, name))
            self._by_receiver[name].try_now()
            self._core.feed.publish(Changes(manager=True))
        return answer

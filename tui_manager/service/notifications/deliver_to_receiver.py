"""ReceiverDelivery: delivers the notifications of one receiver in order, one try at a time."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.notification import (
    GIVEN_UP_AFTER,
    PENDING_MAX,
    Answer,
    Event,
    Outcome,
    Receiver,
)
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.notifications.event_json import Sender, encode, event_shape
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import notifications, receivers
from tui_manager.storage.tables.manager.notifications import Notification

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """The pauses of deliveries, in seconds.

    Attributes:
        first, longest: the pause between two tries is a random part of a limit. The limit is
            `first` at the beginning, doubles with each failure, and is `longest` at most.
        obeyed: the longest pause that a receiver may ask for.
        quiet: if no other host is lost for this time, the lost hosts become one event.
        gathered: the longest time for which lost hosts are gathered.
        poll: from one look at the database to the next, if nothing wakes the delivery.
        gather_changes: changes within this time wake the deliveries once.
        retry: until the database is tried again.
    """

    first: float = 1.0
    longest: float = 600.0
    obeyed: float = 3600.0
    quiet: float = 8.0
    gathered: float = 60.0
    poll: float = 10.0
    gather_changes: float = 0.2
    retry: float = 1.0


class Delivery(Protocol):
    """The way to one receiver."""

    @property
    def receiver(self) -> Receiver:
        """Whom it reaches."""
        ...

    async def send(self, event: str, event_id: str, body: bytes) -> Answer:
        """One try, within the time limit of the receiver. If it is cancelled, nothing of it goes
        on.

        Args:
            event: its name.
            event_id: the same in each try.
            body: the JSON of the event.
        """
        ...


class ReceiverDelivery:
    """Runs while this manager leads.

    Attributes:
        woken: something may have been written down for the receiver.
    """

    def __init__(
        self,
        core: Core,
        clock_watch: ClockWatch,
        sender: Sender,
        way: Delivery,
        times: DeliveryTimes,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """
        Args:
            draw: a random number between two.
        """
        self._core = core
        self._clock_watch = clock_watch
        self._sender = sender
        self._way = way
        self._receiver = way.receiver
        self._times = times
        self._draw = draw
        self._failures = 0  # tries in a row
        self.woken = asyncio.Event()
        self._hurried = asyncio.Event()

    async def run(self) -> None:
        """Delivers until cancelled.

        Raises:
            NotLeadingError: this manager does not lead.
        """
        self._failures = 0
        while True:
            self.woken.clear()
            try:
                pause = await self._deliver_next()
            except StorageError as error:
                self._log_storage(error)
                pause = self._times.retry
            if pause is None:
                await self._wait(self._times.poll)
            elif pause:
                await self._pause(pause)

    def try_now(self) -> None:
        """Ends a pause between two tries: the receiver has taken a test."""
        self._hurried.set()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()

    async def _pause(self, seconds: float) -> None:
        """Waits, and keeps what waits within its bound meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and not self._hurried.is_set():
            with contextlib.suppress(StorageError):
                await self._drop_oldest()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._times.poll)):
                    await self._hurried.wait()
        self._hurried.clear()

    async def _deliver_next(self) -> float | None:
        """Tries to deliver the oldest notification.

        Returns:
            Seconds until the next try; None: nothing waits.
        """
        await self._drop_oldest()
        name = self._receiver.name
        told = await self._core.database.read(lambda tx: notifications.oldest(tx, name))
        if told is None:
            return None
        if told.event in (Event.HOST_LOST, Event.HOST_BACK) and not told.gathered:
            await self._gather(told)
            return 0.0
        try:
            shape = await self._core.database.read(
                lambda tx: event_shape(tx, self._sender, told, self._receiver.after_failures)
            )
        except StorageError:
            raise
        except Exception as error:  # a defect of one event must not stop the others
            answer = self._defect(error, told, Outcome.REFUSED)
        else:
            if shape is None:
                await self._core.plan(lambda tx: notifications.remove(tx, [told.row_id]))
                return 0.0
            answer = await self._send(told, encode(shape))
        await self._note(told, answer)
        return self._next_pause(answer)

    async def _send(self, told: Notification, body: bytes) -> Answer:
        try:
            return await self._way.send(told.event, told.event_id, body)
        except Exception as error:  # no task waits for a receiver, and the manager goes on
            return self._defect(error, told, Outcome.FAILED)

    def _defect(self, error: Exception, told: Notification, outcome: Outcome) -> Answer:
        extra = {"receiver": self._receiver.name, "event": told.event, "id": told.event_id}
        log.error("a notification has failed", exc_info=error, extra=extra)
        return Answer(outcome, f"an error of the manager: {type(error).__name__}")

    def _next_pause(self, answer: Answer) -> float:
        if answer.outcome is not Outcome.FAILED:
            self._failures = 0
            return 0.0
        self._failures += 1
        limit = min(self._times.longest, self._times.first * 2.0 ** min(self._failures, 30))
        asked = answer.retry_after or timedelta(0)
        least = min(asked.total_seconds(), self._times.obeyed)
        return max(least, self._draw(self._times.first, limit))

    async def _drop_oldest(self) -> None:
        name, now = self._receiver.name, self._core.clock.stamp()
        if not await self._core.database.read(
            lambda tx: notifications.has_more_than(tx, name, PENDING_MAX)
        ):
            return

        def work(tx: Transaction) -> int:
            dropped = notifications.drop_oldest(tx, name, PENDING_MAX)
            receivers.count_lost(tx, name, now, dropped=dropped)
            return dropped

        self._lost("dropped", await self._core.plan(work))

    async def _gather(self, first: Notification) -> None:
        """Hosts that are lost, or back, shortly after each other become one event."""
        name, waited, count = self._receiver.name, 0.0, 0
        while waited < self._times.gathered:
            found = await self._core.database.read(
                lambda tx: notifications.of_hosts(tx, name, first)
            )
            if len(found) == count:
                break
            count = len(found)
            await asyncio.sleep(self._times.quiet)
            waited += self._times.quiet

        def work(tx: Transaction) -> None:
            if together := notifications.of_hosts(tx, name, first):
                notifications.gather(tx, together)

        await self._core.plan(work)

    async def _note(self, told: Notification, answer: Answer) -> None:
        """Stores what came back. While that is impossible, nothing is sent."""
        if answer.outcome is not Outcome.REFUSED:  # which is counted as given up
            self._core.statistics.count_notification(self._receiver.kind, answer.outcome)
        log.log(
            logging.INFO if answer.outcome is Outcome.DELIVERED else logging.WARNING,
            "notification",
            extra={
                "receiver": self._receiver.name,
                "event": told.event,
                "id": told.event_id,
                "outcome": answer.outcome,
                "answer": answer.text,
            },
        )
        now = self._core.clock.now()
        stamp, old = from_datetime(now), from_datetime(now - GIVEN_UP_AFTER)
        may_give_up = self._clock_watch.may_act()
        while True:
            try:
                given_up = await self._core.plan(
                    lambda tx: self._store(tx, told, answer, stamp, old if may_give_up else 0)
                )
                break
            except StorageError as error:
                self._log_storage(error)
                await asyncio.sleep(self._times.retry)
        self._lost("given_up", given_up)
        if self._failures or answer.outcome is not Outcome.DELIVERED:
            self._core.feed.publish(Changes(manager=True))

    def _store(
        self, tx: Transaction, told: Notification, answer: Answer, now: int, old: int
    ) -> int:
        """Returns how many are given up: this one, or all that are older than the instant `old`."""
        name = self._receiver.name
        if answer.outcome is Outcome.DELIVERED:
            notifications.remove(tx, [told.row_id])
            receivers.count_delivered(tx, name, now)
            return 0
        receivers.count_failed(tx, name, answer.text, now)
        if answer.outcome is Outcome.REFUSED:
            notifications.remove(tx, [told.row_id])
            given_up = 1
        else:
            given_up = notifications.remove_old(tx, name, old)
        if given_up:
            receivers.count_lost(tx, name, now, given_up=given_up)
        return given_up

    def _lost(self, how: str, count: int) -> None:
        if count:
            self._core.statistics.count_notification(self._receiver.kind, how, count)
            extra = {"receiver": self._receiver.name, "count": count, "how": how}
            log.error("notifications are lost", extra=extra)
            self._core.feed.publish(Changes(manager=True))

    def _log_storage(self, error: StorageError) -> None:
        extra = {"receiver": self._receiver.name, "error": str(error)}
        log.error("a notification waits for the database", extra=extra)

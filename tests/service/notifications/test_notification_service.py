"""What waits is delivered in order, again and again until it is taken, and never in the way."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.service.notifications.test_events import LOST_AFTER
from tests.support.managers.manager_parts import Parts, failed, result, spec
from tests.support.managers.rollouts import Fleet, rollout
from tests.support.managers.schedules import ANA, hourly, turn_to
from tests.support.managers.several_managers import several_managers
from tests.support.waiting import wait_until
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.hosts.agent_messages import Held, HeldState
from tui_manager.domain.manager.notification import (
    Answer,
    Event,
    Hook,
    Outcome,
    Receiver,
    ReceiverStatus,
)
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.service.core.core import NotLeadingError
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.service.notifications import deliver_to_receiver as courier_module
from tui_manager.service.notifications.deliver_to_receiver import DeliveryTimes, ReceiverDelivery
from tui_manager.service.notifications.event_json import Sender, event_shape
from tui_manager.service.notifications.notification_service import NotificationService
from tui_manager.storage.engine.metric_counters import Act
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import notifications
from tui_manager.storage.tables.manager.notifications import Notification

TAKEN = Answer(Outcome.DELIVERED, "taken")
BAD = Answer(Outcome.FAILED, "bad day")
NEVER = Answer(Outcome.REFUSED, "never")
FAST = DeliveryTimes(
    0.001, 0.002, 0.002, quiet=0.0, gathered=0.01, poll=0.01, gather_changes=0.0, retry=0.01
)


@dataclass
class Way:
    """Takes what it is sent; `answers` are the next ones, then it takes all."""

    receiver: Receiver
    answers: list[Answer] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    held: asyncio.Event | None = None

    async def send(self, event: str, event_id: str, body: bytes) -> Answer:
        self.sent.append((event_id, json.loads(body)))
        if self.held is not None:
            await self.held.wait()
        return self.answers.pop(0) if self.answers else TAKEN

    @property
    def told(self) -> list[str]:
        return [shape["event"] for _, shape in self.sent]


def way(*events: Event, name: str = "page", after_failures: int = 1) -> Way:
    return Way(Hook(name, ("/bin/page",), events or tuple(Event), after_failures))


@contextlib.asynccontextmanager
async def delivering(
    parts: Parts, *ways: Way, times: DeliveryTimes = FAST
) -> AsyncIterator[NotificationService]:
    """Delivers until the block is left."""
    made = NotificationService(parts.core, parts.watch, "dashboard", ways, times)
    await made.begin()
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _status(service: NotificationService) -> ReceiverStatus:
    (status,) = await service.list_receivers()
    return status


async def settled(
    service: NotificationService,
    fits: Callable[[ReceiverStatus], object] = lambda one: not one.pending,
) -> ReceiverStatus:
    """How it stands with the one receiver, when it fits; when nothing waits unless told."""

    async def look() -> ReceiverStatus:
        return await _status(service)

    return await wait_until(look, fits)


async def ran(parts: Parts, host: OpenedSession, text: str = "true", *, fails: bool = False) -> int:
    task_id = await parts.started("web01", text)
    run = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(host.host_id, failed(run) if fails else result(run))
    return task_id


async def test_a_failed_task_says_what_failed(parts: Parts) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_FAILED)
    async with delivering(parts, page) as service:
        task_id = await ran(parts, host, fails=True)
        status = await settled(service, lambda one: one.delivered)
    ((event_id, shape),) = page.sent
    assert (shape["id"], shape["event"], shape["test"]) == (event_id, "task_failed", False)
    assert shape["manager"] == {"manager_id": parts.core.manager_id, "name": "dashboard"}
    assert shape["task"]["task_id"] == task_id
    assert shape["task"]["status"] == "failed"
    assert shape["failures_in_a_row"] == 1
    (failure,) = shape["failures"]
    assert (failure["reason"], failure["hosts"], failure["names"]) == ("exit_code", 1, "web01")
    assert (status.pending, status.delivered, status.last_error) == (0, 1, "")
    assert status.delivered_at == parts.clock.instant


async def test_it_is_tried_again_in_order_with_the_same_id(parts: Parts) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    page.answers += [BAD, BAD]
    async with delivering(parts, page) as service:
        first = await ran(parts, host)
        second = await ran(parts, host)
        await settled(service, lambda one: one.delivered == 2)
    ids = [event_id for event_id, _ in page.sent]
    assert len({*ids[:3]}) == 1
    assert ids[3] != ids[0]
    assert [shape["task"]["task_id"] for _, shape in page.sent] == [first] * 3 + [second]


async def test_a_receiver_that_fails_shows_since_when(parts: Parts) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    page.answers += [BAD] * 10_000
    async with delivering(parts, page) as service:
        await ran(parts, host)
        status = await settled(service, lambda one: one.last_error)
        assert (status.failing_since, status.last_error) == (parts.clock.instant, "bad day")
        now = parts.clock.instant
        assert not status.needs_attention(now + timedelta(minutes=10))
        assert status.needs_attention(now + timedelta(minutes=11))
        page.answers.clear()
        status = await settled(service)
    assert (status.failing_since, status.last_error) == (None, "")
    assert parts.statistics.counted[(Act.NOTIFICATION, "hook", "delivered")] == 1
    assert parts.statistics.counted[(Act.NOTIFICATION, "hook", "failed")] >= 1


async def test_one_that_is_refused_is_given_up_at_once(parts: Parts) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    page.answers += [NEVER]
    async with delivering(parts, page) as service:
        await ran(parts, host)
        await ran(parts, host)
        status = await settled(service, lambda one: one.delivered)
    assert (status.given_up, status.pending) == (1, 0)
    assert status.needs_attention(parts.clock.instant)
    assert parts.statistics.counted[(Act.NOTIFICATION, "hook", "given_up")] == 1


async def test_after_a_day_they_are_given_up_but_not_while_the_clock_is_wrong(
    parts: Parts,
) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    page.answers += [BAD] * 100_000
    async with delivering(parts, page) as service:
        await ran(parts, host)
        parts.clock.instant += timedelta(hours=25)  # the wall clock alone
        tried = len(page.sent)

        async def tries() -> int:
            return len(page.sent)

        await wait_until(tries, lambda count: count > tried + 2)
        assert (await _status(service)).pending == 1
        parts.clock.instant -= timedelta(hours=25)
        parts.clock.turn(25 * 3600)
        status = await settled(service)
    assert (status.given_up, status.delivered) == (1, 0)


async def test_the_oldest_of_too_many_are_dropped(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_module, "PENDING_MAX", 2)
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    made = NotificationService(parts.core, parts.watch, "dashboard", [page], FAST)
    await made.begin()
    tasks = [await ran(parts, host) for _ in range(4)]
    async with delivering(parts, page) as service:
        status = await settled(service)
    assert (status.dropped, status.delivered) == (2, 2)
    assert [shape["task"]["task_id"] for _, shape in page.sent] == tasks[2:]


async def test_only_a_row_of_failures_is_told_and_its_end(parts: Parts) -> None:
    host = await parts.connect("web01")
    page = way(Event.TASK_FAILED, Event.TASK_RECOVERED, after_failures=2)
    async with delivering(parts, page) as service:
        for fails in (True, False, True, True, True, False, False):
            await ran(parts, host, fails=fails)
            await ran(parts, host, "another one")
        await settled(service)
    told = [(shape["event"], shape["failures_in_a_row"]) for _, shape in page.sent]
    assert told == [("task_failed", 2), ("task_failed", 3), ("task_recovered", 3)]


@pytest.mark.parametrize("runs_on", [True, False])
async def test_a_guess_that_was_wrong_is_taken_back(parts: Parts, runs_on: bool) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_FAILED, Event.TASK_RECOVERED)
    async with delivering(parts, page) as service:
        await parts.started("web01", "true")
        run = parts.dispatcher.sent[-1][1].execution_id
        await parts.hosts.close_session(host.host_id, host.generation, "test")
        parts.clock.turn(LOST_AFTER)
        await parts.silence.run_once()
        await settled(service, lambda one: one.delivered)
        state = HeldState.RUNNING if runs_on else HeldState.ENDED
        held = (Held(run, state, has_result=not runs_on),)
        await parts.connect("web01", host_id=host.host_id, held=held)
        await parts.report(host.host_id, result(run))
        await settled(service, lambda one: one.delivered == 2)
    assert page.told == ["task_failed", "task_recovered"]


async def test_what_is_not_true_any_more_is_not_told(fleet: Fleet) -> None:
    page = way(Event.HOLD_WAITS)
    made = NotificationService(fleet.parts.core, fleet.parts.watch, "dashboard", [page], FAST)
    await made.begin()
    task_id = await fleet.start(rollout=rollout(batches="4", hold=HoldRule.EACH))
    await fleet.finish()
    await fleet.parts.tasks.resume_task(task_id)
    await fleet.take()
    await fleet.finish()
    async with delivering(fleet.parts, page) as service:
        await settled(service)
    ((_, shape),) = page.sent
    assert shape["task"]["hold"]["batch"] == 2


async def test_hosts_that_are_lost_together_are_one_event(parts: Parts) -> None:
    page = way(Event.HOST_LOST, Event.HOST_BACK)
    names = [f"web{number:03}" for number in range(1, 106)]
    opened = {name: await parts.connect(name) for name in names}
    made = NotificationService(parts.core, parts.watch, "dashboard", [page], FAST)
    await made.begin()
    for name in names:
        host = opened[name]
        await parts.hosts.close_session(host.host_id, host.generation, "test")
        if name == "web050":
            parts.clock.turn(LOST_AFTER)
            await parts.silence.run_once()
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()
    await parts.connect("web105", host_id=opened["web105"].host_id)
    await parts.silence.run_once()
    async with delivering(parts, page) as service:
        await settled(service)
    (_, lost), (_, back) = page.sent
    assert (lost["event"], lost["hosts"]["count"]) == ("host_lost", 105)
    assert lost["hosts"]["names"] == names[:100]
    assert (back["event"], back["hosts"]) == ("host_back", {"count": 1, "names": ["web105"]})


async def test_a_schedule_and_the_clock_are_told(parts: Parts) -> None:
    page = way(Event.SCHEDULE_SKIPPED, Event.CLOCK_JUMPED)
    async with delivering(parts, page) as service:
        await parts.schedules.add_schedule(hourly(), ANA)
        turn_to(parts, 4)
        await parts.schedule_loop.run_once()
        parts.clock.instant += timedelta(hours=2)
        await parts.watch.run_once()
        await settled(service, lambda one: one.delivered == 2)
    (_, skipped), (_, jumped) = page.sent
    schedule = skipped["schedule"]
    assert (schedule["name"], schedule["skipped"]) == ("nightly", "refused")
    assert (schedule["due"], schedule["count"]) == ("2026-01-02T04:00:00.000Z", 1)
    assert schedule["next"] == "2026-01-02T05:00:00.000Z"
    assert jumped["clock"] == {"ahead_seconds": 7200.0, "at_start": False}


async def test_a_slow_receiver_is_in_nobodys_way(parts: Parts) -> None:
    host = await parts.connect("web01")
    slow, quick = way(Event.TASK_ENDED, name="slow"), way(Event.TASK_ENDED, name="quick")
    slow.held = asyncio.Event()
    async with delivering(parts, slow, quick) as service:
        for _ in range(3):
            await ran(parts, host)

        async def look() -> list[int]:
            return [one.delivered for one in await service.list_receivers()]

        assert await wait_until(look, lambda seen: seen[0] == 3) == [3, 0]
        assert len(slow.sent) == 1  # one try at a time
    # What was under way when the loop ended is tried again by the next one, with its id.
    slow.held = None
    async with delivering(parts, slow, quick) as service:
        assert await wait_until(look, lambda seen: seen[1] == 3)
    assert slow.sent[0] == slow.sent[1]


async def test_it_waits_for_the_database_and_sends_nothing_twice(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    async with delivering(parts, page) as service:
        page.held = asyncio.Event()
        await ran(parts, host)

        async def tries() -> int:
            return len(page.sent)

        await wait_until(tries, lambda count: count)
        failures = 0

        async def full(*_: object) -> None:
            nonlocal failures
            failures += 1
            raise StorageError("disk full")

        async def failed_writes() -> int:
            return failures

        with monkeypatch.context() as broken:
            broken.setattr(parts.database, "write", full)
            page.held.set()
            await wait_until(failed_writes, lambda count: count > 2)
        await settled(service)
    assert len(page.sent) == 1


async def test_a_test_goes_out_at_once_and_says_what_came_back(parts: Parts) -> None:
    page = way(Event.TASK_ENDED)
    page.answers += [NEVER]
    async with delivering(parts, page) as service:
        assert await service.test("page", ANA) == NEVER
        with pytest.raises(NotFoundError, match="no hook or webhook 'nobody'"):
            await service.test("nobody", ANA)
    ((event_id, shape),) = page.sent
    assert (shape["id"], shape["event"], shape["test"]) == (event_id, "test", True)
    (act,) = await parts.audited("test_receiver")
    assert (act.actor, act.detail) == (ANA, {"receiver": "page"})


async def test_a_test_that_is_taken_ends_the_failure(parts: Parts) -> None:
    page = way(Event.TASK_FAILED)
    page.answers += [NEVER]
    host = await parts.connect("web01")
    async with delivering(parts, page) as service:
        await ran(parts, host, fails=True)
        await settled(service, lambda one: one.failing_since)
        assert await service.test("page", ANA) == TAKEN
        status = await _status(service)
    assert (status.failing_since, status.last_error, status.given_up) == (None, "", 1)


async def test_what_waits_comes_after_a_test_that_is_taken(parts: Parts) -> None:
    page = way(Event.TASK_FAILED)
    page.answers += [Answer(Outcome.FAILED, "later", timedelta(hours=1))]
    host = await parts.connect("web01")
    slow = replace(FAST, obeyed=3600.0)
    async with delivering(parts, page, times=slow) as service:
        await ran(parts, host, fails=True)
        await settled(service, lambda one: one.failing_since)
        assert await service.test("page", ANA) == TAKEN
        status = await settled(service)
    assert (status.delivered, page.told) == (1, ["task_failed", "test", "task_failed"])


def test_pauses_grow_at_random_and_obey_a_receiver(parts: Parts) -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    made = ReceiverDelivery(
        parts.core, parts.watch, Sender("id", "name"), way(), DeliveryTimes(), draw
    )
    pauses = [made._next_pause(BAD) for _ in range(12)]
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert pauses[-1] == 600.0
    assert {low for low, _ in drawn} == {1.0}
    busy = Answer(Outcome.FAILED, "busy", timedelta(days=1))
    assert made._next_pause(busy) == 3600.0
    assert made._next_pause(TAKEN) == 0.0
    assert made._next_pause(BAD) == 2.0


async def test_a_task_that_was_pruned_is_not_told(parts: Parts) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    made = NotificationService(parts.core, parts.watch, "dashboard", [page], FAST)
    await made.begin()
    await ran(parts, host)

    def prune(tx: Transaction) -> None:
        tx.execute("UPDATE tasks SET pruned_at = 1")

    await parts.database.write(prune)
    async with delivering(parts, page) as service:
        await settled(service)
    assert page.sent == []
    assert await parts.database.read(notifications.newest) == 0


async def test_a_defect_stops_neither_the_manager_nor_other_events(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, page = await parts.connect("web01"), way(Event.TASK_ENDED)
    made = NotificationService(parts.core, parts.watch, "dashboard", [page], FAST)
    await made.begin()
    await ran(parts, host)
    second = await ran(parts, host)
    shape, send, tries = event_shape, page.send, 0

    def broken(tx: Transaction, sender: Sender, told: Notification, after: int) -> Any:
        if told.task_id != second:
            raise KeyError("ahead")
        return shape(tx, sender, told, after)

    async def broken_once(*given: Any) -> Answer:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("can't start new thread")
        return await send(*given)

    monkeypatch.setattr(courier_module, "event_shape", broken)
    monkeypatch.setattr(page, "send", broken_once)
    async with delivering(parts, page) as service:
        status = await settled(service)
    assert (status.given_up, status.delivered, tries) == (1, 1, 2)


async def test_hosts_that_were_removed_are_not_told(parts: Parts) -> None:
    page = way(Event.HOST_LOST)
    host = await parts.connect("web01")
    made = NotificationService(parts.core, parts.watch, "dashboard", [page], FAST)
    await made.begin()
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()
    await parts.host_management.remove(["web01"], ANA)
    async with delivering(parts, page) as service:
        await settled(service)
    assert page.sent == []


@pytest.mark.postgresql
async def test_of_several_managers_the_one_that_leads_delivers(tmp_path: Path) -> None:
    page = way(Event.TASK_ENDED)
    async with several_managers(tmp_path) as managers:
        a, b = await managers.start("a"), await managers.start("b")
        await managers.beat()
        first = NotificationService(a.core, a.watch, "a", [page], FAST)
        other = NotificationService(b.core, b.watch, "b", [page], FAST)
        await first.begin()
        with pytest.raises(NotLeadingError):
            await other.run()
        task_id = await b.tasks.create_task(spec("@all", "true"))
        await b.tasks.cancel_task(task_id)  # what another manager does is told too
        assert [one.pending for one in await other.list_receivers()] == [1]
        await managers.stop("a")
        await managers.beat("b", times=5)
        async with delivering(b, page) as service:
            await settled(service)
    assert page.told == ["task_ended"]

"""When watchers are told of changes, on a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from tests.support.jumping_loop import run_jumping
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.change_feed import ChangeFeed

EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True, templates=True, schedules=True)
HOSTS = Changes(hosts=True)
Told = list[tuple[float, Changes]]


def of_task(task_id: int) -> Changes:
    return Changes(tasks=frozenset({task_id}))


def told_of(publish: Callable[[ChangeFeed], Awaitable[None]]) -> Told:
    """What one watcher is told, and when: seconds since it began to watch."""

    async def go() -> Told:
        feed, told = ChangeFeed(), Told()
        loop = asyncio.get_running_loop()

        async def watch() -> None:
            async for changes in feed.watch():
                told.append((round(loop.time(), 3), changes))

        watcher = asyncio.create_task(watch())
        await asyncio.sleep(0)
        await publish(feed)
        await asyncio.sleep(2)
        feed.close()
        with pytest.raises(UnreachableError):
            await watcher
        return told

    return run_jumping(go())


def test_the_changes_of_one_command_are_told_at_once() -> None:
    async def publish(feed: ChangeFeed) -> None:
        await asyncio.sleep(5)
        feed.publish(of_task(1))
        await asyncio.sleep(0.004)
        feed.publish(of_task(2))
        await asyncio.sleep(0.003)
        feed.publish(of_task(3))

    assert told_of(publish) == [
        (0.0, EVERYTHING),
        (5.0, of_task(1)),
        (5.004, of_task(2)),
        (5.007, of_task(3)),
    ]


def test_changes_are_published_ten_times_a_second_at_most() -> None:
    async def publish(feed: ChangeFeed) -> None:
        for number in range(3000):
            feed.publish(of_task(number % 100))
            await asyncio.sleep(0.001)

    moments = [at for at, _ in told_of(publish)]
    assert 28 <= len(moments) <= 31
    assert all(later - first > 0.999 for first, later in zip(moments, moments[10:], strict=False))


def test_nothing_is_lost_while_a_watcher_waits() -> None:
    async def publish(feed: ChangeFeed) -> None:
        for number in range(50):
            feed.publish(of_task(number))
            await asyncio.sleep(0.001)

    told = told_of(publish)
    assert frozenset[int]().union(*(changes.tasks for _, changes in told)) == set(range(50))


def test_figures_are_gathered_for_half_a_second() -> None:
    async def publish(feed: ChangeFeed) -> None:
        await asyncio.sleep(5)
        for _ in range(40):
            feed.publish_figures(HOSTS)
            await asyncio.sleep(0.01)

    assert told_of(publish) == [(0.0, EVERYTHING), (5.5, HOSTS)]


def test_figures_are_published_twice_a_second() -> None:
    async def publish(feed: ChangeFeed) -> None:
        for number in range(2000):
            feed.publish(of_task(number % 100))
            feed.publish_figures(HOSTS)
            await asyncio.sleep(0.001)

    told = told_of(publish)
    assert sum(changes.hosts for _, changes in told) == 1 + 4
    assert len(told) > 18


def test_a_slow_watcher_gets_merged_changes() -> None:
    async def go() -> None:
        feed = ChangeFeed()
        async with aclosing(feed.watch()) as watching:  # type: ignore[type-var]
            assert await anext(watching) == EVERYTHING
            for number in range(20):
                feed.publish(of_task(number))
                await asyncio.sleep(1)
            assert (await anext(watching)).tasks == set(range(20))

    run_jumping(go())


def test_a_subscription_returns_the_changes_since_the_last_look() -> None:
    feed = ChangeFeed()
    folded = feed.subscribe()
    assert folded.take() == EVERYTHING
    assert not folded.take()
    feed.publish(HOSTS)
    feed.publish(of_task(1))
    assert folded.take() == HOSTS | of_task(1)

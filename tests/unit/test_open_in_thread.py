"""Files and connections that threads open, and callers that are cancelled meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.support.waiting import wait_until
from tui_manager.open_in_thread import close_in_thread, open_in_thread


@dataclass
class Door:
    """What is opened. It waits for `may_open` and `may_close`."""

    may_open: threading.Event = field(default_factory=threading.Event)
    may_close: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    closed: int = 0

    def open(self) -> "Door":
        self.asked += 1
        self.may_open.wait()
        return self

    def close(self) -> None:
        self.may_close.wait()
        self.closed += 1

    async def is_closed(self) -> int:
        return self.closed

    async def is_asked(self) -> int:
        return self.asked


@pytest.fixture
async def threads() -> AsyncIterator[ThreadPoolExecutor]:
    """The only thread of the event loop."""
    with ThreadPoolExecutor(1) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        yield executor


@pytest.fixture
def door() -> Door:
    made = Door()
    made.may_close.set()
    return made


async def test_the_caller_has_what_was_opened(door: Door) -> None:
    door.may_open.set()
    assert await open_in_thread(door.open, Door.close) is door
    assert door.closed == 0
    await close_in_thread(door.close)
    assert door.closed == 1


async def test_an_error_of_the_opening_is_raised() -> None:
    def fail() -> Door:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await open_in_thread(fail, Door.close)


async def test_a_caller_that_is_cancelled_before_it_is_open(door: Door) -> None:
    opening = asyncio.create_task(open_in_thread(door.open, Door.close))
    await wait_until(door.is_asked, bool)
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    door.may_open.set()
    assert await wait_until(door.is_closed, bool) == 1


async def test_a_caller_that_is_cancelled_before_it_knows_that_it_is_open(
    door: Door, threads: ThreadPoolExecutor
) -> None:
    opening = asyncio.create_task(open_in_thread(door.open, Door.close))
    await wait_until(door.is_asked, bool)
    door.may_open.set()
    threads.submit(int).result()  # the thread has opened it, and the event loop has not gone on
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert door.closed == 1


async def test_a_caller_that_is_cancelled_before_a_thread_is_free(
    door: Door, threads: ThreadPoolExecutor
) -> None:
    busy = threading.Event()
    threads.submit(busy.wait)
    opening = asyncio.create_task(open_in_thread(door.open, Door.close))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    busy.set()
    threads.submit(int).result()
    assert (door.asked, door.closed) == (0, 0)


@pytest.mark.parametrize("cancels", [1, 2])
async def test_it_is_closed_even_if_the_caller_is_cancelled(
    door: Door, threads: ThreadPoolExecutor, cancels: int
) -> None:
    """The first cancel ends what the caller does, the second one its clean-up."""
    busy = threading.Event()

    async def use() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            threads.submit(busy.wait)
            await close_in_thread(door.close)

    using = asyncio.create_task(use())
    for _ in range(cancels):
        await asyncio.sleep(0)
        using.cancel()
    await asyncio.sleep(0)
    busy.set()
    await asyncio.wait([using])
    assert using.cancelled()
    assert await wait_until(door.is_closed, bool) == 1

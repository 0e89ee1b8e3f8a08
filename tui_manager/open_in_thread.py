"""Opens and closes files and connections in threads, so that the event loop does not wait. A caller
that is cancelled leaves nothing open."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def open_in_thread(
    make: Callable[[], T],
    close: Callable[[T], object],
    run: Callable[[Callable[[], None]], Awaitable[None]] = asyncio.to_thread,
) -> T:
    """What `make` returns. It runs in a thread, and cannot be interrupted: if the caller is
    cancelled meanwhile, what it opens is closed.

    Args:
        close: closes it. Any thread may call it.
        run: runs a call in a thread.

    Raises:
        Exception: what `make` raises.
    """
    lock = threading.Lock()
    opened: list[T] = []
    cancelled = False

    def work() -> None:
        resource = make()
        with lock:
            if not cancelled:
                opened.append(resource)
                return
        close(resource)

    try:
        await run(work)
    except asyncio.CancelledError:
        with lock:
            cancelled = True
        if opened:
            await close_in_thread(partial(close, opened[0]))
        raise
    return opened[0]


async def close_in_thread(close: Callable[[], object]) -> None:
    """Calls `close` in a thread. It is called to its end even if the caller is cancelled again.

    Raises:
        Exception: what `close` raises.
    """
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, close))

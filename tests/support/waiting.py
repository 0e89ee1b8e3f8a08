"""Waits for a condition and, when it gives up, says what it saw last."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

State = TypeVar("State")
GIVE_UP = 300.0  # seconds; far beyond what anything takes, so that a busy machine fails no test
_PAUSE = 0.01  # seconds between the first looks
_LONGEST_PAUSE = 0.1


def pause_after(waited: float) -> float:
    """Seconds until the next look, after so many of waiting: about an eighth more. Looks take CPU
    time, which what is waited for needs."""
    return min(max(_PAUSE, waited / 8), _LONGEST_PAUSE)


async def wait_until(
    look: Callable[[], Awaitable[State]],
    fits: Callable[[State], object],
    seconds: float = GIVE_UP,
) -> State:
    """Looks until what it sees fits, and returns that.

    Raises:
        AssertionError: it never fitted within `seconds`; the message shows the last state.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        state = await look()
        if fits(state):
            return state
        waited = loop.time() - began
        if waited > seconds:
            raise AssertionError(f"gave up after {seconds:g} s; the last state was {state!r}")
        await asyncio.sleep(pause_after(waited))

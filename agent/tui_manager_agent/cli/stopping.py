"""How a signal ends what runs."""

import asyncio
from collections.abc import Coroutine
from signal import Signals
from typing import Any


async def run_until(work: Coroutine[Any, Any, None], *signals: Signals) -> bool:
    """Runs it to its end, or cancels it at the first of these signals; True if it came to its end.

    Raises what it raises.
    """
    working = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, working.cancel)
    try:
        await asyncio.wait((working,))
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    if working.cancelled():
        return False
    working.result()
    return True

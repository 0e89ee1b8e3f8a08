"""A benchmark that is ended ends what it has started: managers, agents, peers, folders."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_WITHIN = 15.0  # seconds


def run_to_end(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, where SIGTERM and SIGHUP do what ctrl-c does."""

    async def ended_by_signals() -> T:
        task = asyncio.ensure_future(main)
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    return asyncio.run(ended_by_signals())


async def end(process: asyncio.subprocess.Process, within: float = _WITHIN) -> None:
    """Ends a process that leads a session of its own: politely, then, after so many seconds, with
    everything that it has started."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(within):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

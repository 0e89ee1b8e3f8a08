"""How a runner fails: it ends with an error, or takes too long."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from bench.peers.salt import NotReadyError
from bench.under_test.helper_processes import WorkerDiedError

_WITHIN = 120.0  # seconds


class FailedError(Exception):
    """A runner did not do it on all hosts."""


Result = TypeVar("Result")
FAILURES = (FailedError, WorkerDiedError, NotReadyError, ExceptionGroup)


async def finish_in_time(doing: Awaitable[Result]) -> Result:
    """What it returns. Raises FailedError if it takes too long."""
    try:
        async with asyncio.timeout(_WITHIN):
            return await doing
    except TimeoutError:
        raise FailedError(f"took more than {_WITHIN:g} s") from None

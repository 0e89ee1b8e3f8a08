"""The thread in which the agent writes to its disk. A file of its own, because the journal knows
nothing of threads: who calls it decides where it runs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DiskThread:
    """The one thread in which an agent writes what must last, so that the event loop never waits.

    It runs calls one after the other, in the order in which they were made.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "disk")

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Returns or raises what the call does. Cancelling the wait does not undo the call."""
        done = self._thread.submit(call, *args, **kwargs)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Returns when everything is written."""
        self._thread.shutdown()

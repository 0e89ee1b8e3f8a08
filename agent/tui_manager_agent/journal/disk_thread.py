"""The one thread in which an agent writes what must last, so that the event loop never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Disk:
    """Runs calls in a thread, one after the other, in the order in which they were made."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "disk")

    async def do(self, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the call returns or raises. A cancelled waiter does not undo the call."""
        done = self._thread.submit(act, *args, **kwargs)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Returns when everything is written."""
        self._thread.shutdown()

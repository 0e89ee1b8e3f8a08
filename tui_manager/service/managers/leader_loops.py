"""LeaderLoops: runs the loops that only the leader has, while this manager leads."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tui_manager.service.core.core import NotLeadingError
from tui_manager.service.managers.leadership import Leadership

log = logging.getLogger(__name__)
Loop = Callable[[], Coroutine[Any, Any, None]]


class LeaderLoops:
    """Each loop runs until it is cancelled, begins anew each time, and plans with `Core.plan`."""

    def __init__(self, leadership: Leadership, loops: Mapping[str, Loop]) -> None:
        """
        Args:
            loops: by their names in the log.
        """
        self._leadership = leadership
        self._loops = loops

    async def run(self) -> None:
        """Plans while this manager leads, until cancelled.

        Raises:
            Exception: what a loop raises, but for the end of the leadership.
        """
        while True:
            await self._leadership.leading.wait()
            epoch = self._leadership.epoch
            try:
                await self._plan()
            except NotLeadingError:
                if self._leadership.epoch == epoch:  # else it has begun to lead again
                    self._leadership.lose("another manager leads")

    async def _plan(self) -> None:
        """Runs all loops until one ends with an error, or this manager does not lead."""
        running = [asyncio.create_task(run(), name=name) for name, run in self._loops.items()]
        running.append(asyncio.create_task(self._until_lost(), name="lease"))
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
        failed = [task for task in running if not task.cancelled() and task.exception()]
        for task in failed:
            error = task.exception()
            assert error is not None
            if not isinstance(error, NotLeadingError):
                log.critical("planning failed", extra={"part": task.get_name()})
                raise error
        raise NotLeadingError

    async def _until_lost(self) -> None:
        await self._leadership.following.wait()
        raise NotLeadingError

"""Replaces the folders of acknowledged executions by lines in the journal's log.

A line needs a sync, but many lines can share one sync. So they are written together a moment later.
If the agent dies before that, it finds the folders again and asks the manager again.
"""

import asyncio
import logging
from collections.abc import Mapping

from tui_manager_agent.journal.disk_thread import DiskThread
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Result

DELAY = 0.5  # seconds from the first acknowledgement to the sync that serves it
RETRY_AFTER = 10.0  # seconds until a disk that failed is tried again
_LOG = logging.getLogger(__name__)


class AckCompactor:
    """The results of acknowledged executions whose folders are still there."""

    def __init__(self, journal: Journal, disk: DiskThread) -> None:
        self._journal = journal
        self._disk = disk
        self._results: dict[str, Result] = {}
        self._pending = asyncio.Event()

    def add(self, execution_id: str, result: Result) -> None:
        """Adds an execution of which the manager has everything."""
        self._results[execution_id] = result
        self._pending.set()

    def find(self, execution_id: str) -> Result | None:
        """The result of an execution whose folder is still there; None if it is not here."""
        return self._results.get(execution_id)

    async def serve(self) -> None:
        """Works until it is cancelled."""
        while True:
            await self._pending.wait()
            await asyncio.sleep(DELAY)
            self._pending.clear()
            batch = dict(self._results)
            if await self._disk.run(self._compact, batch):
                self._results = {id_: r for id_, r in self._results.items() if id_ not in batch}
            else:
                await asyncio.sleep(RETRY_AFTER)
                self._pending.set()

    def close(self) -> None:
        """Compacts what is left. Call when nothing works any more."""
        if self._results:
            self._compact(self._results)

    def _compact(self, results: Mapping[str, Result]) -> bool:
        """False if the disk fails."""
        try:
            self._journal.compact(results)
        except OSError as error:
            _LOG.warning("not compacted: executions=%d error=%s", len(results), error)
            return False
        return True

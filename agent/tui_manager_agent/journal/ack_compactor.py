"""Executions that the manager has acknowledged, and whose folders still lie there for a moment.

They are put away together: the line in the journal that replaces each folder takes a sync, and one
does for all of them. An agent that dies before finds the folders again, and asks the manager again.
"""

import asyncio
import logging

from tui_manager_agent.journal.disk_thread import Disk
from tui_manager_agent.journal.journal import Journal

GATHER = 0.5  # seconds from the first acknowledgement to the sync that serves it
AGAIN = 10.0  # seconds until a disk that failed is tried again
_LOG = logging.getLogger(__name__)


class Leaving:
    """What is put away soon, by execution."""

    def __init__(self, journal: Journal, disk: Disk) -> None:
        self._journal = journal
        self._disk = disk
        self._results: dict[str, dict[str, str]] = {}
        self._some = asyncio.Event()

    def put(self, execution_id: str, result: dict[str, str]) -> None:
        """The manager has everything of it."""
        self._results[execution_id] = result
        self._some.set()

    def find(self, execution_id: str) -> dict[str, str] | None:
        """The result of an execution that is here; None if it is not."""
        return self._results.get(execution_id)

    async def serve(self) -> None:
        """Works until it is cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            self._some.clear()
            batch = dict(self._results)
            if await self._disk.do(self._put_away, batch):
                self._results = {word: r for word, r in self._results.items() if word not in batch}
            else:
                await asyncio.sleep(AGAIN)
                self._some.set()

    def close(self) -> None:
        """Puts away what is here. Call when nothing works any more."""
        if self._results:
            self._put_away(self._results)

    def _put_away(self, results: dict[str, dict[str, str]]) -> bool:
        """False where the disk fails."""
        try:
            self._journal.acknowledge(results)
        except OSError as error:
            _LOG.warning("not put away: executions=%d error=%s", len(results), error)
            return False
        return True

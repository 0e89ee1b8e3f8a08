"""FollowedWork: how much work has not ended. It is read from the database when tasks have changed,
so that no scrape has to."""

import asyncio
import logging

from tui_manager.domain.errors import StorageError
from tui_manager.service.core.core import Core
from tui_manager.storage.views import work_totals
from tui_manager.storage.views.work_totals import UnendedWork

log = logging.getLogger(__name__)
READ_EVERY = 5.0  # seconds, at least, between two looks


class FollowedWork:
    """Follows the tasks while metrics are served.

    Attributes:
        newest: as it was at the last look; None: there was none yet.
    """

    def __init__(self, core: Core) -> None:
        self.newest: UnendedWork | None = None
        self._core = core

    async def run(self) -> None:
        """Looks, at most every few seconds, after tasks have changed, until cancelled."""
        feed = self._core.feed
        changes = feed.subscribe()
        try:
            while True:
                await changes.changed.wait()
                taken = changes.take()
                if taken.all_tasks or taken.tasks:
                    await self.run_once()
                await asyncio.sleep(READ_EVERY)
        finally:
            feed.detach(changes)

    async def run_once(self) -> None:
        """Reads how much there is now."""
        try:
            self.newest = await self._core.database.read(work_totals.unended_work)
        except StorageError as error:
            log.warning("unended work could not be counted", extra={"error": str(error)})

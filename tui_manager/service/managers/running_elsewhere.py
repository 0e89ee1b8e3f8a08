"""RunningElsewhere: how many commands run on hosts that are connected to other managers. It counts
rows of the database, because vitals come later and would still count commands that have ended."""

import asyncio
import contextlib
import logging

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.core import Core
from tui_manager.service.managers.log_storage_error import log_storage_error
from tui_manager.storage.views.delivery import gateway_work

log = logging.getLogger(__name__)
_LOOK_EVERY = 5.0  # seconds; a hint may be lost
_PAUSE = 0.5  # seconds, at least, between two looks
_SHARE = 20  # a look that takes long is followed by a pause this many times as long


class RunningElsewhere:
    """What it hears is a hint: it counts all of them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._woken = asyncio.Event()

    def note_changes(self, changes: Changes) -> None:
        """Another manager has changed something."""
        if changes.hosts or changes.tasks or changes.all_tasks:
            self._woken.set()

    async def run(self) -> None:
        """Counts until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._woken.wait()
            self._woken.clear()
            began = loop.time()
            try:
                await self.run_once()
            except StorageError as error:
                log_storage_error(log, self._core, "commands elsewhere are not counted", error)
            await asyncio.sleep(max(_PAUSE, _SHARE * (loop.time() - began)))

    async def run_once(self) -> None:
        """Counts once. Raises StorageError."""
        directory = self._core.directory
        if not directory.alive:
            return
        running = await self._core.database.read(
            lambda tx: gateway_work.running_elsewhere(tx, directory.gateway)
        )
        if directory.take_running(running):
            self._core.feed.publish_figures(Changes(hosts=True))

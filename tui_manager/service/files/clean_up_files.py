"""Removes files that nobody needs: sets that no kept task and no saved task file uses, what was
left behind in the folder, and bytes in the database that no set names."""

import asyncio
import contextlib
import logging
from datetime import timedelta

from tui_manager.domain.errors import StorageError
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core, NotLeadingError
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.files.free_space import NEEDED_FOR
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.tables.files import file_pieces, file_sets

log = logging.getLogger(__name__)
LEFT_BEHIND = timedelta(days=1)  # after which nobody goes on with what has arrived
_FIRST_LOOK = 60.0  # seconds after the start, when other work is more urgent
_LOOK_EVERY = 600.0
_IDLE = 60.0  # seconds after which a set that nobody reads is closed
_PIECES = 32  # of the database in one transaction
_PAUSE = 0.05  # seconds between two of them, in which others have the writer


class FilesCleanUp:
    """Looks from time to time. Nothing is removed while the clock is not trusted."""

    def __init__(self, core: Core, store: FileStore, clock_watch: ClockWatch) -> None:
        self._core = core
        self._store = store
        self._clock_watch = clock_watch

    async def run(self) -> None:
        """Looks until cancelled."""
        pause, waited = _FIRST_LOOK, 0.0
        while True:
            await asyncio.sleep(_IDLE)
            self._store.close_idle(0, self._core.clock.monotonic() - _IDLE)
            waited += _IDLE
            if waited < pause:
                continue
            pause, waited = _LOOK_EVERY, 0.0
            try:
                await self.run_once()
            except StorageError as error:
                log.error("the clean-up of files waits", extra={"error": str(error)})

    async def run_once(self) -> None:
        """Removes all that nobody needs now, and gives other managers the sets that only this one
        has.

        Raises:
            StorageError: the folder or the database cannot be used now; the next look continues.
        """
        if self._core.database.shared:
            await self._store.share_missing()
        if not await self._clock_watch.may_prune():
            return
        if not self._core.database.shared or self._core.database.epoch is not None:
            while removed := await self._store.space.remove_least_used(unused=True):
                log.info("a file set is removed", extra={"file_set": removed.sha256})
            await self._remove_pieces()
        await self._remove_unknown()
        await self._store.space.remove_left_behind(LEFT_BEHIND)

    async def _remove_pieces(self) -> None:
        """Removes bytes of the database that no set names."""
        before = self._core.clock.stamp() - from_timedelta(LEFT_BEHIND)
        with contextlib.suppress(NotLeadingError):  # then another manager does it
            more = True
            while more:
                more = await self._core.plan(
                    lambda tx: file_pieces.remove_some(tx, before, _PIECES)
                )
                await asyncio.sleep(_PAUSE)

    async def _remove_unknown(self) -> None:
        """Removes sets from the folder that the database does not have."""
        store = self._store
        oldest = (self._core.clock.now() - NEEDED_FOR).timestamp()
        stored = await store.threads.run(store.folder.stored)
        old = [one.sha256 for one in stored if one.used_at < oldest]
        known = await self._core.database.read(lambda tx: file_sets.known(tx, old))
        for sha256 in old:
            if sha256 in known:
                continue
            async with store.locks.of(sha256):
                if await store.find(sha256) is None:
                    await store.threads.run(store.folder.remove, sha256)
                    log.info("files without a set are removed", extra={"file_set": sha256})

"""Room for file sets: the limit of the folder, the free disk, and what is removed to make room."""

import logging
from collections.abc import Callable
from datetime import timedelta

from tui_manager.domain.errors import StorageError
from tui_manager.domain.files import FileSet
from tui_manager.service.core.core import Core
from tui_manager.service.files.file_threads import FileThreads, SetLocks
from tui_manager.service.files.files_folder import FilesFolder
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables import file_sets

log = logging.getLogger(__name__)
NEEDED_FOR = timedelta(hours=1)  # after a set came: its task is made only then
_LOOK_AGAIN = 5.0  # seconds after which the size of all sets is read anew
_CANDIDATES = 50  # sets of one look for some that nobody needs


class FilesRoom:
    """What the sets take, and removes some if there is not enough room.

    Attributes:
        receiving: names of partial sets that are being received now.
        on_remove: called with the hash of a set that was removed from the folder.
    """

    def __init__(
        self, core: Core, folder: FilesFolder, threads: FileThreads, locks: SetLocks
    ) -> None:
        self._core = core
        self._folder = folder
        self._threads = threads
        self._locks = locks
        self.receiving: set[str] = set()
        self.on_remove: Callable[[str], None] = lambda _: None
        self._stored = 0  # bytes of all sets, as last read
        self._copies = 0  # bytes of those in the folder
        self._partial = 0  # bytes of those that have not all arrived
        self._read_at: float | None = None

    def add_partial(self, size: int) -> None:
        """Notes that so many bytes have arrived; negative: that they are gone, or are a set now."""
        self._partial += size

    def add_set(self, size: int) -> None:
        """Notes that a set of so many bytes was stored."""
        self._stored += size
        self._copies += size

    def add_copy(self, size: int) -> None:
        """Notes that the folder got a set of so many bytes from the database."""
        self._copies += size

    async def make(self, size: int, *, copies: bool = False) -> None:
        """Makes room for so many bytes.

        Args:
            copies: they are of a set that is stored in the database, so only the folder gets them.

        Raises:
            StorageError: there is not enough. The sentence says what to do.
        """
        await self._look(exactly=False)
        if not await self._lacks(size, copies=copies):
            return
        await self._look(exactly=True)
        while await self._lacks(size, copies=copies):
            if not await self._remove_one(size, copies=copies):
                raise StorageError(await self._why(size, copies=copies))
            await self._look(exactly=True)

    async def _look(self, *, exactly: bool) -> None:
        """Reads how much is stored; not each time, unless `exactly`."""
        now = self._core.clock.monotonic()
        if not exactly and self._read_at is not None and now - self._read_at < _LOOK_AGAIN:
            return
        self._stored = await self._core.database.read(file_sets.total)
        received = await self._threads.run(self._folder.received)
        self._partial = sum(size for size, _ in received.values())
        if self._core.database.shared:
            self._copies = sum(one.size for one in await self._threads.run(self._folder.stored))
        self._read_at = now

    def _all_over_limit(self, size: int, *, copies: bool) -> bool:
        """Whether all sets of all managers would take too much."""
        taken = self._stored + self._partial + size
        return not copies and taken > self._core.limits.files_limit

    def _folder_over_limit(self, size: int) -> bool:
        """Whether the folder would, which has only some of the sets of a shared database."""
        shared = self._core.database.shared
        return shared and self._copies + self._partial + size > self._core.limits.files_limit

    async def _lacks(self, size: int, *, copies: bool) -> bool:
        if self._all_over_limit(size, copies=copies) or self._folder_over_limit(size):
            return True
        return await self._free_disk() < size

    async def _free_disk(self) -> int:
        """Bytes that may be used on the disk."""
        return await self._threads.run(self._folder.free) - self._core.limits.free_disk

    async def _remove_one(self, size: int, *, copies: bool) -> bool:
        """Removes what is needed least; False: all is needed."""
        if await self.remove_left_behind(NEEDED_FOR):
            return True
        shared = self._core.database.shared
        if shared and not self._all_over_limit(size, copies=copies):
            return await self._remove_copy()
        if removed := await self.remove_least_used():
            log.info("a file set is removed to make room", extra={"file_set": removed.sha256})
        return bool(removed)

    async def remove_least_used(self, *, unused: bool = False) -> FileSet | None:
        """Removes the set that was not used for the longest time and that nobody needs; None: all
        are needed.

        Args:
            unused: only one that no task uses that is kept.
        """
        before = self._core.clock.stamp() - from_timedelta(NEEDED_FOR)
        found = await self._core.database.read(
            lambda tx: file_sets.removable(tx, before, _CANDIDATES, unused=unused)
        )
        for files in found:
            if await self._remove(files, before, unused=unused):
                return files
        return None

    async def _remove(self, files: FileSet, before: int, *, unused: bool) -> bool:
        def work(tx: Transaction) -> bool:
            return bool(file_sets.remove(tx, [files], before, unused=unused))

        async with self._locks.of(files.sha256):
            if not await self._core.database.write(work):
                return False
            await self._remove_files(files.sha256)
        return True

    async def _remove_files(self, sha256: str) -> None:
        await self._threads.run(self._folder.remove, sha256)
        self.on_remove(sha256)

    async def _remove_copy(self) -> bool:
        """Removes the set from the folder that was not opened for the longest time, and whose bytes
        are in the database."""
        stored = await self._threads.run(self._folder.stored)
        rows = {row.files.sha256: row for row in await self._core.database.read(file_sets.all_sets)}
        for one in stored:
            row = rows.get(one.sha256)
            lock = self._locks.of(one.sha256)
            if row is None or row.upload is None or lock.locked():
                continue
            async with lock:
                await self._remove_files(one.sha256)
            return True
        return False

    async def remove_left_behind(self, after: timedelta) -> bool:
        """Removes what attempts have left of which nothing came for so long; whether there was
        any."""
        oldest = (self._core.clock.now() - after).timestamp()
        removed = False
        for name, (size, written_at) in (await self._threads.run(self._folder.received)).items():
            if written_at > oldest or name.rpartition(".")[0] in self.receiving:
                continue
            path = self._folder.incoming / name
            await self._threads.run(path.unlink, True)
            self._partial -= size
            removed = True
        return removed

    async def _why(self, size: int, *, copies: bool) -> str:
        """Why there is not enough room, and what to do."""
        limits, path = self._core.limits, self._folder.path
        if self._all_over_limit(size, copies=copies) or self._folder_over_limit(size):
            return (
                f"These files need {_amount(size)}, and the files that the manager keeps take "
                f"{_amount(self._stored + self._partial)} of {_amount(limits.files_limit)}: tasks "
                "that have not ended, templates and schedules need them, or they came within the "
                "last hour. Set files_limit, or delete templates that are not used any more."
            )
        free = await self._threads.run(self._folder.free)
        return (
            f"These files need {_amount(size)}, and {_amount(free)} are free in {path}, of which "
            f"{_amount(limits.free_disk)} stay free. Free some space, or set free_disk."
        )


def _amount(size: int) -> str:
    """Bytes for people; rounded up, so that what is lacking is not shown as 0."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"

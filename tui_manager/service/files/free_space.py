"""Room for file sets: the limit of the folder, the free disk, and what is removed to make room."""

import logging
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.files.file_threads import FileThreads, SetLocks
from tui_manager.service.files.files_folder import FilesError, FilesFolder
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import file_sets

log = logging.getLogger(__name__)
NEEDED_FOR = timedelta(hours=1)  # after a set came: its task is made only then
_LOOK_AGAIN = 5.0  # seconds after which the size of all sets is read anew
_CANDIDATES = 50  # sets of one look for some that nobody needs
_NOT_TRUSTED = (
    "No files are removed to make room while the clock of the manager is not trusted. If it is "
    "right, run: tui-manager clock accept"
)


@dataclass(frozen=True, slots=True)
class _Removable:
    """Bytes that could be removed to make room.

    Attributes:
        unneeded: of sets that nobody needs, and of what attempts have left behind.
        in_folder: of the folder; with a shared database also of each set whose bytes are there.
    """

    unneeded: int
    in_folder: int


_NOTHING = _Removable(0, 0)


class FreeSpace:
    """Counts the bytes of the sets, and removes some sets if there is not enough room. While the
    clock is not trusted, nobody can tell how old a set is. Then it removes only copies of what the
    database has.

    Attributes:
        receiving: names of partial sets that are being received now.
        on_remove: called with the hash of a set that was removed from the folder.
    """

    def __init__(
        self,
        core: Core,
        folder: FilesFolder,
        threads: FileThreads,
        locks: SetLocks,
        clock_watch: ClockWatch,
    ) -> None:
        self._core = core
        self._clock_watch = clock_watch
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

    async def make_room(self, size: int, *, first: int | None = None, copies: bool = False) -> None:
        """Makes room for bytes that come. Nothing is removed for what can never fit.

        Args:
            first: make it only for so many of them, so that nothing is removed for bytes that
                are announced and never come; None: for all.
            copies: they are of a set that is stored in the database, so only the folder gets them.

        Raises:
            StorageError: there is not enough, or will not be. The sentence says what to do.
        """
        await self._look(exactly=False)
        if not await self._lacks(size, copies=copies):
            return
        await self._look(exactly=True)
        removable = await self._removable()
        if await self._lacks(size, removable, copies=copies):
            raise FilesError(await self._why(size, removable, copies=copies))
        now = size if first is None else first
        while await self._lacks(now, copies=copies):
            if not await self._remove_one(now, copies=copies):
                raise FilesError(await self._why(size, _NOTHING, copies=copies))
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

    async def _removable(self) -> _Removable:
        """What could be removed."""
        sets: list[FileSet] = []
        if before := await self._long_ago(NEEDED_FOR):
            came = from_datetime(before)
            sets = await self._core.database.read(
                lambda tx: file_sets.removable(tx, came, sys.maxsize)
            )
        left = sum((await self._left_behind(NEEDED_FOR)).values())
        unneeded = in_folder = left + sum(files.manifest_size + files.size for files in sets)
        if self._core.database.shared:
            stored = await self._threads.run(self._folder.stored)
            known = await self._copied()
            in_folder = left + sum(one.size for one in stored if one.sha256 in known)
        return _Removable(unneeded, in_folder)

    def _all_over_limit(self, size: int, removed: _Removable = _NOTHING, *, copies: bool) -> bool:
        """Whether all sets of all managers would take too much."""
        taken = self._stored + self._partial + size - removed.unneeded
        return not copies and taken > self._core.limits.files_limit

    def _folder_over_limit(self, size: int, removed: _Removable = _NOTHING) -> bool:
        """Whether the folder would, which has only some of the sets of a shared database."""
        taken = self._copies + self._partial + size - removed.in_folder
        return self._core.database.shared and taken > self._core.limits.files_limit

    async def _lacks(self, size: int, removed: _Removable = _NOTHING, *, copies: bool) -> bool:
        """Whether there is no room for so many bytes, even if so much was removed."""
        if self._all_over_limit(size, removed, copies=copies):
            return True
        if self._folder_over_limit(size, removed):
            return True
        return await self._free_disk() + removed.in_folder < size

    async def _free_disk(self) -> int:
        """Bytes that may be used on the disk."""
        return await self._threads.run(self._folder.free) - self._core.limits.free_disk

    async def _long_ago(self, after: timedelta) -> datetime | None:
        """The time so long ago; None: the clock is not trusted. Raises StorageError."""
        then = self._core.clock.now() - after  # before the look, which sees a jump until now
        return then if await self._clock_watch.may_prune() else None

    async def _remove_one(self, size: int, *, copies: bool) -> bool:
        """Removes what is needed least; False: all is needed, or may be."""
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
        are needed, or may be.

        Args:
            unused: only one that no task uses that is kept.
        """
        before = await self._long_ago(NEEDED_FOR)
        if before is None:
            return None
        came = from_datetime(before)
        found = await self._core.database.read(
            lambda tx: file_sets.removable(tx, came, _CANDIDATES, unused=unused)
        )
        for files in found:
            if await self._remove(files, came, unused=unused):
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
        known = await self._copied()
        for one in stored:
            lock = self._locks.of(one.sha256)
            if one.sha256 not in known or lock.locked():
                continue
            async with lock:
                await self._remove_files(one.sha256)
            return True
        return False

    async def _copied(self) -> set[str]:
        """The sets whose bytes are in the database."""
        rows = await self._core.database.read(file_sets.all_sets)
        return {row.files.sha256 for row in rows if row.upload is not None}

    async def remove_left_behind(self, after: timedelta) -> bool:
        """Removes what attempts have left of which nothing came for so long; whether there was
        any."""
        removed = False
        for name, size in (await self._left_behind(after)).items():
            if self._is_received(name):  # since a moment ago
                continue
            path = self._folder.incoming / name
            await self._threads.run(path.unlink, True)
            self._partial -= size
            removed = True
        return removed

    async def _left_behind(self, after: timedelta) -> dict[str, int]:
        """What attempts have left of which nothing came for so long: the size of each file."""
        oldest = await self._long_ago(after)
        if oldest is None:
            return {}
        received = await self._threads.run(self._folder.received)
        return {
            name: size
            for name, (size, written_at) in received.items()
            if written_at <= oldest.timestamp() and not self._is_received(name)
        }

    def _is_received(self, name: str) -> bool:
        """Whether a file of the folder `incoming` is being received now."""
        return name.rpartition(".")[0] in self.receiving

    async def _why(self, size: int, removable: _Removable, *, copies: bool) -> str:
        """Why there is not enough room, even if so much was removed, and what to do."""
        limits, path = self._core.limits, self._folder.path
        need = f"These files need {_amount(size)}, and"
        if size > limits.files_limit:
            return (
                f"{need} the manager keeps {_amount(limits.files_limit)} of files at most. Set "
                "files_limit."
            )
        not_trusted = f" {_NOT_TRUSTED}" if self._clock_watch.untrusted else ""
        if self._all_over_limit(size, removable, copies=copies) or self._folder_over_limit(
            size, removable
        ):
            kept = self._stored + self._partial - removable.unneeded
            taken = f"{_amount(kept)} of {_amount(limits.files_limit)}"
            if not_trusted:
                return f"{need} the files that the manager has take {taken}.{not_trusted}"
            return (
                f"{need} the files that the manager has to keep take {taken}: tasks that "
                "have not ended, templates and schedules need them, or they came within the last "
                "hour. Set files_limit, or delete templates that are not used any more."
            )
        free = await self._threads.run(self._folder.free)
        more = removable.in_folder
        return (
            f"{need} {_amount(free)} are free in {path}, of which {_amount(limits.free_disk)} stay "
            f"free{f'; files that nobody needs take {_amount(more)} more' if more else ''}. Free "
            f"some space, or set free_disk.{not_trusted}"
        )


def _amount(size: int) -> str:
    """Bytes for people; rounded up, so that what is lacking is not shown as 0."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"

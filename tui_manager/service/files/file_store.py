"""FileStore: the files on their way to and from hosts. It receives file sets, keeps them in the
folder `files` of the state folder, and reads them.

A set is written to the folder first, then to the database. Only sets in the database count. Other
files of the folder are used if the same set comes again, or else removed. If several managers share
the database, the bytes are there too. A manager whose folder lacks a set reads it from there.
"""

import asyncio
import contextlib
import itertools
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.files.check_data import check_manifest
from tui_manager.service.files.file_threads import FileThreads, SetLocks
from tui_manager.service.files.files_folder import FOLDER, FilesError, FilesFolder, OpenSet
from tui_manager.service.files.free_space import FreeSpace
from tui_manager.service.files.partial_set import PartialSet
from tui_manager.service.files.receive_file_set import LOOK_EVERY, FileSetReceiver
from tui_manager.service.files.shared_bytes import SharedBytes
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import file_sets
from tui_manager.storage.tables.files.file_sets import FileSetRow

log = logging.getLogger(__name__)
OPERATOR = "operator"  # the owner of what operators send
_FROM_DATABASE = "database"
_OWNER = re.compile(r"[\w-]{1,64}")
OPEN_MAX = 64  # sets that are open for reading, as long as nobody reads more at one time
_BEING_READ = 10.0  # seconds since the last piece of a set, in which the next one may be read
_HASH_SHOWN = 12


class FileStore:
    """Used on the manager's loop. What blocks runs in threads."""

    def __init__(self, core: Core, state_dir: Path, clock_watch: ClockWatch) -> None:
        self.folder = FilesFolder(state_dir / FOLDER)
        self._core = core
        self._database = core.database
        self.threads = FileThreads()
        self.locks = SetLocks()
        self.space = FreeSpace(core, self.folder, self.threads, self.locks, clock_watch)
        self.space.on_remove = self._close_removed
        self._shared = SharedBytes(core, self.threads)
        self._opened: OrderedDict[str, OpenSet] = OrderedDict()  # by hash; last those used last

    async def begin(self) -> None:
        """Makes the folder. Raises StorageError if that is not possible, or if it belongs to
        another user."""
        await self.threads.run(self.folder.prepare)

    async def close(self) -> None:
        """Waits for what runs, and lets go of all files."""
        await self.threads.close()
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()

    async def find(self, sha256: str) -> FileSet | None:
        """A set that is stored, by the hash of its manifest. Raises StorageError."""
        row = await self._find_row(sha256)
        return row.files if row else None

    async def _find_row(self, sha256: str) -> FileSetRow | None:
        return await self._database.read(lambda tx: file_sets.find(tx, sha256))

    def use(self, tx: Transaction, commands: Iterable[CommandSpec]) -> list[FileSet]:
        """In a transaction: a task or a saved task file uses the sets that these steps send.
        Returns them.

        Raises:
            NotFoundError: the manager does not have one of them.
            InvalidInputError: a step gives other sizes.
            StorageError: the folder is missing.
        """
        users = {files: each for each in commands if (files := each.stored_files)}
        used = sorted(users, key=lambda files: files.sha256)  # no two transactions wait in a ring
        for files in used:
            row = file_sets.use(tx, files.sha256, self._core.clock.stamp())
            if row is None or (row.upload is None and not self.folder.has(row.files)):
                raise _missing(users[files], files.sha256)
            _check_same(row.files, files)
        return used

    async def read(self, sha256: str, part: FileSetPart, offset: int, length: int) -> bytes | int:
        """Bytes of a set from `offset` on, at least one, at most `length`; an int: so many bytes
        that are zero.

        Raises:
            NotFoundError: the set is not stored (any more).
            InvalidInputError: there is no such byte.
            StorageError: the folder or the database cannot be read now, or no room can be made.
        """
        opened = self._opened.get(sha256) or await self._open(sha256)
        left = opened.files.sizes[part] - offset
        if offset < 0 or length <= 0 or left <= 0:
            raise InvalidInputError(
                "offset",
                f"The {part} of the file set {sha256[:_HASH_SHOWN]} has "
                f"{opened.files.sizes[part]} bytes; there are none from {offset} to "
                f"{offset + length}.",
            )
        self._opened.move_to_end(sha256)
        opened.users += 1
        opened.used_at = self._core.clock.monotonic()
        reading = self.threads.submit(lambda: opened.read(part, offset, min(length, left)))
        reading.add_done_callback(lambda _: self._end_reading(opened))
        try:
            return await asyncio.shield(reading)
        except OSError as error:
            raise self.folder.storage_error(error) from error

    def _end_reading(self, opened: OpenSet) -> None:
        opened.users -= 1

    async def _open(self, sha256: str) -> OpenSet:
        """Opens a set for reading. Raises as `read`."""
        async with self.locks.of(sha256):
            if known := self._opened.get(sha256):
                return known
            row = await self._find_row(sha256)
            if row is None:
                raise _gone(sha256)
            opened = await self.threads.open(self.folder.open, row.files)
            if opened is None and row.upload is not None:
                await self._load(row.files, row.upload)
                opened = await self.threads.open(self.folder.open, row.files)
            if opened is None:
                raise _gone(sha256)
            self._opened[sha256] = opened
        self.close_idle(OPEN_MAX)
        return opened

    def close_idle(self, keep: int, before: float | None = None) -> None:
        """Closes sets that nobody reads now, except so many: first those that were not used for the
        longest time.

        Args:
            before: and of all that were not used since this monotonic time; None: of no more.
        """
        for sha256, opened in list(self._opened.items()):
            idle = before is not None and opened.used_at < before
            if not opened.users and (idle or len(self._opened) > keep):
                del self._opened[sha256]
                opened.close()

    def _close_removed(self, sha256: str) -> None:
        """Lets go of a set that was removed, so that the disk gets its room back; not of one that
        somebody reads piece by piece."""
        opened = self._opened.get(sha256)
        now = self._core.clock.monotonic()
        if opened and not opened.users and opened.used_at <= now - _BEING_READ:
            del self._opened[sha256]
            opened.close()

    async def _load(self, files: FileSet, upload: int) -> None:
        """Reads a set from the database into the folder. The caller holds its lock."""
        log.info("a file set is read from the database", extra={"file_set": files.sha256})
        async with self._partial(files, _FROM_DATABASE) as partial:
            await self.space.make_room(partial.lacking, copies=True)
            try:
                await self._shared.read(upload, partial)
                await self.threads.run(partial.check, long=True)
            except InvalidInputError as error:
                raise FilesError(
                    f"The bytes of the file set {files.sha256[:_HASH_SHOWN]} are damaged in the "
                    f"database: {error} Copy or fetch the files once more."
                ) from error
            await self.threads.run(partial.move_into_place)
        self.space.add_copy(files.manifest_size + files.size)

    @contextlib.asynccontextmanager
    async def receive(
        self, files: FileSet, owner: str = OPERATOR
    ) -> AsyncIterator[FileSetReceiver]:
        """Receives a set. It goes on with what an earlier attempt of the same owner has left.

        Args:
            owner: whose attempts these are: of a fetch the execution id.

        Raises:
            InvalidInputError: there can be no such set, or it has other sizes.
            StorageError: there is no room, or the folder or the database cannot be used now.
        """
        files.check()
        if not _OWNER.fullmatch(owner):
            raise ValueError(f"{owner!r} is no owner of files")
        if await self._take_in_again(files):
            yield self._incoming(files, None)
            return
        async with self._partial(files, owner) as partial:
            await self.space.make_room(partial.lacking, first=min(partial.lacking, LOOK_EVERY))
            yield self._incoming(files, partial)

    def _incoming(self, files: FileSet, partial: PartialSet | None) -> FileSetReceiver:
        return FileSetReceiver(files, partial, self.space, self.threads, self._take_in)

    async def _take_in_again(self, files: FileSet) -> bool:
        """Whether the manager has the set already; if so, it came once more."""
        stamp = self._core.clock.stamp
        async with self.locks.of(files.sha256):
            row = await self._find_row(files.sha256)
            if row:
                _check_same(row.files, files)
            here = await self.threads.run(self.folder.has, files)
            if row and (row.upload is not None or (here and not self._database.shared)):
                again = await self._database.write(
                    lambda tx: file_sets.renew(tx, files.sha256, stamp())
                )
                if again:
                    return True
            if not here:
                return False
            # A manager was killed after it had put the set into the folder.
            await self.threads.run(self._check_stored, files, long=True)
            await self._store(files)
            return True

    def _check_stored(self, files: FileSet) -> None:
        """Raises InvalidInputError unless the manifest in the folder has these sizes."""
        with (
            self.folder.errors(),
            self.folder.place(files.sha256, FileSetPart.MANIFEST).open("rb") as manifest,
        ):
            check_manifest(manifest, files)

    async def _take_in(self, partial: PartialSet) -> None:
        """Stores a set that is checked. Raises StorageError."""
        async with self.locks.of(partial.files.sha256):
            await self.threads.run(partial.move_into_place)
            await self._store(partial.files)
        log.info("a file set is stored", extra={"file_set": partial.files.sha256})

    async def _store(self, files: FileSet) -> None:
        """Writes a set that is in the folder into the database. The caller holds its lock."""
        upload = await self._upload(files) if self._database.shared else None
        stamp = self._core.clock.stamp

        def work(tx: Transaction) -> None:
            file_sets.insert(tx, files, stamp(), upload)

        await self._database.write(work)

    async def _upload(self, files: FileSet) -> int | None:
        """Writes the bytes of a set into the database; None: they are there."""
        row = await self._find_row(files.sha256)
        if row and row.upload is not None:
            return None
        opened = await self.threads.open(self.folder.open, files)
        if opened is None:
            raise _gone(files.sha256)
        try:
            return await self._shared.write(opened)
        finally:
            opened.close()

    async def share_missing(self) -> None:
        """Writes the bytes of sets into the database that only this folder has: the database was
        migrated from SQLite, or a manager was killed meanwhile. Raises StorageError."""
        for files in await self._database.read(file_sets.without_upload):
            async with self.locks.of(files.sha256):
                if await self.threads.run(self.folder.has, files):
                    await self._store(files)

    @contextlib.asynccontextmanager
    async def _partial(self, files: FileSet, owner: str) -> AsyncIterator[PartialSet]:
        """What an earlier attempt of the owner has left of a set, or a new one. Attempts at the
        same time have one each."""
        names = (f"{owner}.{files.sha256}.{number}" for number in itertools.count())
        name = next(name for name in names if name not in self.space.receiving)
        self.space.receiving.add(name)
        try:
            partial = await self.threads.open(PartialSet, self.folder, files, name, long=True)
            try:
                yield partial
            finally:
                await self.threads.run(partial.close)
        finally:
            self.space.receiving.discard(name)


def _check_same(stored: FileSet, files: FileSet) -> None:
    """Raises InvalidInputError unless the sizes of a set are those that are stored with it."""
    if stored != files:
        raise InvalidInputError(
            "files",
            f"The file set {files.sha256[:_HASH_SHOWN]} has {stored.files} files with "
            f"{stored.bytes} bytes, not {files.files} with {files.bytes}; or its parts have other "
            "sizes.",
        )


def _missing(step: CommandSpec, sha256: str) -> NotFoundError:
    """The files of a step that is to be stored, or started, are not here."""
    remedy = (
        "Run `tui-manager agent update` again."
        if step.update
        else "Copy them from where they are; a task file takes them from its own folder if you "
        "remove `stored` from the step."
    )
    return NotFoundError(
        f"The manager does not have the files of the step `{step.title}` (file set "
        f"{sha256[:_HASH_SHOWN]}): it has removed them, or another manager has them. {remedy}"
    )


def _gone(sha256: str) -> NotFoundError:
    return NotFoundError(
        f"The manager does not have the file set {sha256[:_HASH_SHOWN]} any more. Copy or fetch "
        "the files once more."
    )

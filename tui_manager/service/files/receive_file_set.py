"""FileSetReceiver: takes the bytes of one file set from a sender, in order, until it is
complete."""

from collections.abc import Awaitable, Callable

from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files.check_data import WrongDataError
from tui_manager.service.files.file_threads import FileThreads
from tui_manager.service.files.free_space import FreeSpace
from tui_manager.service.files.partial_set import PartialSet

LOOK_EVERY = 16 << 20  # bytes for which space is made at once


class FileSetReceiver:
    """Made by `FileStore.receive`.

    Attributes:
        complete: the manager has all of it, durably.
    """

    def __init__(
        self,
        files: FileSet,
        partial: PartialSet | None,
        space: FreeSpace,
        threads: FileThreads,
        store: Callable[[PartialSet], Awaitable[None]],
    ) -> None:
        """
        Args:
            partial: None: the manager has all of it.
            store: takes in what is checked.
        """
        self.files = files
        self.complete = partial is None
        self._partial = partial
        self._space = space
        self._threads = threads
        self._store = store
        self._unlooked = 0  # bytes since the last look at the space

    def have(self, part: FileSetPart) -> int:
        """Bytes of a part that the manager has: the next one that it needs."""
        return self.files.sizes[part] if self._partial is None else self._partial.have(part)

    async def write(self, part: FileSetPart, offset: int, data: bytes | int) -> None:
        """Adds the next bytes of a part, first those of the manifest. Its last bytes check it.

        Args:
            data: an int: so many bytes that are zero.

        Raises:
            InvalidInputError: they are not the next ones, or more than there can be; or the
                manifest breaks a rule.
            WrongDataError: the manifest has another hash; nothing of it is kept.
            StorageError: they cannot be written, or there is no space. What arrived before stays.
        """
        partial = self._partial
        if partial is None:
            return
        length = data if isinstance(data, int) else len(data)
        self._unlooked += length
        if self._unlooked >= LOOK_EVERY:
            self._unlooked = 0
            lacks = partial.lacks(part)
            await self._space.make_room(lacks, first=min(lacks, max(length, LOOK_EVERY)))
        before = partial.arrived
        try:
            await self._threads.run(
                partial.append, part, offset, data, long=self._ends(part, length)
            )
        finally:
            self._space.add_partial(partial.arrived - before)

    def _ends(self, part: FileSetPart, length: int) -> bool:
        """Whether these bytes are the last ones of the manifest, which is then checked."""
        return part is FileSetPart.MANIFEST and self.have(part) + length == self.files.sizes[part]

    async def finish(self) -> None:
        """Checks the hash of each file, and takes the set in: from then on it is stored durably.

        Raises:
            InvalidInputError: some bytes have not arrived.
            WrongDataError: some have another hash; nothing of the data is kept.
            StorageError: that is not possible now. What arrived stays.
        """
        partial = self._partial
        if partial is None:
            return
        before = partial.arrived
        try:
            await self._threads.run(partial.check, long=True)
        except WrongDataError:
            self._space.add_partial(partial.arrived - before)
            raise
        await self._store(partial)
        self._space.add_partial(-before)
        self._space.add_set(before)
        self._partial, self.complete = None, True

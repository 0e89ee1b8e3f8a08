"""The bytes of file sets in a PostgreSQL database, for managers whose folders lack them. Each piece
is a transaction of its own, on another connection than the main one that writes."""

from collections.abc import Callable

from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart
from tui_manager.service.core.core import Core
from tui_manager.service.files.file_threads import FileThreads
from tui_manager.service.files.files_folder import FilesError, OpenSet
from tui_manager.service.files.partial_set import PartialSet
from tui_manager.storage.engine.transaction import Transaction, Work
from tui_manager.storage.tables.files import file_pieces
from tui_manager.storage.tables.files.file_pieces import PIECE

_SEEN_EVERY = 64  # pieces after which an upload is marked as one that goes on


class SharedBytes:
    """Writes sets into the database, and reads them."""

    def __init__(self, core: Core, threads: FileThreads) -> None:
        self._core = core
        self._database = core.database
        self._threads = threads

    async def write(self, opened: OpenSet) -> int:
        """Writes all bytes of a set, and returns the number of the upload that has them.

        Raises:
            StorageError: the database cannot be written now. What was written is removed a day
                later.
        """
        stamp = self._core.clock.stamp
        upload = await self._database.write_aside(lambda tx: file_pieces.begin(tx, stamp()))
        written = 0
        for part, size in opened.files.sizes.items():
            for number, offset in enumerate(range(0, size, PIECE)):
                data = await self._threads.run(opened.read_bytes, part, offset, PIECE)
                await self._database.write_aside(_piece(upload, part, number, data))
                written += 1
                if written % _SEEN_EVERY == 0:
                    await self._database.write_aside(
                        lambda tx: file_pieces.note_progress(tx, upload, stamp())
                    )
        return upload

    async def read(self, upload: int, partial: PartialSet) -> None:
        """Reads what a set that is being received lacks.

        Raises:
            StorageError: the database cannot be read now, or a piece is not there.
            InvalidInputError: the bytes do not fit.
        """
        for part in partial.files.sizes:
            while partial.lacks(part):
                offset = partial.have(part)
                data = await self._database.read(_read_piece(upload, part, offset // PIECE))
                data = data[offset % PIECE :] if data else b""
                if not data:
                    raise FilesError(
                        f"The bytes of the file set {partial.files.sha256} are not whole in the "
                        "database. Copy or fetch the files once more."
                    )
                await self._threads.run(partial.append, part, offset, data)


def _piece(upload: int, part: FileSetPart, number: int, data: bytes) -> Work:
    def work(tx: Transaction) -> None:
        file_pieces.insert(tx, upload, part, number, data)

    return work


def _read_piece(
    upload: int, part: FileSetPart, number: int
) -> Callable[[Transaction], bytes | None]:
    return lambda tx: file_pieces.piece(tx, upload, part, number)

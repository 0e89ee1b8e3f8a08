"""Between an operator's files and the manager's store, within the manager: what the in-process
operator does for `FileCalls`. A file of its own, because all other calls need no bytes of files."""

from collections.abc import AsyncIterator, Callable

from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.file_calls import PIECE, ReadPart, each_piece
from tui_manager.service.files.file_store import FileStore


async def store_files(
    store: FileStore,
    files: FileSet,
    read: ReadPart,
    on_progress: Callable[[int], None] | None,
) -> None:
    """See FileCalls."""
    async with store.receive(files) as incoming:
        for part, size in files.sizes.items():
            if incoming.complete or incoming.have(part) == size:
                continue
            async for piece in each_piece(read(part, incoming.have(part))):
                await incoming.write(part, incoming.have(part), piece)
                if on_progress and part is FileSetPart.DATA:
                    on_progress(incoming.have(part))
        await incoming.finish()


async def read_files(
    store: FileStore, files: FileSet, part: FileSetPart, offset: int
) -> AsyncIterator[bytes | int]:
    """See FileCalls."""
    while offset < files.sizes[part]:
        piece = await store.read(files.sha256, part, offset, PIECE)
        yield piece
        offset += piece if isinstance(piece, int) else len(piece)

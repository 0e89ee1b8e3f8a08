"""The part of the operator's API that is about the bytes of copied and fetched files; see
`api.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from tui_manager.domain.task_spec.copy_and_fetch import FileSetPart

if TYPE_CHECKING:
    from tui_manager.domain.task_spec.copy_and_fetch import FileSet

PIECE = 1024 * 1024  # bytes that one piece has at most

# The bytes of a part from an offset on: pieces of at most 1 MiB, or the number of bytes that are
# zero. An iterator that is not asynchronous blocks, so that a thread takes each piece.
Pieces = Iterator[bytes | int] | AsyncIterator[bytes | int]
ReadPart = Callable[[FileSetPart, int], Pieces]


class FileCalls(Protocol):
    """How an operator gives files to the manager, and gets those of hosts."""

    async def store_files(
        self,
        files: FileSet,
        read: ReadPart,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Stores a file set with the manager; what it has already is not read. If the manager is
        lost meanwhile, the next call goes on at the byte.

        Args:
            read: an error that it raises ends the call as it is.
            on_progress: is called with the number of bytes of the data that the manager has, by any
                thread.

        Raises:
            InvalidInputError: ("files") what was read is not this set.
            StorageError: the manager has no room.
        """
        ...

    def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        """The bytes of a stored set from `offset` on, or the number of bytes that are zero.
        NotFoundError: the manager has removed the set."""
        ...


async def each_piece(pieces: Pieces) -> AsyncGenerator[bytes | int, None]:
    """The pieces of either kind of iterator."""
    if isinstance(pieces, AsyncIterator):
        async for piece in pieces:
            yield piece
        return
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece

"""What operators read of stored output."""

from collections.abc import Sequence

from tui_manager.domain.output_search import OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.domain.task import OutputChunk
from tui_manager.service.core.core import Core
from tui_manager.storage.tables import output
from tui_manager.storage.tables.output import OutputOf as OutputOf
from tui_manager.storage.views import output_search


class StoredOutput:
    """Reads and searches output, a bounded part of it at a time."""

    def __init__(self, core: Core) -> None:
        self._database = core.database

    async def read(
        self, execution_id: str, stream: Stream, offset: int, limit: int
    ) -> Sequence[OutputChunk]:
        """Stored output of one stream from `offset` on, about `limit` bytes at most."""
        return await self._database.read(
            lambda tx: output.read(tx, execution_id, stream, offset, limit)
        )

    async def follow(
        self, of: OutputOf, after: int, limit: int, before: int = 0
    ) -> Sequence[OutputChunk]:
        """Output that was stored after position `after`, in the order of storing; with `before`,
        the newest before that position."""
        return await self._database.read(lambda tx: output.follow(tx, of, after, limit, before))

    async def search(
        self,
        of: OutputOf,
        text: str,
        after: int,
        before: int,
        *,
        stderr_only: bool = False,
        offset: int = 0,
    ) -> OutputMatches:
        """Searches a part of the output. Raises InvalidInputError("text")."""
        pattern = OutputPattern(text)
        return await self._database.read(
            lambda tx: output_search.search(
                tx, of, pattern, after, before, stderr_only=stderr_only, offset=offset
            )
        )

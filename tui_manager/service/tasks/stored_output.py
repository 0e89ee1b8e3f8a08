"""What operators read of stored output."""

import asyncio
import sys
from collections.abc import Sequence

from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.output.output_by_host import OutputByHost, OutputPlace, WantedOutput
from tui_manager.domain.output.output_search import OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import output, tasks
from tui_manager.storage.tables.tasks.output import OutputOf as OutputOf
from tui_manager.storage.views import output_by_host, output_search

_PAUSE = 0.01  # seconds between two looks at the transactions that store output
_LOOKS_MAX = 50  # most transactions take some milliseconds


class StoredOutput:
    """Reads and searches output, a bounded part of it at a time."""

    def __init__(self, core: Core) -> None:
        self._core = core
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
        read = self._database.read
        if before or not self._core.directory.alive:
            return await read(lambda tx: output.follow(tx, of, after, limit, before))
        up_to = await self._wait_for_running(of.task_id)
        return await read(lambda tx: output.follow(tx, of, after, limit, up_to=up_to))

    async def read_by_host(
        self, wanted: WantedOutput, place: OutputPlace, limit: int
    ) -> OutputByHost:
        """Output of one host after another, from a place on. Raises NotFoundError."""
        alone = not self._core.directory.alive
        up_to = sys.maxsize if alone else await self._wait_for_running(wanted.task_id)

        def read(tx: Transaction) -> OutputByHost:
            ended = tasks.get(tx, wanted.task_id).status.ended  # nobody comes back for more of it
            newest = sys.maxsize if ended else up_to
            return output_by_host.read(tx, wanted, place, limit, newest)

        return await self._database.read(read)

    async def _wait_for_running(self, task_id: int) -> int:
        """Waits until the transactions have ended that store output now, of all managers. What they
        store may have positions before those of output that can be read already, and whoever has
        read a position never asks for what is before it.

        Returns:
            The newest position that may be read. If a transaction takes too long, that is before
            its first one, and watchers of the task are told to read again.
        """
        newest, ended = await self._database.read(output.positions_taken)
        for _ in range(_LOOKS_MAX):
            if ended >= newest:
                return newest
            await asyncio.sleep(_PAUSE)
            _, ended = await self._database.read(output.positions_taken)
        self._core.feed.publish_figures(Changes(output=frozenset({task_id})))
        return ended

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

"""The part of the operator's API that is about output; see `api.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tui_manager.domain.output.output_by_host import OutputPlace

if TYPE_CHECKING:
    from tui_manager.domain.output.output_by_host import OutputByHost, WantedOutput
    from tui_manager.domain.output.output_search import OutputMatches
    from tui_manager.domain.status import Stream
    from tui_manager.domain.tasks.task import OutputChunk

BEGINNING = OutputPlace()


class OutputCalls(Protocol):
    """How an operator reads and searches stored output."""

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        """Stored output of one stream from `offset` (bytes) on, at most about `limit` bytes;
        empty at the end of what is stored."""
        ...

    async def follow_output(
        self,
        task_id: int,
        after: int = 0,
        host_id: str = "",
        limit: int = 1 << 18,
        before: int = 0,
        execution_id: str = "",
    ) -> Sequence[OutputChunk]:
        """Output of a task in the order in which it was stored, after position `after`, at most
        about `limit` bytes; of one host when `host_id` is given, of one command host when
        `execution_id` is. A negative `after` asks for the newest `-after` chunks. When `before` is
        given: the newest chunks before that position, and after `after`."""
        ...

    async def read_output_by_host(
        self,
        wanted: WantedOutput,
        place: OutputPlace = BEGINNING,
        limit: int = 1 << 18,
    ) -> OutputByHost:
        """The output of a task, of one host after another, from a place on: at most about `limit`
        bytes. The next call continues at `next` of the answer. NotFoundError if there is no such
        task or no such host in it."""
        ...

    async def search_output(
        self,
        task_id: int,
        text: str,
        after: int = 0,
        before: int = 0,
        host_id: str = "",
        execution_id: str = "",
        stderr_only: bool = False,
        offset: int = 0,
    ) -> OutputMatches:
        """Searches a part of the output after position `after`, or of that before position
        `before`, the newest first. The next call continues at `position` and `offset` of the
        answer. With `offset`, lines of the chunk beside that position that are before this byte of
        their stream are left out, or backwards, those that do not end before it. `text` ignores
        case; `/text/` is a regular expression of RE2. InvalidInputError("text")."""
        ...

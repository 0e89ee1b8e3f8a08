"""The part of the operator's API that is about output, and about following a task; see `api.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.output.output_by_host import OutputPlace
from tui_manager.domain.tasks.task import OutputChunk, Progress

if TYPE_CHECKING:
    from tui_manager.domain.output.output_by_host import OutputByHost, WantedOutput
    from tui_manager.domain.output.output_search import OutputMatches
    from tui_manager.domain.status import Stream

BEGINNING = OutputPlace()


@dataclass(frozen=True, slots=True)
class NewOutput:
    """Output of a task, in the order in which it was stored."""

    chunks: tuple[OutputChunk, ...]


@dataclass(frozen=True, slots=True)
class StorageTrouble:
    """The database cannot be read or written now.

    Attributes:
        text: what is wrong; empty: it works again.
    """

    text: str


TaskEvent = NewOutput | Progress | StorageTrouble


class OutputCalls(Protocol):
    """How an operator reads and searches stored output, and follows a task."""

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

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        """What happens with a task, until it has ended: first the output that is stored already,
        then what is new.

        Each Progress comes after the output that was stored before it. The last event is the
        Progress of the ended task. While the database cannot be read, it waits.

        Args:
            after: the position of the output that is known; negative: of what is stored only the
                newest so many chunks come.
            host_id: only output of this host; empty: of all.
            output: False: none at all.

        Raises:
            NotFoundError: there is no such task.
            UnreachableError: the manager has ended, or does not answer.
        """
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

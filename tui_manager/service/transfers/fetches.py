"""Fetches: what an agent has found is received into the store, and the agent is told.

A fetch belongs to a session. After a new one the agent says again what it has found, and what has
arrived before is not asked for again, by whichever manager.
"""

import asyncio
import logging
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.hosts.file_transfer import FilePiece, FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.core.core import Core
from tui_manager.service.files.check_data import WrongDataError
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.files.files_folder import FilesError
from tui_manager.service.transfers.fetch_limit import FetchLimit
from tui_manager.service.transfers.receive_files import (
    STALLED_AFTER,
    ProblemOfAgentError,
    ReceiveFiles,
    StalledError,
)
from tui_manager.service.transfers.transfer_orders import (
    BrokenRuleError,
    NotUnderWayError,
    TransferOrders,
)
from tui_manager.service.transfers.transfer_progress import ProgressOfTransfers

_SHOWN = 300  # bytes of a path in a sentence
_RETRY = 1.0  # seconds until the next attempt if the database cannot be used
log = logging.getLogger(__name__)


class FetchSession(Protocol):
    """The session of an agent, as a fetch uses it. If it has ended, nothing is sent."""

    host_id: str
    generation: int

    def ask_for_files(self, request: FileRequest) -> None:
        """Asks the agent for bytes."""
        ...

    def tell_stored(self, execution_id: str, problem: str = "", *, retry: bool = False) -> None:
        """Ends a fetch: its files are stored; or a sentence says why not."""
        ...


@dataclass(slots=True)
class _Fetch:
    """A fetch of one session."""

    session: FetchSession
    execution_id: str
    files: FileSet
    receiving: ReceiveFiles
    fields: dict[str, object]
    task: "asyncio.Task[None] | None" = None


class Fetches:
    """All fetches that are under way at this manager."""

    def __init__(
        self,
        core: Core,
        store: FileStore,
        orders: TransferOrders,
        progress: ProgressOfTransfers,
        turns: FetchLimit,
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        self._core = core
        self._store = store
        self._orders = orders
        self._progress = progress
        self._turns = turns
        self._stalled_after = stalled_after
        self._fetches: dict[str, _Fetch] = {}  # by execution
        self._tasks: set[asyncio.Task[None]] = set()

    async def found(self, session: FetchSession, execution_id: str, files: FileSet) -> None:
        """An agent has found the files of a fetch.

        Raises:
            BrokenRuleError: it is another host's, or it has found others before.
        """
        try:
            order = await self._orders.find(session.host_id, execution_id)
        except NotUnderWayError as error:
            session.tell_stored(execution_id, str(error))
            return
        if order.fetch is None:
            raise BrokenRuleError(f"It found files for {execution_id}, which fetches nothing.")
        before = self._fetches.get(execution_id)
        if before and before.session is session:
            if before.files != files:
                raise BrokenRuleError(
                    f"It found other files for {execution_id} before it was told of the first ones."
                )
            return
        if before and before.session.generation > session.generation:
            return
        self._progress.record_found(
            session.host_id, session.generation, execution_id, order.task_id, files
        )
        self._begin(session, execution_id, files, order.task_id, before)

    def _begin(
        self,
        session: FetchSession,
        execution_id: str,
        files: FileSet,
        task_id: int,
        before: _Fetch | None,
    ) -> None:
        entry = self._core.directory.get(session.host_id)
        fields: dict[str, object] = {
            "task": task_id,
            "host": entry.row.name if entry else session.host_id,
            "execution": execution_id,
            "files": files.files,
            "bytes": files.bytes,
        }
        receiving = ReceiveFiles(
            execution_id,
            files,
            self._turns,
            session.ask_for_files,
            self._core.clock.monotonic,
            self._stalled_after,
        )
        fetch = _Fetch(session, execution_id, files, receiving, fields)
        self._fetches[execution_id] = fetch
        earlier = before.task if before else None
        if earlier:
            earlier.cancel()
        fetch.task = asyncio.create_task(self._run(fetch, earlier), name="fetch")
        self._tasks.add(fetch.task)
        fetch.task.add_done_callback(self._ended)

    def take(self, session: FetchSession, piece: FilePiece) -> None:
        """Bytes have come that were asked for."""
        fetch = self._fetches.get(piece.execution_id)
        if fetch and fetch.session is session:
            self._core.statistics.counters.file_bytes_received += piece.sent
            fetch.receiving.take(piece)

    def end(self, session: FetchSession, execution_id: str) -> None:
        """The agent has sent the result of a fetch, or is told to end it."""
        fetch = self._fetches.get(execution_id)
        if fetch and fetch.session is session:
            self._cancel(fetch)

    def close_session(self, session: FetchSession) -> None:
        """A session has ended."""
        for fetch in [one for one in self._fetches.values() if one.session is session]:
            self._cancel(fetch)

    async def aclose(self) -> None:
        """The manager stops: ends all fetches. What has arrived is kept."""
        for fetch in list(self._fetches.values()):
            self._cancel(fetch)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _cancel(self, fetch: _Fetch) -> None:
        del self._fetches[fetch.execution_id]
        if fetch.task:
            fetch.task.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("an error while files were fetched", exc_info=error)

    async def _run(self, fetch: _Fetch, earlier: "asyncio.Task[None] | None") -> None:
        if earlier:
            await asyncio.wait([earlier])
        problem, retry = "An error of the manager, which its log shows.", False
        try:
            while not await self._take_turn(fetch):
                pass
            problem = ""
        except WrongDataError as error:
            problem, retry = _describe_change(error), True
        except ProblemOfAgentError as error:
            problem, retry = str(error), True  # most often a file has changed
        except (InvalidInputError, FilesError) as error:
            problem = str(error)
        finally:
            if self._fetches.get(fetch.execution_id) is fetch:  # else it has ended otherwise
                del self._fetches[fetch.execution_id]
                self._tell(fetch, problem, retry=retry)

    def _tell(self, fetch: _Fetch, problem: str, *, retry: bool) -> None:
        if problem:
            log.warning("files not fetched", extra={**fetch.fields, "problem": problem})
        else:
            log.info("files fetched", extra=fetch.fields)
        fetch.session.tell_stored(fetch.execution_id, problem, retry=retry)

    async def _take_turn(self, fetch: _Fetch) -> bool:
        """Receives until all is stored; False: it needs another turn. While the database cannot be
        used, it waits before that."""
        try:
            async with (
                self._turns.turn(),
                self._store.receive(fetch.files, fetch.execution_id) as incoming,
            ):
                if not incoming.complete:
                    begin = {"from": incoming.have(FileSetPart.DATA)}
                    log.info("files are received", extra=fetch.fields | begin)
                    await fetch.receiving.receive(incoming)
                    await incoming.finish()
        except StalledError:
            log.info("a fetch lets others have their turn", extra=fetch.fields)
            return False
        except FilesError:
            raise
        except StorageError as error:
            log.warning(
                "a fetch waits for the database", extra={**fetch.fields, "error": str(error)}
            )
            await asyncio.sleep(_RETRY)
            return False
        return True


def _describe_change(error: WrongDataError) -> str:
    """Says which file has changed, as far as that is known."""
    path = error.path[:_SHOWN].decode(errors="backslashreplace")
    return f"/{path} changed while it was read." if path else str(error)

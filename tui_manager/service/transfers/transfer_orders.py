"""Which copies and fetches are under way, so that agents may speak about them."""

import asyncio
import logging

from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.file_transfer import FileRequest
from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.service.core.core import Core
from tui_manager.storage.tables.files import transfers
from tui_manager.storage.tables.files.transfers import TransferOrder

log = logging.getLogger(__name__)
_RETRY = 1.0  # seconds until the next attempt if the database cannot be read


class NotUnderWayError(Exception):
    """An execution copies or fetches nothing now; a sentence. It may have ended while its agent
    spoke about it."""


class BrokenRuleError(Exception):
    """What an agent has said of files is against the rules of the wire; a sentence."""


class TransferOrders:
    """Looks up what executions copy and fetch."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def find(self, host_id: str, execution_id: str) -> TransferOrder:
        """A copy or a fetch of a host that is under way. It waits while the database cannot be
        read.

        Raises:
            NotUnderWayError: it was cancelled, has ended, or is unknown.
            BrokenRuleError: it is another host's.
        """
        order = await self._read(execution_id)
        if order is None:
            raise NotUnderWayError(f"The manager does not know the execution {execution_id}.")
        entry = self._core.directory.get(host_id)
        if entry is None or order.host != entry.row.row_id:
            raise BrokenRuleError(
                f"It spoke about files of execution {execution_id}, which is another host's."
            )
        if order.status.ended or not order.sent:
            raise NotUnderWayError(f"The execution {execution_id} is not under way.")
        if order.canceled:
            raise NotUnderWayError(f"The execution {execution_id} was cancelled.")
        if order.copy is None and order.fetch is None and order.update is None:
            raise NotUnderWayError(f"The execution {execution_id} has no files.")
        return order

    async def begin_copy(self, host_id: str, request: FileRequest) -> FileSet:
        """The files of a copy or update, for the first request of a session. Raises as `find`."""
        order = await self.find(host_id, request.execution_id)
        giver = order.copy or order.update
        if giver is None:
            raise BrokenRuleError(
                f"It asked for files of execution {request.execution_id}, which gives none."
            )
        entry = self._core.directory.get(host_id)
        ids = {"task": order.task_id, "host": entry.row.name if entry else host_id}
        ids |= {"execution": request.execution_id}
        if order.update is not None and entry and entry.session:
            entry.session.updating |= {request.execution_id}
        log.info("files are sent", extra={**ids, "part": request.part, "from": request.offset})
        return giver.files

    async def _read(self, execution_id: str) -> TransferOrder | None:
        while True:
            try:
                return await self._core.database.read(
                    lambda tx: transfers.of_execution(tx, execution_id)
                )
            except StorageError:
                await asyncio.sleep(_RETRY)

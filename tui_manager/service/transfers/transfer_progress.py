"""How far copies and fetches are: in memory, as their agents say it about once a second."""

from collections.abc import Iterable
from dataclasses import replace

from tui_manager.domain.hosts.file_transfer import TransferProgress
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, Transfer
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_entry import LiveSession, RunningTransfer
from tui_manager.service.transfers.transfer_orders import NotUnderWayError, TransferOrders

_NOTHING_DONE = Transfer(bytes=0, files=0)


class ProgressOfTransfers:
    """Keeps the newest progress of each transfer with the session of its host."""

    def __init__(self, core: Core, orders: TransferOrders) -> None:
        self._core = core
        self._orders = orders

    async def record(self, host_id: str, generation: int, said: Iterable[TransferProgress]) -> None:
        """An agent says how far it is. What does not run, as far as is known, is left out.

        Raises:
            BrokenRuleError: it spoke about a transfer of another host.
        """
        tasks = set[int]()
        for one in said:
            session = self._session(host_id, generation)
            if session is None or one.execution_id not in session.running:
                continue
            known = session.transfers.get(one.execution_id)
            if known is None:
                known = await self._look_up(host_id, one.execution_id)
            if known is None:
                continue
            progress = replace(known.progress, bytes=one.bytes, files=one.files)
            if progress != known.progress and one.execution_id in session.running:
                session.transfers[one.execution_id] = replace(known, progress=progress)
                tasks.add(known.task_id)
        self._core.feed.publish_figures(Changes(tasks=frozenset(tasks)))

    def record_found(
        self, host_id: str, generation: int, execution_id: str, task_id: int, files: FileSet
    ) -> None:
        """A fetch has found its files, so the size of the whole is known."""
        session = self._session(host_id, generation)
        if session is None:
            return
        known = session.transfers.get(execution_id) or RunningTransfer(task_id, _NOTHING_DONE)
        progress = replace(known.progress, stored=files)
        session.transfers[execution_id] = replace(known, progress=progress)
        self._core.feed.publish_figures(Changes(tasks=frozenset({task_id})))

    async def _look_up(self, host_id: str, execution_id: str) -> RunningTransfer | None:
        try:
            order = await self._orders.find(host_id, execution_id)
        except NotUnderWayError:
            return None
        return RunningTransfer(order.task_id, _NOTHING_DONE)

    def _session(self, host_id: str, generation: int) -> LiveSession | None:
        entry = self._core.directory.get(host_id)
        return entry.session_of(generation) if entry else None

"""GatewayRequestHandler: does what other managers ask for, on the hosts that are connected here.
How they ask is in `core/gateway_requests.py`."""

import asyncio
import logging
from collections.abc import Iterable

from tui_manager.domain.errors import AgentUnavailableError
from tui_manager.service.core.core import Core
from tui_manager.service.core.gateway_requests import Requests
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.dispatch.task_dispatcher import TaskDispatcher
from tui_manager.storage.views.delivery import gateway_work

log = logging.getLogger(__name__)
_CANCELS_A_TURN = 500  # then the loop does other work


class GatewayRequestHandler:
    """A request may come twice, or without need: it changes nothing then."""

    def __init__(self, core: Core, dispatch: DispatchLoop, dispatcher: TaskDispatcher) -> None:
        self._core = core
        self._dispatch = dispatch
        self._dispatcher = dispatcher

    async def handle(self, requests: Requests) -> None:
        """Sends and cancels. Raises StorageError."""
        read, here = self._core.database.read, self._core.directory.rows_here()
        gateway = self._core.database.gateway
        self._wake(requests.send)
        if requests.send_any:
            self._wake(await read(lambda tx: gateway_work.ready_hosts(tx, here)))
        if requests.cancel_any:
            await self._cancel(await read(lambda tx: gateway_work.all_unanswered_cancels(tx, here)))
        elif tasks := requests.cancels:
            await self._cancel(
                await read(lambda tx: gateway_work.unanswered_cancels(tx, gateway, tasks))
            )

    async def cancel_on(self, hosts: Iterable[int]) -> None:
        """Tells these hosts, by row id, of all cancels that they have not answered. Raises
        StorageError."""
        asked = list(hosts)
        await self._cancel(
            await self._core.database.read(
                lambda tx: gateway_work.all_unanswered_cancels(tx, asked)
            )
        )

    def _wake(self, rows: Iterable[int]) -> None:
        """Not hosts that have gone meanwhile: where they connect, they are looked at."""
        entries = map(self._core.directory.find_row, rows)
        self._dispatch.wake([entry.row.host_id for entry in entries if entry and entry.session])

    async def _cancel(self, found: Iterable[tuple[int, str]]) -> None:
        for number, (row, execution_id) in enumerate(found, start=1):
            entry = self._core.directory.find_row(row)
            if entry and entry.session:
                await self._send_cancel(entry.row.host_id, entry.row.name, execution_id)
            if number % _CANCELS_A_TURN == 0:
                await asyncio.sleep(0)

    async def _send_cancel(self, host_id: str, name: str, execution_id: str) -> None:
        ids = {"host": name, "execution": execution_id}
        try:
            await self._dispatcher.send_cancel_to_agent(host_id, execution_id)
        except AgentUnavailableError:
            log.info("cancel waits for the agent", extra=ids)
        else:
            log.info("cancel sent for another manager", extra=ids)

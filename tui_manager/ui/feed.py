"""The one watcher: keeps the operator open, folds its changes together, retries when it ends."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import ManagerError
from tui_manager.operator.api import Operator
from tui_manager.ui.manager_link import Link

RETRY = 1.0  # seconds between two tries to reach the manager

OpenOperator = Callable[[], AbstractAsyncContextManager[Operator]]


class Feed:
    """Runs in a task of the app.

    Args:
        changed: called when there is something to take.
    """

    def __init__(
        self, open_operator: OpenOperator, link: Link, changed: Callable[[], None]
    ) -> None:
        self._open_operator = open_operator
        self._link = link
        self._changed = changed
        self._pending = Changes()

    def take(self) -> Changes:
        """What has come since the last call."""
        pending, self._pending = self._pending, Changes()
        return pending

    async def run(self) -> None:
        """Until it is cancelled. Raises ManagerError when the operator cannot be opened at all."""
        async with self._open_operator() as operator:
            self._link.connected = operator
            while True:
                try:
                    await self._watch(operator)
                except ManagerError as error:
                    self._link.lose(f"{error} Trying again…")
                    self._tell(Changes(manager=True))
                await asyncio.sleep(RETRY)

    async def _watch(self, operator: Operator) -> None:
        async for changes in operator.watch():
            self._link.find()
            self._tell(changes)

    def _tell(self, changes: Changes) -> None:
        self._pending |= changes
        self._changed()

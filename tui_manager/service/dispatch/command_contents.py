"""Scripts and inputs of commands. They are read just before a command is written to its stream, so
that no queue holds any."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.script_and_stdin import Content
from tui_manager.service.core import advance_task
from tui_manager.service.core.core import Core
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import command_hosts
from tui_manager.storage.tables.tasks.command_contents import contents_of_execution
from tui_manager.storage.views.delivery import command_delivery
from tui_manager.storage.views.delivery.command_delivery import UnsentCommand

log = logging.getLogger(__name__)
KEPT_BYTES = 16 * 1024 * 1024  # that were read last: the hosts of a task all get the same
_RETRY = 1.0  # seconds until the next attempt if the database cannot be read
_LOST = (
    "the database does not hold its script or its stdin as they were stored; create the task again"
)


class CommandContents:
    """Reads contents, and keeps those that were used last."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: OrderedDict[str, Content] = OrderedDict()  # by hash
        self._kept_bytes = 0
        self._reading = asyncio.Lock()

    async def add_to(self, run: Run) -> Run | None:
        """The run with the bytes of its contents; None: they are lost, and the command has failed.
        While the database cannot be read, it waits."""
        wanted = run.command.contents
        found = self._find(wanted)
        if found is None:
            async with self._reading:  # many sessions want the same: the first one reads it
                found = self._find(wanted) or await self._read(run)
        if found is None:
            await self._fail(run)
            return None
        return replace(run, command=run.command.with_contents(found))

    def _find(self, wanted: Mapping[str, Content]) -> Mapping[str, Content] | None:
        """Kept contents; None: one of them is not kept."""
        if any(content.sha256 not in self._kept for content in wanted.values()):
            return None
        for content in wanted.values():
            self._kept.move_to_end(content.sha256)
        return {name: self._kept[content.sha256] for name, content in wanted.items()}

    async def _read(self, run: Run) -> Mapping[str, Content] | None:
        """Stored contents; None: they are not what was stored."""
        while True:
            try:
                found = await self._core.database.read(
                    lambda tx: contents_of_execution(tx, run.execution_id)
                )
                break
            except StorageError as error:
                log.error("a script waits for the database", extra={"error": str(error)})
                await asyncio.sleep(_RETRY)
        if found != run.command.contents:
            return None
        for content in found.values():
            self._keep(content)
        return found

    def _keep(self, content: Content) -> None:
        if content.sha256 not in self._kept:
            self._kept_bytes += content.size
        self._kept[content.sha256] = content
        while self._kept_bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.size

    async def _fail(self, run: Run) -> None:
        """Ends a command that was claimed and cannot be sent. It may have ended meanwhile, or its
        task may have been pruned."""

        def work(tx: Transaction) -> int | None:
            found = command_hosts.stored_executions(tx, [run.execution_id]).get(run.execution_id)
            if found is None or not command_delivery.mark_unsent(tx, found.row_id):
                return None
            now = self._core.clock.stamp()
            command = UnsentCommand(found.row_id, found.task_id, found.host, found.position)
            advance_task.fail_unsent(tx, [command], _LOST, now)
            advance_task.update_task_status(tx, found.task_id, now)
            return found.task_id

        log.error("command cannot be sent", extra={"execution": run.execution_id, "error": _LOST})
        task_id = await self._core.database.write(work)
        if task_id is not None:
            self._core.feed.publish(Changes(tasks=frozenset({task_id})))

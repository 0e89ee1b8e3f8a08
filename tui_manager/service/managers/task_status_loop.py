"""TaskStatusLoop: the leader ends tasks whose command hosts other managers have ended, and learns
of rollouts that were started there."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from itertools import islice

from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.service.core import advance_task
from tui_manager.service.core.core import Core
from tui_manager.service.managers.log_storage_error import log_storage_error
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import rollouts
from tui_manager.storage.views.delivery import outdated_task_status

log = logging.getLogger(__name__)
_LOOK_EVERY = 10.0  # seconds between two looks at all that runs
_PAUSE = 0.1  # seconds in which what is heard is gathered
_SETTLED_AFTER = 60_000_000  # microseconds after the end of a task
_TASKS_A_TRANSACTION = 100


class TaskStatusLoop:
    """Runs while this manager leads. What it hears of tasks is a hint: if a hint is lost, the next
    look at all that runs finds the same."""

    def __init__(self, core: Core, rollout_loop: RolloutLoop) -> None:
        self._core = core
        self._rollout_loop = rollout_loop
        self._heard = Changes()
        self._woken = asyncio.Event()

    def note_changes(self, changes: Changes) -> None:
        """Another manager has changed something."""
        if changes.tasks or changes.all_tasks:
            self._heard |= Changes(tasks=changes.tasks, all_tasks=changes.all_tasks)
            self._woken.set()

    async def run(self) -> None:
        """Looks until cancelled."""
        if not self._core.database.shared:
            return
        loop = asyncio.get_running_loop()
        all_at = 0.0
        while True:
            heard, self._heard = self._heard, Changes()
            self._woken.clear()
            look_at_all = heard.all_tasks or loop.time() >= all_at
            try:
                await self.run_once(None if look_at_all else heard.tasks)
            except StorageError as error:
                log_storage_error(log, self._core, "the end of tasks waits for the database", error)
                self._heard |= heard
            if look_at_all:
                all_at = loop.time() + _LOOK_EVERY
            await asyncio.sleep(_PAUSE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, all_at - loop.time())):
                    await self._woken.wait()

    async def run_once(self, named: Iterable[int] | None = None) -> None:
        """Brings the status of these tasks in line with their counters, and finds their rollouts.

        Args:
            named: None: all that run, and those that have ended just now.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be used now.
        """
        database = self._core.database
        since = self._core.clock.stamp() - _SETTLED_AFTER

        def find(tx: Transaction) -> tuple[list[int], list[int]]:
            ids = outdated_task_status.running_and_just_ended(tx, since) if named is None else named
            return outdated_task_status.with_outdated_status(tx, ids), rollouts.running(tx)

        wrong, with_rollout = await database.read(find)
        self._rollout_loop.add_missing(with_rollout)
        ids = iter(wrong)
        while batch := list(islice(ids, _TASKS_A_TRANSACTION)):
            await self._judge(batch)

    async def _judge(self, batch: list[int]) -> None:
        now = self._core.clock.stamp()

        def work(tx: Transaction) -> dict[int, TaskStatus | None]:
            ids = outdated_task_status.with_outdated_status(tx, batch)
            outdated_task_status.update_fault_marks(tx, ids)
            return {task_id: advance_task.update_task_status(tx, task_id, now) for task_id in ids}

        changed = await self._core.plan(work)
        for task_id, status in changed.items():
            if status is not None:
                log.info("task changed", extra={"task": task_id, "status": status})
        self._core.feed.publish(Changes(tasks=frozenset(changed)))

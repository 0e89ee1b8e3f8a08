"""TaskStarter: starts tasks inside a transaction, for TaskService and for schedules."""

import logging

from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.targets.target import check_target
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.service.core.core import Core
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.service.tasks import start_task
from tui_manager.service.tasks.check_free_disk import check_free_disk
from tui_manager.service.tasks.create_task import create
from tui_manager.service.tasks.start_task import Connections, StartedTask
from tui_manager.storage.engine.transaction import Transaction

log = logging.getLogger(__name__)


class TaskStarter:
    """The caller asks for the connections, starts the task in its transaction, and announces it
    once that is durable."""

    def __init__(
        self,
        core: Core,
        dispatch: DispatchLoop,
        secrets: CommandSecrets,
        rollout_loop: RolloutLoop,
        files: FileStore,
    ) -> None:
        self._core = core
        self._dispatch = dispatch
        self._secrets = secrets
        self._rollout_loop = rollout_loop
        self.files = files

    def check(self, spec: TaskSpec) -> None:
        """Raises InvalidInputError if a field is out of bounds, or the notation of the target is
        wrong."""
        spec.check()
        groups = self._core.limits.groups
        check_target(spec.target, groups, include_maintenance=spec.include_maintenance)

    def connections(self) -> Connections:
        """Those of now; to be called on the loop."""
        directory = self._core.directory
        return Connections(
            directory.online_rows(),
            directory.reachable_rows(self._core.clock.monotonic()),
            directory.alive,
        )

    def start(
        self, tx: Transaction, task_id: int, connections: Connections, actor: str
    ) -> StartedTask:
        """pending → running. Raises as `start_task.start`; StorageError if too little disk is
        free."""
        core = self._core
        check_free_disk(core.database.folder, core.limits.free_disk)
        return start_task.start(
            tx,
            task_id,
            core.limits.groups,
            connections,
            self.files,
            actor,
            core.clock.stamp(),
        )

    def create_and_start(
        self, tx: Transaction, spec: TaskSpec, connections: Connections, actor: str
    ) -> tuple[int, StartedTask]:
        """Stores a task and starts it; returns its task_id too. Raises as `start`."""
        created = create(
            tx, spec, self._secrets, self.files, self._core.clock.stamp(), request_id=""
        )
        return created.task_id, self.start(tx, created.task_id, connections, actor)

    def announce(self, task_id: int, started: StartedTask) -> None:
        """The start is durable: the commands are sent, and watchers are told."""
        log.info(
            "task started",
            extra={"task": task_id, "hosts": len(started.host_ids), "offline": started.offline},
        )
        if started.with_rollout:
            self._rollout_loop.add(task_id)
        else:
            self._dispatch.wake(started.host_ids)
            if started.offline:  # some may just have connected elsewhere
                self._core.requests.send_any()
        self._core.feed.publish(Changes(tasks=frozenset({task_id})))

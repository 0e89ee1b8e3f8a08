"""TaskService: create, start, cancel, pause and resume tasks, get their status and progress.

Results of commands are handled in `reports/`.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from tui_manager.domain.errors import AgentUnavailableError, InvalidInputError
from tui_manager.domain.ids import check_request_id
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.host_class import RERUN_DEFAULT, HostClass
from tui_manager.domain.tasks.task import (
    CommandHost,
    NewTask,
    Progress,
    Rerun,
    Task,
    TaskDetail,
    estimate_remaining,
)
from tui_manager.domain.tasks.task_plan import TaskPlan, make_plan
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.dispatch.task_dispatcher import TaskDispatcher
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.service.tasks import cancel_task, pause_task, target_hosts
from tui_manager.service.tasks.create_task import CreatedTask, RerunRequest, create, create_rerun
from tui_manager.service.tasks.input_suggestions import InputSuggestions
from tui_manager.service.tasks.list_windows import ListWindows
from tui_manager.service.tasks.start_task import TaskStarter
from tui_manager.service.tasks.stored_output import StoredOutput
from tui_manager.service.tasks.task_overview import TaskOverview
from tui_manager.service.tasks.work_summary import WorkSummary, WorkSummaryReader
from tui_manager.storage.tables.tasks import tasks

log = logging.getLogger(__name__)
_CANCELS_A_TURN = 500  # then the loop does other work


class TaskService:
    """What operators do with tasks."""

    def __init__(
        self,
        core: Core,
        dispatcher: TaskDispatcher,
        dispatch: DispatchLoop,
        secrets: CommandSecrets,
        rollout_loop: RolloutLoop,
        files: FileStore,
    ) -> None:
        self._core = core
        self._database = core.database
        self._dispatcher = dispatcher
        self._dispatch = dispatch
        self._secrets = secrets
        self._files = files
        self.starter = TaskStarter(core, dispatch, secrets, rollout_loop, files)
        self.lists = ListWindows(core)
        self.overview = TaskOverview(core)
        self.input_suggestions = InputSuggestions(core)
        self._work_summary = WorkSummaryReader(core)
        self.output = StoredOutput(core)

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        """Stores a pending task and returns its task_id. The same request id returns the same task.

        Raises:
            InvalidInputError: a field is out of bounds, or the notation of the target is wrong.
            IllegalMoveError: the request id was used for another task.
            NotFoundError: there is no such version of its template, or the manager does not have
                the files that it copies.
        """
        request_id = check_request_id(request_id)
        self.starter.check(spec)
        return await run_to_completion(self._create(spec, request_id))

    async def _create(self, spec: TaskSpec, request_id: str) -> int:
        stamp = self._core.clock.stamp
        created = await self._database.write(
            lambda tx: create(tx, spec, self._secrets, self._files, stamp(), request_id)
        )
        self._announce(created)
        return created.task_id

    def _announce(self, created: CreatedTask) -> None:
        if created.new:
            log.info("task created", extra={"task": created.task_id, "target": created.target})
            self._core.feed.publish(Changes(tasks=frozenset({created.task_id})))

    async def rerun_task(
        self,
        task_id: int,
        classes: Sequence[HostClass] = (),
        secrets: Mapping[str, str] | None = None,
        actor: str = "",
        request_id: str = "",
        host_ids: Sequence[str] = (),
    ) -> Rerun:
        """Stores a pending task with the same commands, parameters, limits and rollout, for the
        hosts of some classes of a task that has ended; without classes the failed and unreached.
        The same request id returns the same task.

        Args:
            host_ids: exactly these hosts of the task, instead of classes.

        Raises:
            NotFoundError, IllegalMoveError: there is no such task, it has not ended, or there is
                no host to run on.
            InvalidInputError: a secret of the task is missing, or it has none of this name; it has
                no such host; or both classes and hosts are given.
        """
        request_id = check_request_id(request_id)
        if classes and host_ids:
            raise InvalidInputError("host_ids", "Give either classes of hosts, or hosts.")
        chosen = frozenset(classes or RERUN_DEFAULT)
        asked = RerunRequest(task_id, chosen, secrets or {}, actor, request_id, tuple(host_ids))
        return await run_to_completion(self._rerun(asked))

    async def _rerun(self, asked: RerunRequest) -> Rerun:
        stamp = self._core.clock.stamp
        created = await self._database.write(
            lambda tx: create_rerun(tx, asked, self._secrets, self._files, stamp())
        )
        self._announce(created)
        if created.new:  # it is linked from the old one too
            self._core.feed.publish(Changes(tasks=frozenset({asked.task_id})))
        return Rerun(created.task_id, created.gone)

    async def start_task(
        self, task_id: int, actor: str = "", request_id: str = ""
    ) -> tuple[str, ...]:
        """pending → running: resolves and freezes the target, and lets the commands be sent. If the
        same request id has started the task already, nothing changes. Returns the names of the
        hosts that the target matches and that were left out.

        Raises:
            NotFoundError, IllegalMoveError: there is no such task, or it was started already.
            InvalidInputError: its target matches no host now, or all of them are left out.
            StorageError: the database cannot be written, or too little disk is free.
        """
        request_id = check_request_id(request_id)
        return await run_to_completion(self._start(task_id, actor, request_id))

    async def _start(self, task_id: int, actor: str, request_id: str) -> tuple[str, ...]:
        connections = self.starter.connections()
        started = await self._database.write(
            lambda tx: self.starter.start(tx, task_id, connections, actor, request_id)
        )
        self.starter.announce(task_id, started)
        return started.left_out

    async def start_new_task(
        self, spec: TaskSpec, actor: str = "", request_id: str = ""
    ) -> NewTask:
        """Stores a task and starts it, in one transaction. The same request id returns the same
        task, which is started once.

        Raises as `create_task` and `start_task`; then no task was stored.
        """
        request_id = check_request_id(request_id)
        self.starter.check(spec)
        return await run_to_completion(self._start_new(spec, actor, request_id))

    async def _start_new(self, spec: TaskSpec, actor: str, request_id: str) -> NewTask:
        connections = self.starter.connections()
        created, started = await self._database.write(
            lambda tx: self.starter.create_and_start(tx, spec, connections, actor, request_id)
        )
        self._announce(created)
        self.starter.announce(created.task_id, started)
        return NewTask(created.task_id, started.left_out)

    async def cancel_task(
        self, task_id: int, actor: str = "", host_ids: Sequence[str] = ()
    ) -> None:
        """Ends commands that were not sent at once, and tells the agents to end the others.
        Cancelling the same again tells the agents again.

        Args:
            host_ids: the hosts on which the task ends, while it goes on with the others; empty:
                all of them.

        Raises:
            NotFoundError, IllegalMoveError: there is no such task, or it has ended, on these hosts.
            InvalidInputError: the task has no such host.
        """
        await run_to_completion(self._cancel(task_id, actor, host_ids))

    async def _cancel(self, task_id: int, actor: str, host_ids: Sequence[str]) -> None:
        now = self._core.clock.stamp
        sent = await self._database.write(
            lambda tx: (
                cancel_task.cancel_on_hosts(tx, task_id, host_ids, actor, now())
                if host_ids
                else cancel_task.cancel(tx, task_id, actor, now())
            )
        )
        log.info(
            "task canceled",
            extra={"task": task_id, "cancels": len(sent), "hosts": len(host_ids) or "all"},
        )
        for number, (host, execution_id) in enumerate(sent, start=1):
            await self._send_cancel(task_id, host, execution_id)
            if number % _CANCELS_A_TURN == 0:
                await asyncio.sleep(0)
        if sent:  # also to hosts that have moved away from here a moment ago
            self._core.requests.cancel(task_id)
        self._core.feed.publish(Changes(tasks=frozenset({task_id})))

    async def _send_cancel(self, task_id: int, host: int, execution_id: str) -> None:
        """Tells the agent of a host that is connected here."""
        entry = self._core.directory.find_row(host)
        name, host_id = (entry.row.name, entry.row.host_id) if entry else ("", "")
        ids = {"task": task_id, "host": name, "execution": execution_id}
        if entry and entry.elsewhere:
            more = {"gateway": entry.row.gateway}
            log.info("another manager tells the agent of the cancel", extra=ids | more)
            return
        try:
            await self._dispatcher.send_cancel_to_agent(host_id, execution_id)
        except AgentUnavailableError:
            log.info("cancel waits for the agent", extra=ids)
        else:
            log.info("cancel sent", extra=ids)

    async def pause_task(self, task_id: int, actor: str = "") -> None:
        """Sends nothing more of a running task until it is resumed.

        Raises:
            NotFoundError, IllegalMoveError: there is no such task, or it does not run, is being
                canceled, or is paused already.
        """
        await run_to_completion(self._pause(task_id, actor))

    async def _pause(self, task_id: int, actor: str) -> None:
        now = self._core.clock.stamp
        await self._database.write(lambda tx: pause_task.pause(tx, task_id, actor, now()))
        log.info("task paused", extra={"task": task_id})
        self._core.feed.publish(Changes(tasks=frozenset({task_id})))

    async def resume_task(self, task_id: int, actor: str = "") -> None:
        """Ends a pause, and a hold after a batch.

        Raises:
            NotFoundError, IllegalMoveError: there is no such task, or it is neither paused nor
                held, or is being canceled.
        """
        await run_to_completion(self._resume(task_id, actor))

    async def _resume(self, task_id: int, actor: str) -> None:
        clock = self._core.clock
        reachable = self._core.directory.reachable_rows(clock.monotonic())
        rows = await self._database.write(
            lambda tx: pause_task.resume(tx, task_id, reachable, actor, clock.stamp())
        )
        log.info("task resumed", extra={"task": task_id})
        self._dispatch.wake_rows(rows)
        self._core.feed.publish(Changes(tasks=frozenset({task_id})))

    async def get_task(self, task_id: int) -> TaskDetail:
        """A task with its commands. Raises NotFoundError."""
        return await self._database.read(lambda tx: tasks.detail(tx, task_id))

    async def get_task_status(self, task_id: int) -> TaskStatus:
        """Only the status of a task. Raises NotFoundError."""
        return (await self._database.read(lambda tx: tasks.get(tx, task_id))).status

    async def get_task_progress(self, task_id: int) -> Progress:
        """How far a task is. Raises NotFoundError."""
        task, of_commands = await self._database.read(lambda tx: tasks.progress(tx, task_id))
        counts = task.counts
        elapsed = None
        if task.started_at:
            elapsed = (task.finished_at or self._core.clock.now()) - task.started_at
        running = task.status is TaskStatus.RUNNING
        return Progress(
            task_id=task_id,
            status=task.status,
            counts=counts,
            commands=of_commands,
            fraction=counts.ended / counts.total if counts.total else 0.0,
            elapsed=elapsed,
            remaining=estimate_remaining(counts, elapsed) if running and elapsed else None,
            paused=task.paused,
            hold=task.hold,
        )

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        """Tasks, the newest first unless the window names a column. Raises InvalidInputError."""
        return await self.lists.tasks(window, wanted)

    async def work_summary(self) -> WorkSummary:
        """What the manager's status says of all tasks and schedules."""
        return await self._work_summary.read()

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        """Command hosts of a task in the order of attention. Raises NotFoundError."""
        return await self.lists.command_hosts(task_id, window, command)

    async def preview_target(
        self, target: str, *, include_maintenance: bool = False
    ) -> TargetPreview:
        """Which hosts a target matches now. Raises InvalidInputError."""
        return await target_hosts.preview(
            self._core, target, include_maintenance=include_maintenance
        )

    async def plan_task(self, spec: TaskSpec) -> TaskPlan:
        """What the task would do if it started now. Raises InvalidInputError."""
        spec.check()
        found = await target_hosts.resolve_now(
            self._core, spec.target, include_maintenance=spec.include_maintenance
        )
        is_online, now = self._core.directory.is_online, self._core.clock.now()
        return make_plan(
            spec.rollout,
            [host.name for host in found.hosts],
            offline={host.name for host in found.hosts if not is_online(host.host_id)},
            maintenance={host.name for host in found.hosts if host.in_maintenance(now)},
            left_out=found.left_out,
            refusals=target_hosts.refusals(self._core, spec.commands, found.hosts),
        )

"""The tasks of the fake operator, their command hosts and their output."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from tests.support.fake_operator.fake_core import ACTOR, page
from tests.support.fake_operator.fake_filters import filter_command_hosts, passes_tasks
from tests.support.fake_operator.fake_hosts import FakeHosts
from tests.support.fake_operator.fake_target import fold, resolve
from tests.support.fake_operator.tasks.fake_rollout import advance
from tests.support.fake_operator.tasks.fake_rows import (
    FAULTS,
    ORDER,
    FakeTask,
    classes_of,
    count,
    sort_key,
    waiting_row,
    with_hosts,
)
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
)
from tui_manager.domain.lists.filter_language import parse_filter
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import (
    ALL_TASKS,
    TASK_SORT_COLUMNS,
    TaskFilter,
    narrow,
)
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE
from tui_manager.domain.task_spec.task_spec import Offline, TaskSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import (
    Command,
    CommandHost,
    Counts,
    NewTask,
    Progress,
    Task,
    TaskDetail,
    command_status,
    ended_task_status,
    estimate_remaining,
)
from tui_manager.domain.tasks.task_plan import TaskPlan, make_plan
from tui_manager.domain.tasks.transitions import TASK_TRANSITIONS, Operation, TaskOperation, move
from tui_manager.operator.api import OutputChunk

CHUNK = 64 * 1024  # bytes of one piece of output, as agents send it


class FakeTasks(FakeHosts):
    """Tasks by number."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.tasks: dict[int, FakeTask] = {}
        self.requests: dict[str, int] = {}  # the tasks by the request ids that made them
        self.starts: dict[int, str] = {}  # the request ids that started tasks
        self._position = 0

    def emit(self, execution_id: str, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Appends output of a command host, which implies that it runs."""
        task = self.task_of(execution_id)
        row = task.rows[execution_id]
        if row.status is CommandHostStatus.PENDING:
            self.apply(execution_id, Operation.START)
            row = task.rows[execution_id]
        offset = row.stdout_bytes if stream is Stream.STDOUT else row.stderr_bytes
        for at in range(0, max(len(data), 1), CHUNK):
            self._position += 1
            task.output.append(
                OutputChunk(
                    self._position,
                    execution_id,
                    row.host,
                    row.command,
                    stream,
                    offset + at,
                    data[at : at + CHUNK],
                    0,
                    self.now(),
                )
            )
        if stream is Stream.STDOUT:
            row = replace(row, stdout_bytes=offset + len(data))
        else:
            row = replace(row, stderr_bytes=offset + len(data))
        task.rows[execution_id] = row
        task.sorted_rows = None
        self.publish(Changes(output=frozenset({row.task_id})))

    def apply(
        self,
        execution_id: str,
        operation: Operation,
        reason: Reason = Reason.NONE,
        *,
        exit_code: int | None = None,
        detail: str = "",
        kill_incomplete: bool = False,
    ) -> None:
        """One move of a command host by the domain's table; not a move raises IllegalMoveError."""
        task = self.task_of(execution_id)
        row = task.rows[execution_id]
        made = move(operation, row.status, row.reason)
        if made is None or reason not in made.reasons:
            raise IllegalMoveError(f"{operation} is no move from {row.status} {row.reason}.")
        now = self.now()
        ended = made.status.ended
        task.rows[execution_id] = replace(
            row,
            status=made.status,
            reason=reason,
            exit_code=exit_code,
            detail=detail,
            late=made.late,
            kill_incomplete=kill_incomplete,
            started_at=row.started_at or (now if operation is not Operation.SKIP else None),
            finished_at=now if ended else None,
        )
        self._recount(task)

    def finish(self, execution_id: str, exit_code: int = 0) -> None:
        """A result by exit code."""
        if exit_code:
            self.apply(execution_id, Operation.FAIL, Reason.EXIT_CODE, exit_code=exit_code)
        else:
            self.apply(execution_id, Operation.COMPLETE, exit_code=0)

    def execution(self, task_id: int, host: str, command: int = 0) -> str:
        """The execution_id of a command host."""
        return f"{task_id}/{command}/{host}"

    def task_of(self, execution_id: str) -> FakeTask:
        """The task that a command host belongs to."""
        return self._task(int(execution_id.split("/")[0]))

    def name_of_task(self, task_id: int) -> str:
        """See FakeHosts."""
        return self.tasks[task_id].row.name if task_id in self.tasks else ""

    # The Protocol.

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        self._check("list_tasks")
        window.check("tasks", TASK_SORT_COLUMNS)
        tasks = [self.tasks[task_id].row for task_id in sorted(self.tasks, reverse=True)]
        wanted, terms = narrow(wanted, parse_filter(window.text), self.now())
        tasks = [*filter(passes_tasks(terms), tasks)]
        if window.faults_only:
            tasks = [t for t in tasks if t.counts.faults]
        tasks = [t for t in tasks if self._is_wanted(t, wanted)]
        if window.sort:
            tasks.sort(key=lambda task: sort_key(task, window.sort))
        return page(tasks, window, len(self.tasks))

    def _is_wanted(self, task: Task, wanted: TaskFilter) -> bool:
        if wanted.host and wanted.host not in self.hosts:
            raise InvalidInputError("host", f"There is no host {wanted.host!r}.")
        hosts = {row.host for row in self.tasks[task.task_id].rows.values()}
        return (
            (not wanted.statuses or task.status in wanted.statuses)
            and (not wanted.host or wanted.host in hosts)
            and wanted.created_by in ("", task.created_by, task.created_by.split("@")[0])
            and (wanted.since is None or task.created_at >= wanted.since)
        )

    async def get_task(self, task_id: int) -> TaskDetail:
        self._check("get_task")
        task = self._task(task_id)
        commands = []
        for index, spec in enumerate(task.spec.commands):
            counts = count([row for row in task.rows.values() if row.command == index])
            status = command_status(
                counts,
                started=task.row.started_at is not None,
                canceled=task.row.cancel_requested_at is not None,
            )
            shown = replace(spec, secrets=dict.fromkeys(spec.secrets, ""))
            commands.append(Command(index, shown, status, counts))
        reruns = [one.row.task_id for one in self.tasks.values() if one.row.rerun_of == task_id]
        return TaskDetail(
            task.row,
            tuple(commands),
            task.spec.rollout,
            reruns=tuple(reversed(reruns)),
            left_out=task.left_out,
            include_maintenance=task.spec.include_maintenance,
            parameters=task.spec.parameters,
        )

    async def get_task_status(self, task_id: int) -> TaskStatus:
        self._check("get_task_status")
        return self._task(task_id).row.status

    async def get_task_progress(self, task_id: int) -> Progress:
        self._check("get_task_progress")
        row = self._task(task_id).row
        elapsed = (row.finished_at or self.now()) - row.started_at if row.started_at else None
        return Progress(
            task_id=task_id,
            status=row.status,
            counts=row.counts,
            commands=(),
            fraction=row.counts.ended / row.counts.total if row.counts.total else 0.0,
            elapsed=elapsed,
            remaining=estimate_remaining(row.counts, elapsed) if elapsed is not None else None,
            paused=row.paused,
            hold=row.hold,
        )

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        self._check("list_command_hosts")
        task = self._task(task_id)
        if task.sorted_rows is None:
            task.sorted_rows = sorted(
                task.rows.values(), key=lambda row: (ORDER[row.status], row.command, row.host)
            )
        rows = task.sorted_rows
        if command is not None:
            rows = [row for row in rows if row.command == command]
        if window.text:
            hosts = self.hosts.values()
            rows = filter_command_hosts(window.text, rows, hosts, self.now())
        if window.faults_only:
            rows = [row for row in rows if row.status in FAULTS]
        if window.sort == "host":
            rows = sorted(rows, key=lambda row: (row.command, row.host))
        return page(rows, window, len(task.rows))

    async def preview_target(
        self, target: str, *, include_maintenance: bool = False
    ) -> TargetPreview:
        self._check("preview_target")
        names, left_out = self._resolve(target, include_maintenance=include_maintenance)
        offline = tuple(name for name in names if not self.hosts[name].online)
        return TargetPreview(names, offline, fold(names), left_out)

    async def plan_task(self, spec: TaskSpec) -> TaskPlan:
        self._check("plan_task")
        spec.check()
        names, left_out = self._resolve(spec.target, include_maintenance=spec.include_maintenance)
        return make_plan(
            spec.rollout,
            names,
            offline={name for name in names if not self.hosts[name].online},
            maintenance={name for name in names if self.hosts[name].maintenance},
            left_out=left_out,
        )

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        self._check("create_task")
        spec.check()
        if request_id in self.requests:
            return self.requests[request_id]
        task_id = max(self.tasks, default=0) + 1
        row = Task(
            task_id=task_id,
            name=spec.shown_name,
            description=spec.description,
            target=spec.target,
            status=TaskStatus.PENDING,
            counts=Counts(),
            host_count=0,
            created_by=spec.created_by or ACTOR,
            created_at=self.now(),
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
            template=spec.template,
        )
        self.tasks[task_id] = FakeTask(row, spec)
        if request_id:
            self.requests[request_id] = task_id
        self.record("create_task", task_id=task_id, target=spec.target)
        self._touched(task_id)
        return task_id

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        self._check("start_task")
        task = self._task(task_id)
        if request_id and self.starts.get(task_id) == request_id:
            return task.left_out
        self._guard(task, TaskOperation.START)
        names, task.left_out = self._resolve(
            task.spec.target, include_maintenance=task.spec.include_maintenance
        )
        rollout = task.spec.rollout
        planned = make_plan(rollout, names, offline=()).hosts
        for index in range(len(task.spec.commands)):
            for host in planned:
                batch = host.batch if rollout != ALL_AT_ONCE else 0
                row = waiting_row(task_id, index, self.hosts[host.name], self.now(), batch)
                waits = task.spec.offline is Offline.WAIT and not index
                if waits and not self.hosts[host.name].online:
                    row = replace(row, waits_until=self.now() + task.spec.delivery_timeout)
                task.rows[row.execution_id] = row
        task.row = replace(
            task.row, status=TaskStatus.RUNNING, started_at=self.now(), host_count=len(names)
        )
        self.starts[task_id] = request_id
        target, hosts = task.spec.target, str(len(names))
        self.record("start_task", task_id=task_id, target=target, hosts=hosts, names=fold(names))
        self._recount(task)
        return task.left_out

    async def start_new_task(self, spec: TaskSpec, request_id: str = "") -> NewTask:
        self._check("start_new_task")
        spec.check()
        if new := request_id not in self.requests:  # one that cannot start is not stored
            self._resolve(spec.target, include_maintenance=spec.include_maintenance)
        task_id = await self.create_task(spec, request_id)
        try:
            return NewTask(task_id, tuple(await self.start_task(task_id, request_id)))
        except ManagerError:
            if new:
                del self.tasks[task_id]
                self.requests.pop(request_id, None)
            raise

    async def cancel_task(self, task_id: int, host_ids: Sequence[str] = ()) -> None:
        self._check("cancel_task")
        task = self._task(task_id)
        self._guard(task, TaskOperation.CANCEL)
        of_task = {row.host_id: row.host for row in task.rows.values()}
        if unknown := set(host_ids) - set(of_task):
            raise InvalidInputError("host_ids", f"Task {task_id} has no host {min(unknown)}.")
        if host_ids:
            names = fold(of_task[host_id] for host_id in host_ids)
            self.record("cancel_hosts", task_id=task_id, names=names)
        else:
            task.row = replace(task.row, cancel_requested_at=self.now(), paused=False, hold=None)
            self.record("cancel_task", task_id=task_id)
        if task.row.status is TaskStatus.PENDING:
            task.row = replace(task.row, status=TaskStatus.CANCELED, finished_at=self.now())
        for execution_id, row in task.rows.items():
            if not row.status.ended and (not host_ids or row.host_id in host_ids):
                task.rows[execution_id] = replace(row, cancel_requested_at=self.now())
                if row.sent_at is None:
                    self.apply(execution_id, Operation.CANCEL_UNSENT, Reason.CANCELED)
        self._recount(task)

    async def pause_task(self, task_id: int) -> None:
        self._check("pause_task")
        task = self._task(task_id)
        self._guard(task, TaskOperation.PAUSE)
        if task.row.paused or task.row.canceling:
            raise IllegalMoveError(f"Task {task_id} cannot be paused.")
        task.row = replace(task.row, paused=True)
        self.record("pause_task", task_id=task_id)
        self._touched(task_id)

    async def resume_task(self, task_id: int) -> None:
        self._check("resume_task")
        task = self._task(task_id)
        self._guard(task, TaskOperation.RESUME)
        if task.row.canceling or not (task.row.paused or task.row.hold):
            raise IllegalMoveError(f"Task {task_id} cannot be resumed.")
        task.row = replace(task.row, paused=False, hold=None)
        self.record("resume_task", task_id=task_id)
        self._recount(task)

    # How it keeps its word.

    def classes_of(self, task_id: int) -> dict[str, HostClass]:
        """The class of each host of a task, by name."""
        return classes_of(self._task(task_id).rows.values())

    def _task(self, task_id: int) -> FakeTask:
        if task_id not in self.tasks:
            raise NotFoundError(f"There is no task {task_id}.")
        return self.tasks[task_id]

    def _resolve(
        self, target: str, *, include_maintenance: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The hosts that a target matches, and the names of those that are left out."""
        names = resolve(target, self.admitted, self.classes_of)
        if include_maintenance:
            return tuple(names), ()
        left_out = tuple(name for name in names if self.hosts[name].maintenance)
        if len(left_out) == len(names):
            raise InvalidInputError("target", f"All are in maintenance: {fold(left_out)}.")
        return tuple(name for name in names if name not in left_out), left_out

    def _guard(self, task: FakeTask, operation: TaskOperation) -> None:
        if (operation, task.row.status) not in TASK_TRANSITIONS:
            raise IllegalMoveError(
                f"Task {task.row.task_id} is {task.row.status}: it cannot {operation}."
            )

    def _recount(self, task: FakeTask) -> None:
        advance(task, self.now())
        task.sorted_rows = None
        counts = count(list(task.rows.values()))
        canceled = task.row.cancel_requested_at is not None
        ended = ended_task_status(counts, canceled=canceled) if task.rows else None
        task.row = with_hosts(replace(task.row, counts=counts), task.rows.values())
        if ended is not None:
            at = task.row.finished_at or self.now()
            task.row = replace(task.row, status=ended, finished_at=at, paused=False, hold=None)
        self._touched(task.row.task_id)

    def _touched(self, task_id: int) -> None:
        self.publish(Changes(tasks=frozenset({task_id}), manager=True))

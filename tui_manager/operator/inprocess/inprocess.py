"""The Operator that calls the services of this process. Use it on the manager's loop only."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.hosts.host import Host, HostDetail
from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TASK_SORT_COLUMNS, TaskFilter
from tui_manager.domain.manager.audit import AuditEntry
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.manager.notification import Answer, ReceiverStatus
from tui_manager.domain.output.last_line import LastLine
from tui_manager.domain.output.output_by_host import OutputByHost, OutputPlace, WantedOutput
from tui_manager.domain.output.output_search import OutputMatches
from tui_manager.domain.schedules.schedule import (
    DUES_SHOWN,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
)
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.template import TEMPLATE_SORT_COLUMNS, Template, TemplateDetail
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.tasks.task import (
    CommandHost,
    NewTask,
    OutputChunk,
    Progress,
    Rerun,
    Task,
    TaskDetail,
)
from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap, TaskSummary
from tui_manager.domain.tasks.task_plan import TaskPlan
from tui_manager.operator.actor import CURRENT_ACTOR, this_actor
from tui_manager.operator.file_calls import ReadPart
from tui_manager.operator.follow_task import follow_task
from tui_manager.operator.inprocess.inprocess_files import read_files, store_files
from tui_manager.operator.inprocess.manager_status import Identity, list_managers, manager_status
from tui_manager.operator.output_calls import BEGINNING, TaskEvent
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts.host_search import list_hosts
from tui_manager.service.core.hosts.sorted_hosts import HOST_SORT_COLUMNS
from tui_manager.service.enrollment.host_management_service import HostManagementService
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.notifications.notification_service import NotificationService
from tui_manager.service.schedules.schedule_service import ScheduleService
from tui_manager.service.tasks.stored_output import OutputOf
from tui_manager.service.tasks.task_service import TaskService
from tui_manager.service.templates.template_service import TemplateService


class Tokens(Protocol):
    """Makes, lists and revokes join tokens."""

    async def create_token(self, spec: TokenSpec, actor: str) -> NewToken: ...

    async def list_tokens(self, window: Window, *, everything: bool) -> Page[Token]: ...

    async def revoke_tokens(self, token_ids: Sequence[int], actor: str) -> Sequence[Token]: ...


class Admissions(Protocol):
    """Approves, rejects and revokes hosts."""

    async def approve(
        self, names: Sequence[str], all_pending: bool, actor: str
    ) -> tuple[str, ...]: ...

    async def reject(
        self, names: Sequence[str], all_pending: bool, actor: str
    ) -> tuple[str, ...]: ...

    async def revoke(self, names: Sequence[str], actor: str) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class InProcessOperator:
    """Implements `operator.api.Operator`; see there for each call.

    Attributes:
        tokens: None if there is no TLS, so that no host can enrol.
    """

    identity: Identity
    core: Core
    hosts: HostService
    tasks: TaskService
    clock: ClockWatch
    tokens: Tokens | None
    admissions: Admissions
    host_management: HostManagementService
    templates: TemplateService
    schedules: ScheduleService
    files: FileStore
    notification_service: NotificationService

    async def manager_status(self) -> ManagerStatus:
        work = await self.tasks.work_summary()
        return manager_status(self.identity, self.core, self.clock, work)

    async def list_managers(self) -> Sequence[Gateway]:
        return list_managers(self.identity, self.core, self.clock.now())

    async def accept_clock(self) -> bool:
        return await self.clock.accept(_actor())

    async def list_hosts(self, window: Window) -> Page[Host]:
        window.check("hosts", HOST_SORT_COLUMNS)
        return await list_hosts(self.core, window)

    async def get_host(self, name: str) -> HostDetail:
        return await self.host_management.get_host(name)

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        return await self.admissions.approve(names, all_pending, _actor())

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        return await self.admissions.reject(names, all_pending, _actor())

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        return await self.admissions.revoke(names, _actor())

    async def remove_hosts(self, names: Sequence[str]) -> Sequence[str]:
        return await self.host_management.remove(names, _actor())

    async def rename_host(self, name: str, new_name: str) -> str:
        return await self.host_management.rename(name, new_name, _actor())

    async def label_hosts(
        self, names: Sequence[str], to_set: Mapping[str, str], to_unset: Sequence[str] = ()
    ) -> Sequence[str]:
        return await self.host_management.label(names, to_set, to_unset, _actor())

    async def set_maintenance(
        self,
        names: Sequence[str],
        reason: str = "",
        until: datetime | None = None,
        *,
        end: bool = False,
    ) -> Sequence[str]:
        if end and (reason or until):
            raise InvalidInputError(
                "end", "Either end the maintenance, or give the reason and the end of one."
            )
        if end:
            return await self.host_management.end_maintenance(names, _actor())
        return await self.host_management.set_maintenance(names, reason, until, _actor())

    async def create_token(self, spec: TokenSpec) -> NewToken:
        return await self._tokens().create_token(spec, _actor())

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        window.check("join tokens")
        return await self._tokens().list_tokens(window, everything=everything)

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        return await self._tokens().revoke_tokens(token_ids, _actor())

    def _tokens(self) -> Tokens:
        if self.tokens is None:
            raise IllegalMoveError(
                "This manager runs with --insecure: agents need no token, start them with "
                f"--manager {self.identity.address} --insecure."
            )
        return self.tokens

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        window.check("audit entries")
        return await self.tasks.lists.audit(window)

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        window.check("tasks", TASK_SORT_COLUMNS)
        wanted.check()
        return await self.tasks.list_tasks(window, wanted)

    async def get_task(self, task_id: int) -> TaskDetail:
        return await self.tasks.get_task(task_id)

    async def get_task_status(self, task_id: int) -> TaskStatus:
        return await self.tasks.get_task_status(task_id)

    async def get_task_progress(self, task_id: int) -> Progress:
        return await self.tasks.get_task_progress(task_id)

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        window.check("command hosts", ("host",))
        return await self.tasks.list_command_hosts(task_id, window, command)

    async def read_last_lines(
        self, task_id: int, execution_ids: Sequence[str]
    ) -> Mapping[str, LastLine]:
        return await self.tasks.overview.last_lines(task_id, execution_ids)

    async def get_task_map(self, task_id: int) -> TaskMap:
        return await self.tasks.overview.task_map(task_id)

    async def find_task_host(self, task_id: int, number: int) -> CommandHost:
        return await self.tasks.overview.find_host(task_id, number)

    async def summarize_failures(self, task_id: int) -> Sequence[FailureGroup]:
        return await self.tasks.overview.failures(task_id)

    async def summarize_tasks(self, task_ids: Sequence[int]) -> Mapping[int, TaskSummary]:
        return await self.tasks.overview.summaries(task_ids)

    async def preview_target(
        self, target: str, *, include_maintenance: bool = False
    ) -> TargetPreview:
        return await self.tasks.preview_target(target, include_maintenance=include_maintenance)

    async def list_command_history(self, text: str, limit: int) -> Sequence[PastCommand]:
        return await self.tasks.input_suggestions.command_history(text, limit)

    async def complete_target(self, target: str, limit: int) -> Sequence[str]:
        return self.tasks.input_suggestions.complete_target(target, limit)

    async def plan_task(self, spec: TaskSpec) -> TaskPlan:
        return await self.tasks.plan_task(spec)

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        spec = replace(spec, created_by=spec.created_by or _actor())
        return await self.tasks.create_task(spec, request_id)

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        return await self.tasks.start_task(task_id, _actor(), request_id)

    async def start_new_task(self, spec: TaskSpec, request_id: str = "") -> NewTask:
        spec = replace(spec, created_by=spec.created_by or _actor())
        return await self.tasks.start_new_task(spec, _actor(), request_id)

    async def rerun_task(
        self,
        task_id: int,
        classes: Sequence[HostClass] = (),
        secrets: Mapping[str, str] | None = None,
        request_id: str = "",
        host_ids: Sequence[str] = (),
    ) -> Rerun:
        return await self.tasks.rerun_task(
            task_id, classes, secrets, _actor(), request_id, host_ids
        )

    async def cancel_task(self, task_id: int, host_ids: Sequence[str] = ()) -> None:
        await self.tasks.cancel_task(task_id, _actor(), host_ids)

    async def pause_task(self, task_id: int) -> None:
        await self.tasks.pause_task(task_id, _actor())

    async def resume_task(self, task_id: int) -> None:
        await self.tasks.resume_task(task_id, _actor())

    async def get_task_file(self, task_id: int) -> str:
        return await self.templates.text_of_task(task_id)

    async def save_template(
        self, name: str, text: str = "", task_id: int = 0, request_id: str = ""
    ) -> int:
        return await self.templates.save(name, text, task_id, _actor(), request_id)

    async def list_templates(self, window: Window) -> Page[Template]:
        window.check("templates", TEMPLATE_SORT_COLUMNS)
        return await self.templates.list_templates(window)

    async def get_template(self, name: str, version: int = 0) -> TemplateDetail:
        return await self.templates.get(name, version)

    async def delete_template(self, name: str) -> None:
        await self.templates.delete(name, _actor())

    async def add_schedule(self, spec: ScheduleSpec, request_id: str = "") -> Schedule:
        return await self.schedules.add_schedule(spec, _actor(), request_id)

    async def edit_schedule(self, spec: ScheduleSpec, revision: int) -> Schedule:
        return await self.schedules.edit_schedule(spec, revision, _actor())

    async def list_schedules(self, window: Window) -> Page[Schedule]:
        return await self.schedules.list_schedules(window)

    async def get_schedule(self, name: str) -> ScheduleDetail:
        return await self.schedules.get_schedule(name)

    async def list_schedule_runs(self, name: str, window: Window) -> Page[ScheduleRun]:
        return await self.schedules.list_schedule_runs(name, window)

    async def preview_schedule(
        self, cron: str, zone: str, count: int = DUES_SHOWN
    ) -> Sequence[datetime]:
        return await self.schedules.preview_schedule(cron, zone, count)

    async def pause_schedule(self, name: str) -> None:
        await self.schedules.pause_schedule(name, _actor())

    async def resume_schedule(self, name: str) -> None:
        await self.schedules.resume_schedule(name, _actor())

    async def run_schedule(self, name: str, request_id: str = "") -> int:
        return await self.schedules.run_schedule(name, _actor(), request_id)

    async def delete_schedule(self, name: str) -> None:
        await self.schedules.delete_schedule(name, _actor())

    async def list_receivers(self) -> Sequence[ReceiverStatus]:
        return await self.notification_service.list_receivers()

    async def test_receiver(self, name: str) -> Answer:
        return await self.notification_service.test(name, _actor())

    async def read_output(
        self, execution_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> Sequence[OutputChunk]:
        return await self.tasks.output.read(execution_id, stream, offset, limit)

    async def follow_output(
        self,
        task_id: int,
        after: int = 0,
        host_id: str = "",
        limit: int = 1 << 18,
        before: int = 0,
        execution_id: str = "",
    ) -> Sequence[OutputChunk]:
        of = OutputOf(task_id, host_id, execution_id)
        return await self.tasks.output.follow(of, after, limit, before)

    def follow_task(
        self, task_id: int, *, after: int = 0, host_id: str = "", output: bool = True
    ) -> AsyncGenerator[TaskEvent, None]:
        return follow_task(self, task_id, after=after, host_id=host_id, output=output)

    async def read_output_by_host(
        self, wanted: WantedOutput, place: OutputPlace = BEGINNING, limit: int = 1 << 18
    ) -> OutputByHost:
        return await self.tasks.output.read_by_host(wanted, place, limit)

    async def search_output(
        self,
        task_id: int,
        text: str,
        after: int = 0,
        before: int = 0,
        host_id: str = "",
        execution_id: str = "",
        stderr_only: bool = False,
        offset: int = 0,
    ) -> OutputMatches:
        of = OutputOf(task_id, host_id, execution_id)
        return await self.tasks.output.search(
            of, text, after, before, stderr_only=stderr_only, offset=offset
        )

    async def store_files(
        self,
        files: FileSet,
        read: ReadPart,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        await store_files(self.files, files, read, on_progress)

    def read_files(
        self, files: FileSet, part: FileSetPart, offset: int = 0
    ) -> AsyncIterator[bytes | int]:
        return read_files(self.files, files, part, offset)

    def watch(self) -> AsyncIterator[Changes]:
        return self.core.feed.watch()


def _actor() -> str:
    return CURRENT_ACTOR.get() or this_actor()

"""The Protocol through which the dashboard, the command line and any script see the manager.

Every call may raise a ManagerError whose message is written for the operator: InvalidInputError,
NotFoundError, IllegalMoveError, StorageError, UnreachableError. A call that raised changed nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS
from tui_manager.domain.tasks.task import OutputChunk as OutputChunk
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.new_task_calls import NewTaskCalls
from tui_manager.operator.notification_calls import NotificationCalls
from tui_manager.operator.output_calls import OutputCalls
from tui_manager.operator.schedule_calls import ScheduleCalls
from tui_manager.operator.task_overview_calls import TaskOverviewCalls
from tui_manager.operator.template_calls import TemplateCalls

if TYPE_CHECKING:
    from tui_manager.domain.hosts.host import Host, HostDetail
    from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
    from tui_manager.domain.manager.audit import AuditEntry
    from tui_manager.domain.manager.changes import Changes
    from tui_manager.domain.manager.gateway import Gateway
    from tui_manager.domain.manager.manager_status import ManagerStatus
    from tui_manager.domain.status import TaskStatus
    from tui_manager.domain.targets.target_preview import TargetPreview
    from tui_manager.domain.task_spec.task_spec import TaskSpec
    from tui_manager.domain.tasks.host_class import HostClass
    from tui_manager.domain.tasks.task import (
        CommandHost,
        NewTask,
        Progress,
        Rerun,
        Task,
        TaskDetail,
    )
    from tui_manager.domain.tasks.task_plan import TaskPlan

_Parameters = ParamSpec("_Parameters")
_Reply = TypeVar("_Reply")


class Operator(
    TaskOverviewCalls,
    NewTaskCalls,
    TemplateCalls,
    ScheduleCalls,
    NotificationCalls,
    OutputCalls,
    FileCalls,
    Protocol,
):
    """Everything an operator can see and do."""

    async def manager_status(self) -> ManagerStatus:
        """Address, security, counts and figures of the manager."""
        ...

    async def list_managers(self) -> Sequence[Gateway]:
        """The managers that share this one's database, this one among them, by number. Those that
        have been away for longer than a day are left out."""
        ...

    async def accept_clock(self) -> bool:
        """Confirms that the manager's clock is right, so that pruning goes on; False if nothing
        waited for it."""
        ...

    async def list_hosts(self, window: Window) -> Page[Host]:
        """Hosts by name: first the pending ones, last those that were rejected or revoked. `text`
        matches names and `key=value` labels; sort: name, state, cpu, memory, running, since."""
        ...

    async def get_host(self, name: str) -> HostDetail:
        """One host with its facts, and the newest tasks that ran on it. A host_id, or NAME/HOST_ID,
        can be used instead of a name. NotFoundError; IllegalMoveError for a name of several
        hosts."""
        ...

    async def approve_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        """Admits pending hosts, and returns their names in natural order. `all_pending`: all of
        them, except those with a note.

        A host_id can be used instead of a name, because several pending hosts can have the same
        name. NotFoundError for an unknown host; IllegalMoveError for one that is not pending, or
        whose name an admitted host has.
        """
        ...

    async def reject_hosts(
        self, names: Sequence[str] = (), *, all_pending: bool = False
    ) -> Sequence[str]:
        """Refuses pending hosts for good, these or all of them; otherwise as `approve_hosts`."""
        ...

    async def revoke_hosts(self, names: Sequence[str]) -> Sequence[str]:
        """Revokes the admission of hosts, by name or host_id, for good, and returns their names in
        natural order. Their sessions end at once, and their work is lost. NotFoundError,
        IllegalMoveError."""
        ...

    async def remove_hosts(self, names: Sequence[str]) -> Sequence[str]:
        """Forgets hosts, with any admission, for good, and returns their names in natural order.
        Their keys are refused from then on, their names are free, and tasks keep them in their
        history. NotFoundError; IllegalMoveError while one is online or has a command that has not
        ended, and for a name that several hosts have."""
        ...

    async def rename_host(self, name: str, new_name: str) -> str:
        """Gives a host another name, and returns that. The name that its agent gives is ignored
        from then on. NotFoundError; IllegalMoveError if another host has the name."""
        ...

    async def label_hosts(
        self, names: Sequence[str], to_set: Mapping[str, str], to_unset: Sequence[str] = ()
    ) -> Sequence[str]:
        """Sets labels of hosts, and takes away labels that operators have set (keys); returns the
        names of the hosts in natural order. An operator's label wins over that of a join token,
        which wins over the agent's. NotFoundError; IllegalMoveError for a host that was turned
        away."""
        ...

    async def set_maintenance(
        self,
        names: Sequence[str],
        reason: str = "",
        until: datetime | None = None,
        *,
        end: bool = False,
    ) -> Sequence[str]:
        """Puts hosts into maintenance, so that tasks leave them out, until a time or until an
        operator ends it; or ends it. A reason must be given, unless `end`. Returns the names of the
        hosts in natural order. NotFoundError; IllegalMoveError for a host that was turned away, and
        if a maintenance is to be ended and there is none."""
        ...

    async def create_token(self, spec: TokenSpec) -> NewToken:
        """Makes a join token; its text cannot be read again. IllegalMoveError if the manager has no
        TLS, because then no host enrols."""
        ...

    async def list_tokens(self, window: Window, everything: bool = False) -> Page[Token]:
        """Join tokens, the newest first: those with which hosts can still enrol, or all. `text`
        matches the actor who made it. IllegalMoveError as `create_token`."""
        ...

    async def revoke_tokens(self, token_ids: Sequence[int]) -> Sequence[Token]:
        """Revokes join tokens, all of these or none, and returns their new state. NotFoundError;
        IllegalMoveError for a token that has expired or was revoked before, or as
        `create_token`."""
        ...

    async def list_audit(self, window: Window) -> Page[AuditEntry]:
        """The audit, the newest entry first. `text` matches actor, action, host, detail, and
        a task's number as `#12`."""
        ...

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        """Tasks, the newest first. `text` matches name, target, status and id; sort: created,
        started, finished, duration. InvalidInputError("host") if the filter names a host that
        there never was."""
        ...

    async def get_task(self, task_id: int) -> TaskDetail:
        """A task with its commands."""
        ...

    async def get_task_status(self, task_id: int) -> TaskStatus:
        """Only the status of a task."""
        ...

    async def get_task_progress(self, task_id: int) -> Progress:
        """Status, counts, fraction, elapsed time, an estimate of what is left, pause and hold."""
        ...

    async def list_command_hosts(
        self, task_id: int, window: Window, command: int | None = None
    ) -> Page[CommandHost]:
        """Command hosts of a task: faults first, then running, pending, completed; by command and
        name within these. `sort="host"` orders by command and name alone. `text` matches host
        names, status and reason; `command` keeps those of one command."""
        ...

    async def preview_target(
        self, target: str, *, include_maintenance: bool = False
    ) -> TargetPreview:
        """The hosts that a target matches now. InvalidInputError("target") says what did not
        match, or that all hosts are left out."""
        ...

    async def plan_task(self, spec: TaskSpec) -> TaskPlan:
        """On which hosts a task would run now, and in which batches. Nothing is stored or started,
        and no host is asked. InvalidInputError."""
        ...

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        """Stores a pending task and returns its task_id. The target is checked for its notation
        only: it is resolved when the task starts.

        The same `request_id`, a UUID, returns the same task; IllegalMoveError when it is that of
        a task with another target or other commands.
        """
        ...

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        """pending → running, with the target resolved and frozen. Returns the names of hosts that
        the target matches and that were left out. A repeat with the `request_id`
        that started the task, a UUID, changes nothing; any other start of it is an
        IllegalMoveError."""
        ...

    async def start_new_task(self, spec: TaskSpec, request_id: str = "") -> NewTask:
        """`create_task` and `start_task` in one transaction: if the task cannot start, it is not
        stored. The same `request_id`, a UUID, returns the same task, which is started once."""
        ...

    async def rerun_task(
        self,
        task_id: int,
        classes: Sequence[HostClass] = (),
        secrets: Mapping[str, str] | None = None,
        request_id: str = "",
        host_ids: Sequence[str] = (),
    ) -> Rerun:
        """Stores a pending task with the same commands, parameters, limits and rollout, for the
        hosts of some classes of a task that has ended; without classes the failed and unreached.
        The same `request_id`, a UUID, returns the same task. `host_ids` names exactly the hosts of
        the task on which it runs, instead of classes.

        `secrets` has the value of each secret of the task, because these are not kept.
        InvalidInputError("secret") names what is missing, ("host_ids") a host that the task does
        not have; IllegalMoveError when the task has not ended, or there is no host to run on.
        """
        ...

    async def cancel_task(self, task_id: int, host_ids: Sequence[str] = ()) -> None:
        """Cancels a task: what was not sent ends at once, and the agents are told to kill the
        rest. With `host_ids` only on these hosts, and a running task goes on with the others;
        IllegalMoveError when it has ended on all of these, InvalidInputError("host_ids") for a
        host that the task does not have."""
        ...

    async def pause_task(self, task_id: int) -> None:
        """Sends nothing more of a running task until it is resumed; what hosts already have goes
        on. IllegalMoveError for a task that does not run, or is paused or being canceled."""
        ...

    async def resume_task(self, task_id: int) -> None:
        """Ends a pause, and a hold after a batch. IllegalMoveError if there is neither."""
        ...

    def watch(self) -> AsyncIterator[Changes]:
        """Merged changes, at most 10 a second, until the iterator is closed. The first comes at
        once and asks to read everything. Raises UnreachableError when the manager ends."""
        ...


@dataclass(frozen=True, slots=True)
class Call(Generic[_Reply]):
    """One call of an Operator.

    Attributes:
        name: of the method.
    """

    name: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def on(self, operator: Operator) -> Coroutine[Any, Any, _Reply]:
        """The same call on this operator."""
        method: Callable[..., Coroutine[Any, Any, _Reply]] = getattr(operator, self.name)
        return method(*self.arguments, **self.keywords)


def _forwarded(
    method: Callable[Concatenate[Any, _Parameters], Coroutine[Any, Any, _Reply]],
) -> Callable[Concatenate[ForwardingOperator, _Parameters], Coroutine[Any, Any, _Reply]]:
    """A method with the parameters and the reply of `method`, which gives its call to `forward`."""
    name = method.__name__

    async def forwarded(
        self: ForwardingOperator, /, *arguments: _Parameters.args, **keywords: _Parameters.kwargs
    ) -> _Reply:
        call: Call[_Reply] = Call(name, arguments, keywords)
        return await self.forward(call)

    return forwarded


class ForwardingOperator(ABC):
    """An Operator that passes every call to `forward`; `watch`, `follow_task` and `read_files` are
    left to the subclass.

    Each call of the Protocol has a line here. mypy misses it if it is forgotten.
    """

    @abstractmethod
    async def forward(self, call: Call[_Reply]) -> _Reply:
        """Answers a call."""

    manager_status = _forwarded(Operator.manager_status)
    list_managers = _forwarded(Operator.list_managers)
    accept_clock = _forwarded(Operator.accept_clock)
    list_hosts = _forwarded(Operator.list_hosts)
    get_host = _forwarded(Operator.get_host)
    approve_hosts = _forwarded(Operator.approve_hosts)
    reject_hosts = _forwarded(Operator.reject_hosts)
    revoke_hosts = _forwarded(Operator.revoke_hosts)
    remove_hosts = _forwarded(Operator.remove_hosts)
    rename_host = _forwarded(Operator.rename_host)
    label_hosts = _forwarded(Operator.label_hosts)
    set_maintenance = _forwarded(Operator.set_maintenance)
    create_token = _forwarded(Operator.create_token)
    list_tokens = _forwarded(Operator.list_tokens)
    revoke_tokens = _forwarded(Operator.revoke_tokens)
    list_audit = _forwarded(Operator.list_audit)
    list_tasks = _forwarded(Operator.list_tasks)
    get_task = _forwarded(Operator.get_task)
    get_task_status = _forwarded(Operator.get_task_status)
    get_task_progress = _forwarded(Operator.get_task_progress)
    list_command_hosts = _forwarded(Operator.list_command_hosts)
    read_last_lines = _forwarded(Operator.read_last_lines)
    get_task_map = _forwarded(Operator.get_task_map)
    find_task_host = _forwarded(Operator.find_task_host)
    summarize_failures = _forwarded(Operator.summarize_failures)
    summarize_tasks = _forwarded(Operator.summarize_tasks)
    preview_target = _forwarded(Operator.preview_target)
    list_command_history = _forwarded(Operator.list_command_history)
    complete_target = _forwarded(Operator.complete_target)
    plan_task = _forwarded(Operator.plan_task)
    create_task = _forwarded(Operator.create_task)
    start_task = _forwarded(Operator.start_task)
    start_new_task = _forwarded(Operator.start_new_task)
    rerun_task = _forwarded(Operator.rerun_task)
    cancel_task = _forwarded(Operator.cancel_task)
    pause_task = _forwarded(Operator.pause_task)
    resume_task = _forwarded(Operator.resume_task)
    get_task_file = _forwarded(Operator.get_task_file)
    save_template = _forwarded(Operator.save_template)
    list_templates = _forwarded(Operator.list_templates)
    get_template = _forwarded(Operator.get_template)
    delete_template = _forwarded(Operator.delete_template)
    add_schedule = _forwarded(Operator.add_schedule)
    edit_schedule = _forwarded(Operator.edit_schedule)
    list_schedules = _forwarded(Operator.list_schedules)
    get_schedule = _forwarded(Operator.get_schedule)
    list_schedule_runs = _forwarded(Operator.list_schedule_runs)
    preview_schedule = _forwarded(Operator.preview_schedule)
    pause_schedule = _forwarded(Operator.pause_schedule)
    resume_schedule = _forwarded(Operator.resume_schedule)
    run_schedule = _forwarded(Operator.run_schedule)
    delete_schedule = _forwarded(Operator.delete_schedule)
    list_receivers = _forwarded(Operator.list_receivers)
    test_receiver = _forwarded(Operator.test_receiver)
    read_output = _forwarded(Operator.read_output)
    follow_output = _forwarded(Operator.follow_output)
    read_output_by_host = _forwarded(Operator.read_output_by_host)
    search_output = _forwarded(Operator.search_output)
    store_files = _forwarded(Operator.store_files)

"""What a script does with a manager: reads its lists, and makes tasks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from tui_manager.client.read_lists import each_host, each_schedule, each_task, each_template
from tui_manager.client.task_handle import TaskHandle
from tui_manager.client.task_options import command_step, parameter_texts, with_options
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.operator.actor import this_actor

if TYPE_CHECKING:
    from tui_manager.client.task_options import TaskOptions
    from tui_manager.domain.hosts.host import Host, HostDetail
    from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
    from tui_manager.domain.manager.manager_status import ManagerStatus
    from tui_manager.domain.schedules.schedule import Schedule
    from tui_manager.domain.targets.target_preview import TargetPreview
    from tui_manager.domain.task_files.template import Template, TemplateDetail
    from tui_manager.domain.tasks.task import Task
    from tui_manager.operator.api import Operator

_NOTHING: Mapping[str, str] = {}


class Manager:
    """A manager to which a script is connected.

    All methods raise UnreachableError if the manager ends, and NoAnswerError, which is one too, if
    it does not answer: then what was asked may have been done. StorageError: the database cannot
    be read or written now.

    Attributes:
        operator: every call that the manager has, also those that have no method here.
    """

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    async def status(self) -> ManagerStatus:
        """Address, security, counts and figures of the manager."""
        return await self.operator.manager_status()

    async def hosts(self, target: str = "") -> AsyncGenerator[Host, None]:
        """The admitted hosts that a target matches, also those in maintenance; without a target
        every host that the manager knows, also those that wait for approval.

        Raises:
            InvalidInputError: ("target") it is wrong, or matches nothing.
        """
        names = None
        if target:
            preview = await self.operator.preview_target(target, include_maintenance=True)
            names = frozenset(preview.hosts)
        async for host in each_host(self.operator):
            if names is None or (host.name in names and host.admission is Admission.ADMITTED):
                yield host

    async def host(self, name: str) -> HostDetail:
        """One host with its facts and the newest tasks that ran on it. NotFoundError."""
        return await self.operator.get_host(name)

    async def preview(self, target: str, *, include_maintenance: bool = False) -> TargetPreview:
        """The hosts on which a task with this target would run now. InvalidInputError("target")."""
        return await self.operator.preview_target(target, include_maintenance=include_maintenance)

    async def run(
        self,
        target: str,
        command: str = "",
        *,
        name: str = "",
        description: str = "",
        script: str | bytes | None = None,
        arguments: Sequence[str] = (),
        stdin: str | bytes | None = None,
        env: Mapping[str, str] = _NOTHING,
        params: Mapping[str, str | int | float | bool] = _NOTHING,
        secrets: Mapping[str, str] = _NOTHING,
        request_id: str = "",
        **options: Unpack[TaskOptions],
    ) -> TaskHandle:
        """Makes a task of one command, and starts it.

        Args:
            target: the hosts, in the notation of targets.
            command: for the shell of the hosts.
            name: of the task; empty: the first line of the command.
            script: the text of a script, instead of a command.
            arguments: of the script.
            stdin: what the command reads there.
            env: more environment variables.
            params: parameters: environment variables that are shown with the task.
            secrets: environment variables that are shown and kept nowhere.
            request_id: a UUID; the same one gives the same task, which is started once.
            options: see TaskOptions.

        Raises:
            InvalidInputError: names what is wrong; no task was made.
        """
        step = command_step(
            command,
            script=script,
            arguments=arguments,
            stdin=stdin,
            env=env,
            params=params,
            secrets=secrets,
        )
        spec = TaskSpec(target, (step,), name=name, description=description)
        return await self.start(with_options(spec, options), request_id)

    async def run_template(
        self,
        name: str,
        *,
        version: int = 0,
        target: str = "",
        params: Mapping[str, str | int | float | bool] = _NOTHING,
        secrets: Mapping[str, str] = _NOTHING,
        request_id: str = "",
        **options: Unpack[TaskOptions],
    ) -> TaskHandle:
        """Makes a task of a template, and starts it.

        Args:
            version: of the template; 0: the newest.
            target: instead of the template's.
            params: the values of its parameters.
            secrets: the values of its parameters that are secrets.
            request_id, options: as of `run`; options win over those of the template.

        Raises:
            NotFoundError: there is no such template or version.
            InvalidInputError: names what is wrong; no task was made.
        """
        from tui_manager.client.read_template import read_template
        from tui_manager.domain.task_files.task_file import fill

        task_file = await read_template(self.operator, name, version)
        spec = with_options(fill(task_file, parameter_texts(params), secrets), options)
        return await self.start(replace(spec, target=target or spec.target), request_id)

    async def run_schedule(self, name: str, request_id: str = "") -> TaskHandle:
        """Starts the task of a schedule now. IllegalMoveError while one of it has not ended."""
        return self.task(await self.operator.run_schedule(name, request_id))

    async def start(self, spec: TaskSpec, request_id: str = "") -> TaskHandle:
        """Makes any task, and starts it.

        Args:
            request_id: a UUID; the same one gives the same task, which is started once.

        Raises:
            InvalidInputError: names what is wrong. No task was made.
        """
        spec = _by_this_actor(spec)
        spec.check()
        made = await self.operator.start_new_task(spec, request_id)
        task = self.task(made.task_id)
        task.left_out = made.left_out
        return task

    async def create(self, spec: TaskSpec, request_id: str = "") -> TaskHandle:
        """Makes any task, and leaves it pending. Of its target only the notation is checked."""
        spec = _by_this_actor(spec)
        spec.check()
        return self.task(await self.operator.create_task(spec, request_id))

    def task(self, task_id: int) -> TaskHandle:
        """The task of this number. The manager is not asked yet."""
        return TaskHandle(self.operator, task_id)

    def tasks(self, text: str = "", wanted: TaskFilter = ALL_TASKS) -> AsyncIterator[Task]:
        """The tasks that pass a filter such as `status=failed since=24h`, the newest first."""
        return each_task(self.operator, Window(text=text), wanted)

    def templates(self, text: str = "") -> AsyncIterator[Template]:
        """The templates that pass a filter, by name."""
        return each_template(self.operator, text)

    async def template(self, name: str, version: int = 0) -> TemplateDetail:
        """One version of a template with its text, or the newest one. NotFoundError."""
        return await self.operator.get_template(name, version)

    def schedules(self) -> AsyncIterator[Schedule]:
        """Every schedule, by name."""
        return each_schedule(self.operator)


def _by_this_actor(spec: TaskSpec) -> TaskSpec:
    """The same task with who makes it, unless that is known."""
    return replace(spec, created_by=spec.created_by or this_actor())

"""What the keys of a screen do to tasks: start, cancel, pause, resume, run again, edit a copy and
export, with the questions before. Which key does it is in `action_table.py`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textual.app import App

from tui_manager.domain.errors import InvalidInputError, ManagerError, NotFoundError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Action
from tui_manager.ui.forms.confirm import TYPED_ABOVE, ConfirmScreen
from tui_manager.ui.forms.files.export_task import ExportScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.new_task.task_in_form import fits_form
from tui_manager.ui.forms.questions import (
    cancel_on_hosts_question,
    cancel_question,
    gone_text,
    names_text,
    start_question,
    task_title,
)
from tui_manager.ui.forms.schedules.run_template import ParameterForm
from tui_manager.ui.forms.tasks.rerun_choice import look_up_choice
from tui_manager.ui.forms.tasks.rerun_task import RerunScreen
from tui_manager.ui.forms.tasks.task_file_form import open_task_file_form
from tui_manager.ui.forms.tasks.task_file_reader import read_beside
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.manager_link import CallFailed, Link
from tui_manager.ui.tasks.task_key_labels import is_useful, task_label

_NO_UPDATE = (
    "an update of agents cannot be edited. It can be run again; for another version, run "
    "tui-manager agent update."
)


class TaskActions(MainScreen):
    """A screen whose keys start, cancel, pause, resume and repeat tasks."""

    def chosen_tasks(self) -> list[Task]:
        """The tasks that the keys act on."""
        raise NotImplementedError

    async def find_marked_hosts(self) -> bool:
        """Looks up the marked rows. False if a key that acts on marked hosts of a task must do
        nothing."""
        return await self.find_marks()

    def marked_have_ended(self) -> bool:
        """Whether nothing of the task is left to cancel on its marked hosts."""
        return False

    async def action_start_task(self) -> None:
        """Starts the chosen tasks."""
        if await self.find_marks():
            self.run_to_end(start_tasks(self.app, self.link, self.chosen_tasks()))

    async def action_cancel_task(self) -> None:
        """Cancels the chosen tasks, or one on its marked hosts, after asking."""
        if await self.find_marked_hosts():
            tasks, hosts = self.chosen_tasks(), self.marked_task_hosts()
            if hosts and tasks and self.marked_have_ended():
                names = names_text(hosts.values())
                text = f"{task_title(tasks[0])} has ended on {names}: there is nothing to cancel."
                _notify_warning(self.app, text)
            elif hosts and tasks:
                self.run_to_end(cancel_on_hosts(self.app, self.link, tasks[0], hosts))
            else:
                self.run_to_end(cancel_tasks(self.app, self.link, tasks))

    async def action_pause_task(self) -> None:
        """Pauses the chosen tasks, or resumes them."""
        if await self.find_marks():
            self.run_to_end(pause_or_resume_tasks(self.app, self.link, self.chosen_tasks()))

    async def action_rerun_task(self) -> None:
        """Runs the chosen task again, after asking on which hosts."""
        if await self.find_marked_hosts():
            tasks, hosts = self.chosen_tasks(), self.marked_task_hosts()
            self.run_to_end(rerun_task(self.app, self.link, tasks, hosts, self.task_created))

    async def action_edit_task(self) -> None:
        """Opens a form with a copy of the chosen task."""
        if await self.find_marks():
            tasks = self.chosen_tasks()
            self.run_to_end(edit_copy(self.app, self.link, tasks, self.task_created))

    async def action_export_task(self) -> None:
        """Opens the form that exports the chosen task."""
        tasks = self.chosen_tasks()
        if len(tasks) == 1:
            await self.app.push_screen(ExportScreen(self.link, tasks[0]))
        else:
            problem = "Mark one task only" if tasks else "Select a task"
            self.app.notify(f"{problem}: it is exported.", markup=False)

    def label_of(self, action: Action) -> str:
        """With marked hosts of a task, some keys act on these."""
        if action.id in ("cancel_task", "rerun_task") and (marked := len(self.marked_task_hosts())):
            return f"{action.label} on {marked:,}"
        return task_label(action.id, self.chosen_tasks()) or super().label_of(action)

    def is_useful(self, action: Action) -> bool:
        return is_useful(action.id, self.chosen_tasks()) and super().is_useful(action)


async def start_tasks(app: App[Any], link: Link, tasks: Sequence[Task]) -> None:
    """Starts pending tasks; above the limit of hosts it asks for each."""
    if not tasks:
        app.notify("Select a task to start.", markup=False)
    for task in tasks:
        if task.status is not TaskStatus.PENDING:
            state = f"{task_title(task)} is {task.status}"
            _notify_warning(app, f"{state}: only a pending task can be started.")
            continue
        try:
            detail = await link.operator.get_task(task.task_id)
            preview = await link.operator.preview_target(
                task.target, include_maintenance=detail.include_maintenance
            )
            if len(preview.hosts) > TYPED_ABOVE and not await app.push_screen_wait(
                ConfirmScreen(start_question(task_title(task), task.target, preview))
            ):
                continue
            await link.operator.start_task(task.task_id)
        except ManagerError as error:
            app.post_message(CallFailed(error))


async def cancel_tasks(app: App[Any], link: Link, tasks: Sequence[Task]) -> None:
    """Asks once for all, then cancels what has not ended."""
    open_tasks = [task for task in tasks if not task.status.ended and not task.canceling]
    for task in tasks:
        if task not in open_tasks:
            _notify_warning(app, f"{_state_text(task)}: there is nothing to cancel.")
    if not tasks:
        app.notify("Select a task to cancel.", markup=False)
    if not open_tasks or not await app.push_screen_wait(ConfirmScreen(cancel_question(open_tasks))):
        return
    for task in open_tasks:
        try:
            await link.operator.cancel_task(task.task_id)
        except ManagerError as error:
            app.post_message(CallFailed(error))


async def cancel_on_hosts(app: App[Any], link: Link, task: Task, hosts: Mapping[str, str]) -> None:
    """Asks, then cancels the task on these hosts; it goes on with the others.

    Args:
        hosts: names by host_id.
    """
    if task.status is not TaskStatus.RUNNING or task.canceling:
        _notify_warning(app, f"{_state_text(task)}: there is nothing to cancel.")
        return
    question = cancel_on_hosts_question(task, list(hosts.values()))
    if await app.push_screen_wait(ConfirmScreen(question)):
        try:
            await link.operator.cancel_task(task.task_id, tuple(hosts))
        except ManagerError as error:
            app.post_message(CallFailed(error))


async def pause_or_resume_tasks(app: App[Any], link: Link, tasks: Sequence[Task]) -> None:
    """Pauses those that run. If none does, resumes those that are paused or on hold."""
    if not tasks:
        app.notify("Select a task to pause or resume.", markup=False)
    open_tasks = [
        task for task in tasks if task.status is TaskStatus.RUNNING and not task.canceling
    ]
    waiting = [task for task in open_tasks if task.waits]
    running = [task for task in open_tasks if not task.waits]
    for task in tasks:
        if task not in open_tasks:
            _notify_warning(app, f"{_state_text(task)}: {_why_no_pause(task)}")
    call = link.operator.pause_task if running else link.operator.resume_task
    for task in running or waiting:
        try:
            await call(task.task_id)
        except ManagerError as error:
            app.post_message(CallFailed(error))


def _why_no_pause(task: Task) -> str:
    if task.status is TaskStatus.PENDING:
        return "only a running task can be paused; start it first."
    if task.canceling:
        return "it cannot be paused any more."
    return "there is nothing to pause."


def _state_text(task: Task) -> str:
    """`#62 uptime has completed`."""
    title = task_title(task)
    if task.canceling:
        return f"{title} is being canceled already"
    match task.status:
        case TaskStatus.COMPLETED | TaskStatus.FAILED:
            return f"{title} has {task.status}"
        case TaskStatus.CANCELED:
            return f"{title} was canceled"
        case _:
            return f"{title} is {task.state}"


async def rerun_task(
    app: App[Any],
    link: Link,
    tasks: Sequence[Task],
    marked: Mapping[str, str],
    created: Callable[[int], None],
) -> None:
    """Asks on which hosts a task that has ended is to run again, and makes that task.

    Args:
        tasks: one; for several, it says that each has a question of its own.
        marked: names of hosts of the task that are marked, by host_id.
        created: called with the id of the new task, which is started.
    """
    if len(tasks) != 1:
        problem = "Mark one task only: each" if tasks else "Select a task that has ended: it"
        app.notify(f"{problem} is run again on hosts that you choose.", markup=False)
        return
    (task,) = tasks
    if not task.status.ended:
        _notify_warning(app, f"{_state_text(task)}: it can be run again when it has ended.")
        return
    try:
        choice = await look_up_choice(link.operator, task.task_id, marked)
    except ManagerError as error:
        app.post_message(CallFailed(error))
        return
    if marked and not choice.marked:
        _notify_warning(app, f"{gone_text(choice.gone)}. No marked host is left to run on.")
        return
    if not any(choice.hosts.values()):
        _notify_warning(app, f"{task_title(task)} has no hosts to run on again.")
        return
    task_id = await app.push_screen_wait(RerunScreen(link, choice))
    if task_id is not None:
        created(task_id)


async def edit_copy(
    app: App[Any], link: Link, tasks: Sequence[Task], created: Callable[[int], None]
) -> None:
    """Opens a copy of a task in the form that fits: that of its parameters, the form for a new
    task, or that of a task file. The values of secrets are not kept, so they are typed again.

    Args:
        tasks: one.
        created: called with the id of the task that the form makes.
    """
    if len(tasks) != 1:
        problem = "Mark one task only" if tasks else "Select a task"
        app.notify(f"{problem}: a copy of it is edited.", markup=False)
        return
    task_id = tasks[0].task_id
    try:
        spec = (await link.operator.get_task(task_id)).spec
        if any(step.update for step in spec.commands):
            _notify_warning(app, f"{task_title(tasks[0])}: {_NO_UPDATE}")
            return
        version = await _known_version(link, spec)
        if version is None and fits_form(spec):
            made = await app.push_screen_wait(NewTaskScreen(link, spec=spec))
        else:
            text = await link.operator.get_task_file(task_id)
            made = await _edit_text(app, link, text, version, described=bool(spec.parameters))
    except ManagerError as error:
        app.post_message(CallFailed(error))
        return
    if made is not None:
        created(made)


async def _known_version(link: Link, spec: TaskSpec) -> TemplateVersion | None:
    """The version of the template that a task was made from; None: of none, or it is deleted."""
    if spec.template is None:
        return None
    try:
        await link.operator.get_template(spec.template.name, spec.template.version)
    except (InvalidInputError, NotFoundError):
        return None
    return spec.template


async def _edit_text(
    app: App[Any], link: Link, text: str, version: TemplateVersion | None, *, described: bool
) -> int | None:
    """With fields for the parameters if there is a template, or a task file that describes them."""
    if version is None and not described:
        return await open_task_file_form(app, link, text)
    task_file = await read_beside(text, str(version or "task file"))
    title = f"Run {safe_line(str(version))}" if version else "Edit a copy"
    return await app.push_screen_wait(ParameterForm(link, title, task_file, version))


def _notify_warning(app: App[Any], text: str) -> None:
    app.notify(text, severity="warning", markup=False)

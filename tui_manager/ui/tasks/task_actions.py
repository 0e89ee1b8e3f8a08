"""Starting and cancelling tasks from a screen: what is asked before, what is said after."""

from collections.abc import Sequence
from typing import Any

from textual.app import App

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Task
from tui_manager.ui.drawing.figures import count_of
from tui_manager.ui.forms.confirm import TYPED_ABOVE, ConfirmScreen, Question
from tui_manager.ui.frame.messages import Problem
from tui_manager.ui.manager_link import Link


async def start_tasks(app: App[Any], link: Link, tasks: Sequence[Task]) -> None:
    """Starts pending tasks; above the limit of hosts it asks for each."""
    if not tasks:
        app.notify("Select a task to start.", markup=False)
    for task in tasks:
        if task.status is not TaskStatus.PENDING:
            _say(app, f"{_title(task)} is {task.status}: only a pending task can be started.")
            continue
        try:
            preview = await link.operator.preview_target(task.target)
            if len(preview.hosts) > TYPED_ABOVE and not await app.push_screen_wait(
                ConfirmScreen(start_question(_title(task), len(preview.hosts), preview.folded))
            ):
                continue
            await link.operator.start_task(task.task_id)
        except ManagerError as error:
            app.post_message(Problem(error))


async def cancel_tasks(app: App[Any], link: Link, tasks: Sequence[Task]) -> None:
    """Asks once for all, then cancels what has not ended."""
    open_tasks = [task for task in tasks if not task.status.ended and not task.canceling]
    for task in tasks:
        if task not in open_tasks:
            state = "being cancelled already" if task.canceling else task.status
            _say(app, f"{_title(task)} is {state}: there is nothing to cancel.")
    if not tasks:
        app.notify("Select a task to cancel.", markup=False)
    if not open_tasks or not await app.push_screen_wait(ConfirmScreen(cancel_question(open_tasks))):
        return
    for task in open_tasks:
        try:
            await link.operator.cancel_task(task.task_id)
        except ManagerError as error:
            app.post_message(Problem(error))


def start_question(title: str, hosts: int, folded: str) -> Question:
    """What is asked before a task starts on many hosts."""
    return Question(
        f"Start {title}",
        (f"It runs on {count_of(hosts, 'host')}:", folded if len(folded) < 120 else "many names."),
        f"Start on {count_of(hosts, 'host')}",
        hosts,
        destructive=False,
    )


def cancel_question(tasks: Sequence[Task]) -> Question:
    """What is asked before tasks are cancelled."""
    hosts = sum(task.host_count for task in tasks)
    total = sum(task.counts.total for task in tasks)
    left = sum(task.counts.pending + task.counts.running for task in tasks)
    what = _title(tasks[0]) if len(tasks) == 1 else count_of(len(tasks), "task")
    lines = [
        f"{left:,} of {count_of(total, 'command')} on {count_of(hosts, 'host')} "
        f"{'has' if left == 1 else 'have'} not ended.",
        "They get SIGTERM, then SIGKILL. What has ended stays as it is.",
    ]
    if not hosts:
        lines = ["Not started yet: it will never run."]
    if len(tasks) > 1:
        lines += [f"  {_title(task)}" for task in tasks[:8]]
    return Question(f"Cancel {what}?", lines, "Cancel the task" + "s" * (len(tasks) > 1), hosts)


def _title(task: Task) -> str:
    name = safe_line(task.name)
    return f"#{task.task_id} {name if len(name) <= 40 else name[:39] + '…'}"


def _say(app: App[Any], text: str) -> None:
    app.notify(text, severity="warning", markup=False)

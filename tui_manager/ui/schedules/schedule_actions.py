"""What keys do to templates and schedules, with the questions before. Which key does it is in
`action_table.py`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual.app import App

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.schedules.schedule import Schedule
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.template import Template
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.operator.api import Operator
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.questions import (
    delete_schedule_question,
    delete_template_question,
    start_question,
)
from tui_manager.ui.forms.schedules.run_template import RunTemplateScreen
from tui_manager.ui.forms.schedules.schedule_form import ScheduleForm
from tui_manager.ui.forms.tasks.task_file_form import NEW_TASK_FILE, open_task_file_form
from tui_manager.ui.forms.tasks.task_file_reader import read_beside
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.manager_link import CallFailed, Link
from tui_manager.ui.terminal.closable import is_open


async def run_template(
    app: App[Any], link: Link, template: Template, created: Callable[[int], None]
) -> None:
    """Opens the form of its newest version.

    Args:
        created: called with the id of the task that the form has made.
    """
    try:
        detail = await link.operator.get_template(template.name)
        task_file = await read_beside(detail.text, template.name)
    except ManagerError as error:
        app.post_message(CallFailed(error))
        return
    task_id = await app.push_screen_wait(RunTemplateScreen(link, detail, task_file))
    if task_id is not None:
        created(task_id)


async def run_schedule(app: App[Any], link: Link, name: str) -> None:
    """Asks, then starts its task now."""
    try:
        spec, preview = await _task_of(link.operator, name)
        title = f"{safe_line(name)} now"
        question = start_question(title, spec.target, preview, spec.commands)
        if await app.push_screen_wait(ConfirmScreen(question)):
            task_id = await link.operator.run_schedule(name, new_request_id())
            app.notify(f"{safe_line(name)} runs as task {task_id}.", markup=False)
    except ManagerError as error:
        app.post_message(CallFailed(error))


async def _task_of(operator: Operator, name: str) -> tuple[TaskSpec, TargetPreview]:
    """Its task, and on which hosts it would run now. Raises ManagerError."""
    schedule = (await operator.get_schedule(name)).schedule.spec  # a list has no task files
    use, text = schedule.template, schedule.task_file
    if use is not None:
        text = (await operator.get_template(use.name, use.version)).text
    spec = (await read_beside(text, name)).spec
    if use is not None and use.target:
        spec = replace(spec, target=use.target)
    return spec, await operator.preview_target(
        spec.target, include_maintenance=spec.include_maintenance
    )


async def pause_or_resume_schedule(app: App[Any], link: Link, schedule: Schedule) -> None:
    """Pauses a schedule, or ends its pause."""
    name = schedule.spec.name
    try:
        if schedule.paused:
            await link.operator.resume_schedule(name)
        else:
            await link.operator.pause_schedule(name)
    except ManagerError as error:
        app.post_message(CallFailed(error))


async def add_schedule(
    app: App[Any], link: Link, template: str, added: Callable[[str], None]
) -> None:
    """Opens the form of a schedule.

    Args:
        template: the name that the form begins with; empty for none.
        added: called with the name of the new schedule.
    """
    name = await app.push_screen_wait(ScheduleForm(link, template=template))
    if name is not None:
        added(name)


async def edit_schedule(app: App[Any], link: Link, name: str) -> None:
    """Opens the form of a schedule with what it is now."""
    try:
        detail = await link.operator.get_schedule(name)
    except ManagerError as error:
        app.post_message(CallFailed(error))
        return
    await app.push_screen_wait(ScheduleForm(link, detail.schedule))


async def edit_template(
    app: App[Any], link: Link, name: str, created: Callable[[int], None]
) -> None:
    """Opens the form of a task file with the text of a template, which is saved as its next
    version.

    Args:
        name: empty: the form begins with an example.
        created: called with the id of the task that the form has made.
    """
    text = NEW_TASK_FILE
    try:
        if name:
            text = (await link.operator.get_template(name)).text
    except ManagerError as error:
        app.post_message(CallFailed(error))
        return
    task_id = await open_task_file_form(app, link, text, template=name)
    if task_id is not None:
        created(task_id)


async def delete_template(
    app: App[Any], link: Link, template: Template, rows: RowList[Any]
) -> None:
    """Asks, then deletes all its versions."""
    if not await app.push_screen_wait(ConfirmScreen(delete_template_question(template))):
        return
    try:
        await link.operator.delete_template(template.name)
    except ManagerError as error:
        app.notify(safe_line(str(error)), severity="error", markup=False)
    else:
        _select_next(rows)
        app.notify(f"Template {safe_line(template.name)} deleted.", markup=False)


async def delete_schedule(
    app: App[Any], link: Link, schedule: Schedule, rows: RowList[Any]
) -> None:
    """Asks, then deletes a schedule with its history."""
    if not await app.push_screen_wait(ConfirmScreen(delete_schedule_question(schedule))):
        return
    try:
        await link.operator.delete_schedule(schedule.spec.name)
    except ManagerError as error:
        app.notify(safe_line(str(error)), severity="error", markup=False)
    else:
        _select_next(rows)
        app.notify(f"Schedule {safe_line(schedule.spec.name)} deleted.", markup=False)


def _select_next(rows: RowList[Any]) -> None:
    """Selects what has the place of the row that was deleted."""
    if is_open(rows):
        rows.select_row("", rows.list.cursor)

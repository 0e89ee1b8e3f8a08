"""`tui-manager schedule`: makes, shows and changes schedules, and runs them now."""

import argparse
import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tui_manager.cli.commands.files.copied_files import CopiedFiles
from tui_manager.cli.commands.tasks.run import expect_task, follow_task
from tui_manager.cli.exit_status import COMPLETED
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.tasks.schedule_spec import edited_schedule, lost_values, new_schedule
from tui_manager.cli.printing.list_and_show.schedule_details import (
    due_note,
    schedule_detail_shape,
    schedule_shape,
    schedule_table,
    schedule_text,
)
from tui_manager.cli.printing.write_text import note, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import all_schedules, newest_runs
from tui_manager.domain.errors import InvalidInputError, NoAnswerError
from tui_manager.domain.schedules.schedule import Schedule, ScheduleSpec
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings

_Reply = TypeVar("_Reply")

_DUE_NOTED = 3


def run_schedule(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `schedule`, and returns the exit status."""
    with CopiedFiles() as copied:
        if options.schedule_action == "add":
            spec = new_schedule(options, copied.read)  # before a manager is asked for
            copied.note_left_out()
            return asyncio.run(_add(settings, spec, copied))
        return asyncio.run(_run(settings, options, copied))


async def _add(settings: Settings, spec: ScheduleSpec, copied: CopiedFiles) -> int:
    async with connect_operator(settings.state_dir) as operator:
        await copied.upload(operator)
        await _print_saved(operator, await _expect(operator.add_schedule(spec), spec.name))
    return COMPLETED


async def _run(settings: Settings, options: argparse.Namespace, copied: CopiedFiles) -> int:
    async with connect_operator(settings.state_dir) as operator:
        match options.schedule_action:
            case "list":
                await _print_list(operator, as_json=options.json)
            case "show":
                await _print_one(operator, options.schedule, options.limit, as_json=options.json)
            case "edit":
                before = (await operator.get_schedule(options.schedule)).schedule
                spec = edited_schedule(before.spec, options, copied.read)
                copied.note_left_out()
                await copied.upload(operator)
                edit = operator.edit_schedule(spec, before.revision)
                await _print_saved(operator, await _expect(edit, spec.name))
                if lost := lost_values(before.spec, spec):
                    note(lost)
            case "run":
                return await _start(operator, options.schedule, follow=options.follow)
            case action:
                change = getattr(operator, f"{action}_schedule")
                await _expect(change(options.schedule), options.schedule)
                write(f"{options.schedule}\n")
    return COMPLETED


async def _expect(change: Awaitable[_Reply], name: str) -> _Reply:
    """The answer to a call that changes a schedule. If there is none, the error says how to
    look."""
    try:
        return await change
    except NoAnswerError as error:
        raise NoAnswerError(
            f"{error} `{PROGRAM} schedule show {name}` says whether it was."
        ) from error


async def _print_saved(operator: Operator, schedule: Schedule) -> None:
    """Prints the name on stdout, and on stderr when the schedule is due."""
    spec = schedule.spec
    write(f"{spec.name}\n")
    due = await operator.preview_schedule(spec.cron, spec.zone, _DUE_NOTED)
    note(due_note(schedule, due))
    if schedule.problem:
        _note_problem(schedule)
    else:
        await _note_empty_target(operator, spec)


async def _note_empty_target(operator: Operator, spec: ScheduleSpec) -> None:
    """Prints a note if the target matches no host now. It may match some when the schedule is
    due."""
    text, target, use = spec.task_file, "", spec.template
    if use is not None:
        text, target = (await operator.get_template(use.name, use.version)).text, use.target
    try:
        await operator.preview_target(target or read_task_file(text, spec.name).spec.target)
    except InvalidInputError as error:
        note(f"{spec.name} could not start a task now: {error}")


def _note_problem(schedule: Schedule) -> None:
    note(f"{schedule.spec.name} cannot start a task now: {schedule.problem}")


async def _print_list(operator: Operator, *, as_json: bool) -> None:
    schedules = await all_schedules(operator)
    if as_json:
        write_json([schedule_shape(schedule) for schedule in schedules])
    elif schedules:
        write(schedule_table(schedules))
    else:
        note(f"There is no schedule yet; `{PROGRAM} schedule add` makes one.")
    if not as_json:
        for schedule in schedules:
            if schedule.problem:
                _note_problem(schedule)
            elif schedule.refusal:
                note(f"{schedule.spec.name} could not start its last task: {schedule.refusal}")


async def _print_one(operator: Operator, name: str, limit: int, *, as_json: bool) -> None:
    detail = await operator.get_schedule(name)
    runs = await newest_runs(operator, name, limit)
    if as_json:
        write_json(schedule_detail_shape(detail, runs))
    else:
        write(schedule_text(detail, runs))


async def _start(operator: Operator, name: str, *, follow: bool) -> int:
    """Starts the task of the schedule now."""
    task_id = await expect_task(operator.run_schedule(name))
    if follow:
        note(f"task {task_id} of the schedule {name} has started")
        return await follow_task(operator, task_id)
    write(f"{task_id}\n")
    return COMPLETED

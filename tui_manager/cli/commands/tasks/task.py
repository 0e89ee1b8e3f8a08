"""`tui-manager task list|show|start|cancel|pause|resume|follow`; `task rerun` has a file of its
own, `task files` is in `transfer.py`."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from tui_manager.cli.commands.tasks.rerun import run_rerun
from tui_manager.cli.commands.tasks.run import follow_task
from tui_manager.cli.options.tasks.task_list import task_filter, task_list_window
from tui_manager.cli.printing.json_rows import JsonRows
from tui_manager.cli.printing.list_and_show.list_tables import CommandHostTable, TaskTable
from tui_manager.cli.printing.list_and_show.task_details import task_text
from tui_manager.cli.printing.summary_text import count_words, note_left_out
from tui_manager.cli.printing.write_text import (
    note,
    note_storage_trouble,
    write,
    write_json,
    write_lines,
)
from tui_manager.client.connection import connect
from tui_manager.client.read_lists import each_command_host, each_task
from tui_manager.client.task_handle import TaskHandle
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS
from tui_manager.domain.presentation.json_fields import (
    command_host_shape,
    limits_shape,
    origin_shape,
    steps_shape,
    task_shape,
)
from tui_manager.domain.tasks.task import Task
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings

_FIRST_TASK = "`tui-manager run TARGET -- COMMAND`"


def run_task(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `task`, and returns the exit status."""
    if options.task_action == "rerun":
        return run_rerun(settings, options)
    return asyncio.run(_run(settings, options))


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    async with connect(settings.state_dir) as manager:
        operator = manager.operator
        match options.task_action:
            case "list":
                await _list(operator, options)
                note_storage_trouble(await manager.status())
            case "show":
                await _show(operator, options.task_id, as_json=options.json)
                note_storage_trouble(await manager.status())
            case "files":
                from tui_manager.cli.commands.files.transfer import save_files

                return await save_files(operator, options)
            case "follow":
                return await follow_task(operator, options.task_id)
            case action:
                await _change(manager.task(options.task_id), action)
                await _print_state(operator, options.task_id, as_json=options.json)
    return 0


async def _change(task: TaskHandle, action: str) -> None:
    """Starts, cancels, pauses or resumes the task."""
    match action:
        case "start":
            await task.start()
            note_left_out(task.left_out)
        case "cancel":
            await task.cancel()
        case "pause":
            await task.pause()
        case _:
            await task.resume()


async def _list(operator: Operator, options: argparse.Namespace) -> None:
    window, wanted = task_list_window(options), task_filter(options)
    tasks = each_task(operator, window, wanted, options.limit or sys.maxsize)
    try:
        if options.json:
            await _list_json(tasks)
        elif not await _list_table(tasks):
            filtered = window.text or wanted != ALL_TASKS
            note("No task fits." if filtered else f"No tasks yet: run one with {_FIRST_TASK}.")
    except InvalidInputError as error:
        option = {"created_by": "by"}.get(error.field, error.field)
        raise InvalidInputError(option, f"--{option}: {error}") from error


async def _list_json(tasks: AsyncIterator[Task]) -> None:
    shown = JsonRows()
    async for task in tasks:
        shown.add(task_shape(task))
    shown.end()


async def _list_table(tasks: AsyncIterator[Task]) -> bool:
    """Prints the table, if there is a task. Returns whether there is one."""
    shown = TaskTable()
    async for task in tasks:
        shown.add(task)
    if not shown.empty:
        write_lines(shown.lines())
    return not shown.empty


async def _show(operator: Operator, task_id: int, *, as_json: bool) -> None:
    detail = await operator.get_task(task_id)
    rows = each_command_host(operator, task_id)
    steps = [command.spec for command in detail.commands]
    if as_json:
        shape = task_shape(detail.task) | limits_shape(detail) | origin_shape(detail)
        shown = JsonRows(shape | steps_shape(detail), "hosts")
        async for row in rows:
            shown.add(command_host_shape(row, steps[row.command]))
        shown.end()
        return
    table = CommandHostTable(steps)
    async for row in rows:
        table.add(row)
    write(task_text(detail))
    write_lines(table.lines())


async def _print_state(operator: Operator, task_id: int, *, as_json: bool) -> None:
    task = (await operator.get_task(task_id)).task
    if as_json:
        write_json(task_shape(task))
    else:
        write(f"task {task.task_id} {task.state}: {count_words(task.counts)}\n")

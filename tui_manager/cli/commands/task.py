"""`tui-manager task list|show|start|cancel|pause|resume|follow`; `task rerun` has a file of its
own."""

import argparse
import asyncio
import sys

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.commands.rerun import run_rerun
from tui_manager.cli.commands.run import follow_task
from tui_manager.cli.options.task_list import task_filter, task_list_window
from tui_manager.cli.printing.json_shapes import (
    command_host_shape,
    limits_shape,
    origin_shape,
    task_shape,
)
from tui_manager.cli.printing.rollout import (
    hold_words,
    progress_words,
    resume_command,
)
from tui_manager.cli.printing.summary import count_words, note_left_out, outcome
from tui_manager.cli.printing.text import (
    local_time,
    note,
    note_storage_trouble,
    one_line,
    table,
    write,
    write_json,
)
from tui_manager.cli.reading import all_command_hosts, all_tasks, connect
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.names import fold_names
from tui_manager.domain.spec import HIDDEN, Offline
from tui_manager.domain.task import Command, CommandHost, Task, TaskDetail
from tui_manager.domain.task_filter import ALL_TASKS
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings

_TASK_HEADER = ("ID", "STATUS", "NAME", "TARGET", "COUNTS", "CREATED", "BY")
_HOST_HEADER = ("HOST", "COMMAND", "STATUS", "REASON", "STARTED", "FINISHED", "STDOUT", "STDERR")
_TASKS_SHORTENED = tuple(map(_TASK_HEADER.index, ("NAME", "TARGET", "COUNTS", "BY")))
_HOSTS_SHORTENED = tuple(map(_HOST_HEADER.index, ("REASON", "HOST")))


def run_task(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `task`, and returns the exit status."""
    if options.task_action == "rerun":
        return run_rerun(settings, options)
    return asyncio.run(_run(settings, options))


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    async with connect(settings.state_dir) as operator:
        match options.task_action:
            case "list":
                await _list(operator, options)
                note_storage_trouble(await operator.manager_status())
            case "show":
                await _show(operator, options.task_id, as_json=options.json)
                note_storage_trouble(await operator.manager_status())
            case "start":
                note_left_out(await operator.start_task(options.task_id))
                await _print_state(operator, options.task_id, as_json=options.json)
            case "cancel":
                await operator.cancel_task(options.task_id)
                await _print_state(operator, options.task_id, as_json=options.json)
            case "pause":
                await operator.pause_task(options.task_id)
                await _print_state(operator, options.task_id, as_json=options.json)
            case "resume":
                await operator.resume_task(options.task_id)
                await _print_state(operator, options.task_id, as_json=options.json)
            case "follow":
                return await follow_task(operator, options.task_id)
    return 0


async def _list(operator: Operator, options: argparse.Namespace) -> None:
    window, wanted = task_list_window(options), task_filter(options)
    try:
        tasks = await all_tasks(operator, window, wanted, options.limit or sys.maxsize)
    except InvalidInputError as error:
        option = {"created_by": "by"}.get(error.field, error.field)
        raise InvalidInputError(option, f"--{option}: {error}") from error
    if options.json:
        write_json([task_shape(task) for task in tasks])
    elif tasks:
        rows = [_task_row(task) for task in tasks]
        write(table(_TASK_HEADER, rows, stretch=_TASKS_SHORTENED))
    elif window.text or wanted != ALL_TASKS:
        note("No task fits.")
    else:
        note("No tasks yet: run one with `tui-manager run TARGET -- COMMAND`.")


async def _show(operator: Operator, task_id: int, *, as_json: bool) -> None:
    detail = await operator.get_task(task_id)
    rows = await all_command_hosts(operator, task_id)
    if as_json:
        shown = task_shape(detail.task) | limits_shape(detail) | origin_shape(detail)
        write_json(shown | {"hosts": [command_host_shape(row) for row in rows]})
        return
    write(_heading(detail))
    if rows:
        hosts = [_host_row(row) for row in rows]
        write("\n" + table(_HOST_HEADER, hosts, stretch=_HOSTS_SHORTENED))


async def _print_state(operator: Operator, task_id: int, *, as_json: bool) -> None:
    task = (await operator.get_task(task_id)).task
    if as_json:
        write_json(task_shape(task))
    else:
        write(f"task {task.task_id} {task.state}: {count_words(task.counts)}\n")


def _task_row(task: Task) -> tuple[str, ...]:
    return (
        str(task.task_id),
        task.state,
        task.name,
        task.target,
        count_words(task.counts) if task.counts.total else "-",
        local_time(task.created_at),
        task.created_by or "-",
    )


def _heading(detail: TaskDetail) -> str:
    task = detail.task
    lines = [
        ("Task", f"{task.task_id}  {task.name}"),
        ("Status", f"{task.state}: {count_words(task.counts)}"),
        ("Paused", f"nothing is sent until {resume_command(task.task_id)}" if task.paused else ""),
        ("Hold", _hold(task)),
        ("Target", task.target),
        ("Left out", fold_names(detail.left_out)),
        ("Re-run of", f"task {task.rerun_of}" if task.rerun_of else ""),
        ("Re-runs", ", ".join(f"task {number}" for number in detail.reruns)),
        ("About", task.description),
        ("Created", f"{local_time(task.created_at)} {task.created_by}"),
        ("Started", local_time(task.started_at)),
        ("Offline", _offline(task)),
        ("Rollout", "; ".join(detail.rollout.texts)),
        ("Progress", progress_words(task.rollout) if task.rollout else ""),
        ("Finished", local_time(task.finished_at)),
        *((f"Command {command.index}", _command(command)) for command in detail.commands),
    ]
    return "".join(f"{name:<11} {one_line(text)}\n" for name, text in lines if text)


def _hold(task: Task) -> str:
    if task.hold is None:
        return ""
    more = "" if task.paused else f"; {resume_command(task.task_id)} begins the next batch"
    return f"{hold_words(task.hold)}{more}"


def _offline(task: Task) -> str:
    if task.offline is Offline.FAIL:
        return ""
    return f"waits up to {format_duration(task.delivery_timeout)} for a host that is away"


def _command(command: Command) -> str:
    spec = command.spec
    parts = [" ⏎ ".join(spec.text.splitlines()), f"timeout {format_duration(spec.timeout)}"]
    parts += spec.option_texts
    shown = {**spec.parameters, **spec.environment, **dict.fromkeys(spec.secrets, HIDDEN)}
    parts += [f"{name}={value}" for name, value in shown.items()]
    return "  ".join(parts)


def _host_row(row: CommandHost) -> tuple[str, ...]:
    return (
        row.host,
        str(row.command),
        "canceling" if row.canceling else f"{row.status}{' (late)' if row.late else ''}",
        outcome(row) or "-",
        local_time(row.started_at),
        local_time(row.finished_at),
        str(row.stdout_bytes),
        str(row.stderr_bytes),
    )

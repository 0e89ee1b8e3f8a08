"""`tui-manager run`: creates and starts a task, prints its output, waits for its end. `task follow`
does only the last two."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tui_manager.cli.commands.fetch_folders import NO_FOLDERS, make_folders, with_folders
from tui_manager.cli.commands.tasks.follow_with_ctrl_c import TaskWatch
from tui_manager.cli.commands.tasks.run_output import LiveLines, OutputPrinter
from tui_manager.cli.exit_status import COMPLETED
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.script_and_stdin import given_content_options
from tui_manager.cli.options.tasks.run import RUN_FORM, task_spec, with_secrets
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.summary_text import note_left_out
from tui_manager.cli.printing.write_text import note, write, write_json
from tui_manager.client.connection import connect
from tui_manager.client.manager import Manager
from tui_manager.client.task_handle import TaskHandle
from tui_manager.domain.errors import (
    InvalidInputError,
    ManagerError,
    NoAnswerError,
    UnreachableError,
)
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.settings import Settings

if TYPE_CHECKING:  # task files, copies, fetches, the whole API: imported when they are needed
    from tui_manager.cli.commands.files.copied_files import CopiedFiles
    from tui_manager.cli.commands.files.watch_transfers import TransferWatch
    from tui_manager.cli.printing.transfers import SavedByRow
    from tui_manager.domain.task_files.task_file import TaskFile
    from tui_manager.operator.api import Operator

_Task = TypeVar("_Task")


def run_command(settings: Settings, options: argparse.Namespace) -> int:
    """Runs the command, and returns the exit status."""
    if options.task_file is not None:
        if options.target is not None or options.command_words:
            raise InvalidInputError(
                "file",
                "A task file has its commands and its target in it; leave TARGET and COMMAND out, "
                "and give another target with --target T.",
            )
        if given := given_content_options(options):
            raise InvalidInputError(
                given[0], f"A task file names its scripts and its stdin; leave --{given[0]} out."
            )
        return _run_file(settings, options)
    if options.other_target is not None:
        raise InvalidInputError("target", f"--target needs --file; else: {RUN_FORM}")
    spec = task_spec(options)
    return _run_spec(settings, options, spec, lambda: _with_asked_secrets(spec, options.secret))


def _with_asked_secrets(spec: TaskSpec, asked: Sequence[str]) -> TaskSpec:
    if not asked:
        return spec
    from tui_manager.cli.options.secret_values import read_secrets

    return with_secrets(spec, read_secrets(asked))


def _run_file(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a task file, whose copies name files of this machine."""
    from tui_manager.cli.commands.files.copied_files import CopiedFiles
    from tui_manager.cli.options.read_files import load_task_file

    with CopiedFiles() as copied:
        loaded = load_task_file(options.task_file, copied.read)
        copied.note_left_out()
        return run_task_file(
            settings, options, loaded.task_file, copied=copied, folder=loaded.folder
        )


def run_task_file(
    settings: Settings,
    options: argparse.Namespace,
    task_file: "TaskFile",
    *,
    copied: "CopiedFiles | None" = None,
    folder: Path = Path(),
) -> int:
    """Runs the task of a task file or a template, and returns the exit status. The options of `run`
    and --target win over what is in it.

    Args:
        copied: the files of this machine that it copies; None: there are none.
        folder: of this machine; the folders of fetches are relative to it.
    """
    from tui_manager.cli.options.parameter_values import check_plan, fill_parameters, with_options

    task_file = with_options(task_file, options)
    if options.plan:
        check_plan(task_file, options)
    return _run_spec(
        settings,
        options,
        task_file.spec,
        lambda: fill_parameters(task_file, options),
        copied=copied,
        folder=folder,
    )


def _run_spec(
    settings: Settings,
    options: argparse.Namespace,
    spec: TaskSpec,
    complete: Callable[[], TaskSpec],
    *,
    copied: "CopiedFiles | None" = None,
    folder: Path = Path(),
) -> int:
    """Runs a task. `complete` asks for what it lacks, and returns it with that."""
    check_plan_mode(options)
    spec.check()  # before anybody is asked for a value in vain
    if options.plan:
        return plan_only(settings, options, spec)
    spec = complete()
    spec.check()
    copies = copied is not None and any(step.copy for step in spec.commands)
    return run_made(settings, options.mode, spec, copied, folder, checks_target=copies)


def run_made(
    settings: Settings,
    mode: str,
    spec: TaskSpec,
    copied: "CopiedFiles | None" = None,
    folder: Path = Path(),
    *,
    checks_target: bool = False,
) -> int:
    """Makes, starts and follows a task that lacks nothing, and returns the exit status.

    Args:
        checks_target: look for hosts before large files are sent in vain.
    """
    spec, folders = with_folders(spec, folder)
    if mode not in ("detach", "no-start"):
        make_folders(folders)
    checks_target = checks_target and mode != "no-start"
    return asyncio.run(_run(settings, spec, mode, copied, folders, checks_target=checks_target))


def check_plan_mode(options: argparse.Namespace) -> None:
    """Raises InvalidInputError if a plan is asked for together with what only a task can do."""
    if options.plan and options.mode not in ("live", "json"):
        raise InvalidInputError("plan", f"--plan starts nothing; leave --{options.mode} out.")


def plan_only(settings: Settings, options: argparse.Namespace, spec: TaskSpec) -> int:
    """Prints what the task would do, and returns the exit status."""
    return asyncio.run(_plan(settings, spec, as_json=options.mode == "json"))


async def _plan(settings: Settings, spec: TaskSpec, *, as_json: bool) -> int:
    """Prints what the task would do."""
    from tui_manager.cli.printing.plan_text import plan_text
    from tui_manager.domain.presentation.json_fields import plan_shape

    async with connect(settings.state_dir) as manager:
        plan = await manager.operator.plan_task(spec)
    if as_json:
        write_json(plan_shape(spec, plan))
    else:
        write(plan_text(spec, plan))
    return COMPLETED


async def _run(
    settings: Settings,
    spec: TaskSpec,
    mode: str,
    copied: "CopiedFiles | None",
    folders: Mapping[int, Path],
    *,
    checks_target: bool,
) -> int:
    async with connect(settings.state_dir) as manager:
        if checks_target:
            await check_target(manager, spec)
        if copied is not None:
            await copied.upload(manager.operator)
        if mode == "no-start":
            task = await expect_task(manager.create(spec))
        else:
            task = await expect_task(manager.start(spec))
            note_left_out(task.left_out)
        return await follow_started(manager, task.task_id, mode, spec.commands, folders)


async def connect_and_check_target(settings: Settings, spec: TaskSpec) -> None:
    """Checks the target before files are read or made in vain. Raises as `check_target`."""
    async with connect(settings.state_dir) as manager:
        await check_target(manager, spec)


async def check_target(manager: Manager, spec: TaskSpec) -> None:
    """Raises InvalidInputError for a target without hosts, for which no task is made."""
    await manager.preview(spec.target, include_maintenance=spec.include_maintenance)


async def start_and_follow(
    manager: Manager,
    task: TaskHandle,
    mode: str,
    steps: Sequence[CommandSpec],
    folders: Mapping[int, Path] = NO_FOLDERS,
) -> int:
    """Starts a pending task, unless `mode` is "no-start". Then does what `follow_started` does."""
    if mode != "no-start":
        await _start(task)
    return await follow_started(manager, task.task_id, mode, steps, folders)


async def follow_started(
    manager: Manager,
    task_id: int,
    mode: str,
    steps: Sequence[CommandSpec],
    folders: Mapping[int, Path] = NO_FOLDERS,
) -> int:
    """Prints what `mode` says of a new task, and returns the exit status.

    Args:
        steps: of the task.
        folders: of this machine, for the files that its steps fetch, by the index of the step.
    """
    with _name_task_in_errors(task_id):
        if mode in ("no-start", "detach"):
            write(f"{task_id}\n")
            if any(step.fetch for step in steps):
                _note_detached(task_id, folders)
            return COMPLETED
        transfers = _watch_transfers(manager.operator, task_id, steps, folders, mode)
        printer = _printer(mode, steps, transfers.saved if transfers else {})
        return await TaskWatch(manager.operator, task_id, printer, transfers).follow_to_end()


def _note_detached(task_id: int, folders: Mapping[int, Path]) -> None:
    """Says how to get files that nobody here waits for."""
    named = ", ".join(sorted({str(folder) for folder in folders.values()}))
    note(
        f"`{PROGRAM} task files {task_id} DIR` saves what has come of its hosts"
        f"{f'; nothing comes into {named} by itself' if named else ''}"
    )


@contextmanager
def _name_task_in_errors(task_id: int) -> Iterator[None]:
    """Adds the number of the task, which goes on, to an error of the output."""
    try:
        yield
    except OutputError as error:
        raise OutputError(
            f"{error} `{PROGRAM} task show {task_id}` says what becomes of task {task_id}."
        ) from error


async def expect_task(creation: Awaitable[_Task]) -> _Task:
    """The answer to a call that creates a task. If there is none, the error says how to look."""
    try:
        return await creation
    except asyncio.CancelledError:  # by ctrl-c; the manager goes on with the call
        note(f"the task may have been made; `{PROGRAM} task list` says whether it was")
        raise
    except NoAnswerError as error:
        raise NoAnswerError(f"{error} `{PROGRAM} task list` says whether it was.") from error
    except UnreachableError as error:  # it has ended since the program has connected
        raise UnreachableError(
            f"{error} The task may have been made; `{PROGRAM} task list` says whether it was."
        ) from error


async def _start(task: TaskHandle) -> None:
    task_id = task.task_id
    try:
        await task.start()
        note_left_out(task.left_out)
    except asyncio.CancelledError:  # by ctrl-c; the manager goes on with the call
        note(f"`{PROGRAM} task show {task_id}` says whether task {task_id} has started")
        raise
    except UnreachableError as error:
        raise type(error)(
            f"{error} `{PROGRAM} task show {task_id}` says whether task {task_id} has started."
        ) from error
    except ManagerError:
        note(f"task {task_id} is stored but not started; `tui-manager task start {task_id}`")
        raise


def _watch_transfers(
    operator: "Operator",
    task_id: int,
    steps: Sequence[CommandSpec],
    folders: Mapping[int, Path],
    mode: str,
) -> "TransferWatch | None":
    """What follows the copies and fetches of a task; None: it has none."""
    if not any(step.transfer for step in steps):
        return None
    from tui_manager.cli.commands.files.watch_transfers import TransferWatch

    return TransferWatch(operator, task_id, steps, folders, prints_hosts=mode == "live")


def _printer(mode: str, steps: Sequence[CommandSpec], saved: "SavedByRow") -> OutputPrinter:
    match mode:
        case "json":
            from tui_manager.cli.commands.tasks.run_json import JsonOutput

            return JsonOutput(saved)
        case "gather":
            from tui_manager.cli.commands.tasks.run_gather import GatheredOutput

            return GatheredOutput(steps, saved)
        case _:
            return LiveLines(steps, saved)


async def follow_task(operator: "Operator", task_id: int) -> int:
    """Prints the output of a task, from its beginning until the task has ended, and returns the
    exit status. ctrl-c leaves the task alone."""
    detail = await operator.get_task(task_id)
    if detail.task.status is TaskStatus.PENDING:
        note(f"task {task_id} is not started; `{PROGRAM} task start {task_id}` starts it")
    steps = [command.spec for command in detail.commands]
    with _name_task_in_errors(task_id):
        transfers = _watch_transfers(operator, task_id, steps, NO_FOLDERS, "live")
        watch = TaskWatch(operator, task_id, LiveLines(steps), transfers, cancels=False)
        return await watch.follow_to_end()

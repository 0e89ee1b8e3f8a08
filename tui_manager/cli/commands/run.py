"""`tui-manager run`: creates and starts a task, prints its output, waits for its end. `task follow`
does only the last two. What ctrl-c does meanwhile is here too."""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.commands.run_output import GatheredOutput, JsonOutput, LiveLines, OutputPrinter
from tui_manager.cli.connect_and_read import connect, output_after
from tui_manager.cli.exit_status import COMPLETED, INTERRUPTED, NOT_COMPLETED
from tui_manager.cli.options.parameter_values import check_plan, fill_parameters, with_options
from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.read_files import load_task_file
from tui_manager.cli.options.run import RUN_FORM, task_spec, with_secrets
from tui_manager.cli.options.secret_values import read_secrets
from tui_manager.cli.options.step_contents import given_content_options
from tui_manager.cli.printing.json_shapes import plan_shape
from tui_manager.cli.printing.rollout_text import WaitNote, plan_text
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.summary import count_words, note_left_out
from tui_manager.cli.printing.text import StorageTroubleNote, note, write, write_json
from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NoAnswerError,
    StorageError,
    UnreachableError,
)
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_file import TaskFile
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.operator.actor import this_actor
from tui_manager.operator.api import Operator
from tui_manager.operator.watching import watching
from tui_manager.settings import Settings

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
        return run_task_file(settings, options, load_task_file(options.task_file).task_file)
    if options.other_target is not None:
        raise InvalidInputError("target", f"--target needs --file; else: {RUN_FORM}")
    spec = task_spec(options)
    return _run_spec(
        settings, options, spec, lambda: with_secrets(spec, read_secrets(options.secret))
    )


def run_task_file(settings: Settings, options: argparse.Namespace, task_file: TaskFile) -> int:
    """Runs the task of a task file or a template, and returns the exit status. The options of `run`
    and --target win over what is in it."""
    task_file = with_options(task_file, options)
    if options.plan:
        check_plan(task_file, options)
    return _run_spec(settings, options, task_file.spec, lambda: fill_parameters(task_file, options))


def _run_spec(
    settings: Settings,
    options: argparse.Namespace,
    spec: TaskSpec,
    complete: Callable[[], TaskSpec],
) -> int:
    """Runs a task. `complete` asks for what it lacks, and returns it with that."""
    if options.plan and options.mode not in ("live", "json"):
        raise InvalidInputError("plan", f"--plan starts nothing; leave --{options.mode} out.")
    spec.check()  # before anybody is asked for a value in vain
    if options.plan:
        return asyncio.run(_plan(settings, spec, as_json=options.mode == "json"))
    spec = replace(complete(), created_by=this_actor())
    spec.check()
    return asyncio.run(_run(settings, spec, options.mode))


async def _plan(settings: Settings, spec: TaskSpec, *, as_json: bool) -> int:
    """Prints what the task would do."""
    async with connect(settings.state_dir) as operator:
        plan = await operator.plan_task(spec)
    if as_json:
        write_json(plan_shape(spec, plan))
    else:
        write(plan_text(spec, plan))
    return COMPLETED


async def _run(settings: Settings, spec: TaskSpec, mode: str) -> int:
    async with connect(settings.state_dir) as operator:
        if mode != "no-start":
            await operator.preview_target(  # no task for a target without hosts
                spec.target, include_maintenance=spec.include_maintenance
            )
        task_id = await expect_task(operator.create_task(spec))
        return await start_and_follow(operator, task_id, mode)


async def start_and_follow(operator: Operator, task_id: int, mode: str) -> int:
    """Starts a pending task, prints what `mode` says, and returns the exit status."""
    if mode != "no-start":
        await _start(operator, task_id)
    with _name_task_in_errors(task_id):
        if mode in ("no-start", "detach"):
            write(f"{task_id}\n")
            return COMPLETED
        return await _Watch(operator, task_id, _printer(mode)).follow_to_end()


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
    except NoAnswerError as error:
        raise NoAnswerError(f"{error} `{PROGRAM} task list` says whether it was.") from error


async def _start(operator: Operator, task_id: int) -> None:
    try:
        note_left_out(await operator.start_task(task_id))
    except UnreachableError as error:
        raise type(error)(
            f"{error} `{PROGRAM} task show {task_id}` says whether task {task_id} has started."
        ) from error
    except ManagerError:
        note(f"task {task_id} is stored but not started; `tui-manager task start {task_id}`")
        raise


def _printer(mode: str) -> OutputPrinter:
    match mode:
        case "json":
            return JsonOutput()
        case "gather":
            return GatheredOutput()
        case _:
            return LiveLines()


async def follow_task(operator: Operator, task_id: int) -> int:
    """Prints the output of a task, from its beginning until the task has ended, and returns the
    exit status. ctrl-c leaves the task alone."""
    task = (await operator.get_task(task_id)).task
    if task.status is TaskStatus.PENDING:
        note(f"task {task_id} is not started; `{PROGRAM} task start {task_id}` starts it")
    with _name_task_in_errors(task_id):
        return await _Watch(operator, task_id, LiveLines(), cancels=False).follow_to_end()


class _Watch:
    """Follows a task to its end. If it `cancels`, the first ctrl-c prints the progress, the second
    cancels the task, the third ends the program while the task is being canceled. Otherwise the
    first ctrl-c ends the program."""

    def __init__(
        self, operator: Operator, task_id: int, printer: OutputPrinter, *, cancels: bool = True
    ) -> None:
        self._operator = operator
        self._task_id = task_id
        self._printer = printer
        self._cancels = cancels
        self._presses: asyncio.Queue[None] = asyncio.Queue()
        self._canceled = False
        self._trouble_note = StorageTroubleNote()
        self._wait_note = WaitNote(task_id)
        self._position = 0  # of the output that was printed

    async def follow_to_end(self) -> int:
        """Waits for the end of the task, and returns the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._presses.put_nowait, None)
        following = asyncio.create_task(self._follow())
        answering = asyncio.create_task(self._answer_interrupts())
        try:
            await asyncio.wait((following, answering), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                answering.result()
                return INTERRUPTED
            status = following.result()
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for task in (following, answering):
                task.cancel()
            await asyncio.gather(following, answering, return_exceptions=True)
        if self._canceled:
            return INTERRUPTED
        return COMPLETED if status is TaskStatus.COMPLETED else NOT_COMPLETED

    async def _follow(self) -> TaskStatus:
        try:
            async with watching(self._operator) as changes:
                await self._print_until_ended(changes)
            detail = await self._operator.get_task(self._task_id)
            await self._printer.finish(self._operator, detail)
        except NoAnswerError as error:
            raise NoAnswerError(
                f"{error} Task {self._task_id} goes on without it; its hosts keep the results."
            ) from error
        except UnreachableError as error:
            raise UnreachableError(
                f"The manager has stopped. Task {self._task_id} goes on without it; its hosts keep "
                "the results."
            ) from error
        return detail.task.status

    async def _print_until_ended(self, changes: AsyncIterator[Changes]) -> None:
        """Prints stored output until the task has ended. While output cannot be read or results
        cannot be stored, prints a note and waits."""
        unread = first = True
        async for change in changes:
            try:
                if unread or change.touches(self._task_id):
                    unread = True
                    if await self._print_new_output():
                        self._trouble_note.update("")
                        return
                    unread = False
                if change.manager and not first:  # the first says that all has changed
                    status = await self._operator.manager_status()
                    self._trouble_note.update(status.health.storage_error)
            except StorageError as error:
                self._trouble_note.update(str(error))
            first = False
        raise UnreachableError("The manager has ended.")

    async def _print_new_output(self) -> bool:
        """Prints the output that was stored since the last call; True if the task has ended."""
        # The status first: if the task has ended now, all its output is stored.
        progress = await self._operator.get_task_progress(self._task_id)
        async for chunk in output_after(self._operator, self._task_id, self._position):
            self._printer.take(chunk)
            self._position = chunk.position
        self._printer.flush()
        if not progress.status.ended:
            self._wait_note.update(paused=progress.paused, hold=progress.hold)
        return progress.status.ended

    async def _answer_interrupts(self) -> None:
        await self._presses.get()
        if not self._cancels:
            again = f"`{PROGRAM} task follow {self._task_id}` prints its output again"
            note(f"task {self._task_id} goes on; {again}")
            return
        progress = await self._operator.get_task_progress(self._task_id)
        elapsed = timedelta(seconds=int((progress.elapsed or timedelta()).total_seconds()))
        note(
            f"task {self._task_id}: {progress.counts.ended} of {progress.counts.total} ended after "
            f"{format_duration(elapsed)}: {count_words(progress.counts)}; ctrl-c again cancels it"
        )
        await self._presses.get()
        with suppress(IllegalMoveError):  # it has just ended
            await self._operator.cancel_task(self._task_id)
            self._canceled = True
            note(f"canceling task {self._task_id}; ctrl-c again leaves without waiting")
        await self._presses.get()

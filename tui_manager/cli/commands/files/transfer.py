"""`tui-manager copy`, `fetch` and `task files`: copies files of this machine to hosts, fetches
files of hosts, and saves those that a task has fetched before."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from tui_manager.cli.commands.fetch_folders import make_folders
from tui_manager.cli.commands.files.copied_files import CopiedFiles
from tui_manager.cli.commands.files.watch_transfers import save_row
from tui_manager.cli.commands.tasks.run import (
    check_plan_mode,
    connect_and_check_target,
    plan_only,
    run_made,
)
from tui_manager.cli.exit_status import COMPLETED, NOT_COMPLETED, UNWRITABLE
from tui_manager.cli.options.tasks.transfer import copy_task, fetch_task, sources_of
from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.summary_text import outcome
from tui_manager.cli.printing.transfers import end_words
from tui_manager.cli.printing.write_text import note, write
from tui_manager.client.read_lists import all_command_hosts
from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings


def run_copy(settings: Settings, options: argparse.Namespace) -> int:
    """Runs `copy`, and returns the exit status."""
    spec = copy_task(options)
    check_plan_mode(options)
    if options.mode != "no-start":  # before large files are read in vain
        asyncio.run(connect_and_check_target(settings, spec))
    with CopiedFiles() as copied:
        (step,) = spec.commands
        assert step.copy is not None
        files, names = copied.read(sources_of(options), recursive=options.recursive)
        copied.note_left_out()
        _note_place_of_folder(sources_of(options), step.copy.to)
        copy = replace(step.copy, files=files, sources=tuple(names))
        spec = replace(spec, commands=(replace(step, copy=copy),))
        spec.check()
        if options.plan:
            return plan_only(settings, options, spec)
        return run_made(settings, options.mode, spec, copied)


def _note_place_of_folder(sources: Sequence[str], to: str) -> None:
    """Says that a folder may come to two places, before it is copied."""
    if len(sources) == 1 and os.path.isdir(sources[0]) and not to.endswith("/"):
        name = os.path.basename(os.path.abspath(sources[0]))
        note(
            f"{name} becomes {to} on hosts where that is missing, and {to}/{name} where it is a "
            "folder; end DEST with / for the same place each time"
        )


def run_fetch(settings: Settings, options: argparse.Namespace) -> int:
    """Runs `fetch`, and returns the exit status."""
    spec = fetch_task(options)
    check_plan_mode(options)
    if options.plan:
        return plan_only(settings, options, spec)
    return run_made(settings, options.mode, spec)


async def save_files(operator: Operator, options: argparse.Namespace) -> int:
    """Runs `task files`, and returns the exit status."""
    task_id = options.task_id
    steps = [command.spec for command in (await operator.get_task(task_id)).commands]
    if not any(step.fetch for step in steps):
        raise InvalidInputError("task_id", f"Task {task_id} fetches no files.")
    rows = _chosen(await all_command_hosts(operator, task_id), steps, options)
    folder = file_path(options.folder)
    make_folders({0: folder})
    status = COMPLETED
    for row in rows:
        if row.status is Status.COMPLETED:
            saved = await save_row(operator, row, folder)
            write(f"{row.host}: {end_words(row, steps[row.command], saved)}\n")
            status = UNWRITABLE if saved.failed else status
        else:
            why = outcome(row)
            note(f"{row.host} has sent no files: {row.status}{f', {why}' if why else ''}")
            status = status or NOT_COMPLETED
    return status


def _chosen(
    rows: Sequence[CommandHost], steps: Sequence[CommandSpec], options: argparse.Namespace
) -> Sequence[CommandHost]:
    """The fetches on the hosts that are asked for."""
    there = {row.host for row in rows}
    for host in options.hosts:
        if host not in there:
            raise NotFoundError(f"Task {options.task_id} has no host {host!r}.")
    return [
        row
        for row in rows
        if steps[row.command].fetch and (not options.hosts or row.host in options.hosts)
    ]

"""`tui-manager task rerun`: runs a task again on its hosts of some classes."""

import argparse
import asyncio
from collections.abc import Sequence

from tui_manager.cli.commands.fetch_folders import make_folders, stored_folders
from tui_manager.cli.commands.tasks.run import expect_task, start_and_follow
from tui_manager.cli.options.secret_values import read_secrets, secret_names
from tui_manager.cli.options.tasks.rerun import rerun_classes
from tui_manager.cli.printing.summary_text import note_left_out
from tui_manager.client.connection import connect
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.settings import Settings


def run_rerun(settings: Settings, options: argparse.Namespace) -> int:
    """Runs the command, and returns the exit status."""
    given = secret_names(options.secret)
    steps = asyncio.run(_steps(settings, options.task_id))
    wanted = sorted({name for step in steps for name in step.secrets})
    if unknown := [name for name in given if name not in wanted]:
        raise InvalidInputError(
            "secret",
            f"Task {options.task_id} has no secret {unknown[0]}, so --secret {unknown[0]} is not "
            "needed.",
        )
    asked_for = [name for name in wanted if name not in given]
    secrets = read_secrets([*options.secret, *asked_for])
    return asyncio.run(_rerun(settings, options, steps, secrets))


async def _steps(settings: Settings, task_id: int) -> Sequence[CommandSpec]:
    """The steps of a task, with the names of their secrets."""
    async with connect(settings.state_dir) as manager:
        detail = await manager.task(task_id).detail()
    return [command.spec for command in detail.commands]


async def _rerun(
    settings: Settings,
    options: argparse.Namespace,
    steps: Sequence[CommandSpec],
    secrets: dict[str, str],
) -> int:
    folders = stored_folders(steps)
    if options.mode not in ("detach", "no-start"):
        make_folders(folders)
    async with connect(settings.state_dir) as manager:
        rerun = await expect_task(
            manager.operator.rerun_task(options.task_id, rerun_classes(options), secrets)
        )
        if options.mode == "no-start":  # otherwise the start says it
            note_left_out(rerun.gone)
        task = manager.task(rerun.task_id)
        return await start_and_follow(manager, task, options.mode, steps, folders)

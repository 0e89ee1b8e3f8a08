"""`tui-manager task rerun`: runs a task again on its hosts of some classes."""

import argparse
import asyncio

from tui_manager.cli.commands.run import expect_task, start_and_follow
from tui_manager.cli.connect_and_read import connect
from tui_manager.cli.options.rerun import rerun_classes
from tui_manager.cli.options.secret_values import read_secrets, secret_names
from tui_manager.cli.printing.summary import note_left_out
from tui_manager.domain.errors import InvalidInputError
from tui_manager.settings import Settings


def run_rerun(settings: Settings, options: argparse.Namespace) -> int:
    """Runs the command, and returns the exit status."""
    given = secret_names(options.secret)
    wanted = asyncio.run(_names_of_secrets(settings, options.task_id))
    if unknown := [name for name in given if name not in wanted]:
        raise InvalidInputError(
            "secret",
            f"Task {options.task_id} has no secret {unknown[0]}, so --secret {unknown[0]} is not "
            "needed.",
        )
    asked_for = [name for name in wanted if name not in given]
    secrets = read_secrets([*options.secret, *asked_for])
    return asyncio.run(_rerun(settings, options, secrets))


async def _names_of_secrets(settings: Settings, task_id: int) -> list[str]:
    """The secrets that the commands of a task need."""
    async with connect(settings.state_dir) as operator:
        detail = await operator.get_task(task_id)
    return sorted({name for command in detail.commands for name in command.spec.secrets})


async def _rerun(settings: Settings, options: argparse.Namespace, secrets: dict[str, str]) -> int:
    async with connect(settings.state_dir) as operator:
        rerun = await expect_task(
            operator.rerun_task(options.task_id, rerun_classes(options), secrets)
        )
        if options.mode == "no-start":  # otherwise the start says it
            note_left_out(rerun.gone)
        return await start_and_follow(operator, rerun.task_id, options.mode)

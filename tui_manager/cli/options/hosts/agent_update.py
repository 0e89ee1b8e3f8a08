"""The options of `agent update`, and the task that they describe."""

import argparse

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.tasks.rollout import add_rollout_options
from tui_manager.cli.options.tasks.run import (
    TARGET_HELP,
    add_name_options,
    add_offline_options,
    add_output_options,
    add_timeout_option,
    with_given_options,
)
from tui_manager.cli.options.tasks.transfer import OF_COMMANDS, TASK_USAGE
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec


def add_update_options(update: argparse.ArgumentParser) -> None:
    """Adds the options of `agent update`."""
    update.usage = (
        f"{PROGRAM} agent update TARGET\n                       [--bundle FILE]\n{TASK_USAGE}"
    )
    update.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    update.add_argument(
        "--bundle",
        metavar="FILE",
        help="the bundle of the version, as `agent bundle` makes it (default: one of the agent "
        "that is installed on this machine)",
    )
    update.set_defaults(**OF_COMMANDS)
    add_name_options(update)
    add_timeout_option(update, "time after which it ends on a host, 1s to 7d")
    add_offline_options(update)
    add_rollout_options(update)
    add_output_options(update)


def update_task(options: argparse.Namespace, update: UpdateSpec) -> TaskSpec:
    """The task that `agent update` describes."""
    step = CommandSpec("", update=update)
    spec = with_given_options(TaskSpec(options.target, (step,)), options)
    spec.check()
    return spec

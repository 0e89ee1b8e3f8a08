"""The options of `task rerun`. Those that `run` has too are in `run.py`."""

import argparse

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.tasks.run import add_output_modes, add_secret_option
from tui_manager.domain.tasks.host_class import RERUN_DEFAULT, HostClass

_OPTIONS = (
    ("failed", (HostClass.FAILED,), "hosts on which a command failed, ran into its timeout, or was "
     "canceled after its start"),
    ("unreached", (HostClass.UNREACHED,), "hosts that did not complete for another reason: they "
     "were offline, or their turn never came"),
    ("unknown", (HostClass.UNKNOWN,), "hosts of which nobody knows how they ended: the command may "
     "have run there, or may still run"),
    ("all", tuple(HostClass), "all hosts, also those that completed"),
)  # fmt: skip


def add_rerun_options(rerun: argparse.ArgumentParser) -> None:
    """Adds the options of `task rerun`, besides the number of the task."""
    rerun.usage = (
        f"{PROGRAM} task rerun ID [--failed] [--unreached] [--unknown] [--all]\n"
        "                              [--secret K[:FD]]… [--state-dir D]\n"
        "                              [--json | --gather | --detach | --no-start]"
    )
    classes = rerun.add_argument_group(
        "hosts",
        f"these add up; without one of them: {' '.join(f'--{one}' for one in RERUN_DEFAULT)}",
    )
    for name, chosen, text in _OPTIONS:
        classes.add_argument(
            f"--{name}", dest="classes", action="append_const", const=chosen, help=text
        )
    add_secret_option(
        rerun,
        "the value of a secret of the task, which is not kept: you are asked for it at the "
        "terminal, also without this option, or it is read from the file descriptor FD",
    )
    add_output_modes(rerun)


def rerun_classes(options: argparse.Namespace) -> tuple[HostClass, ...]:
    """The classes that the options choose; none: the default."""
    chosen = {one for classes in options.classes or () for one in classes}
    return tuple(one for one in HostClass if one in chosen)

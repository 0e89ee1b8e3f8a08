"""The options of `output`."""

import argparse

from tui_manager.cli.options.parser import number, task_id
from tui_manager.domain.status import Stream


def add_output_options(output: argparse.ArgumentParser) -> None:
    """Which output of a task is wanted."""
    output.add_argument("task_id", metavar="TASK_ID", type=task_id, help="the task's number")
    output.add_argument("--host", metavar="NAME", help="of this host only")
    output.add_argument(
        "--command", metavar="N", type=_index, help="of this command only; the first is 0"
    )
    output.add_argument(
        "--stream",
        type=Stream,
        choices=tuple(Stream),
        metavar="|".join(Stream),
        help="of this stream only (default both, as they were stored)",
    )


def _index(text: str) -> int:
    return number(text, 0, 2**31 - 1, "a command's number")

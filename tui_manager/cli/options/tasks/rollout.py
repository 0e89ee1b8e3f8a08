"""The options of a rollout: in which batches a task goes through its hosts, and when it stops. An
option that is not given is None. `domain/task_spec/rollout_spec.py` reads the values."""

import argparse

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.options.parser import one_of
from tui_manager.domain.task_spec.rollout_spec import HOLD_TIMEOUT, HoldRule, Order

ROLLOUT_USAGE = (
    "                       [--batches B] [--order name|random] [--delay S]\n"
    "                       [--max-concurrency N|P%%] [--max-failures N|P%%] [--strict]\n"
    "                       [--hold each|first] [--hold-timeout S]\n"
)
_HOLDS = tuple(rule for rule in HoldRule if rule)


def add_rollout_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a rollout."""
    _add_batch_options(parser)
    _add_limit_options(parser)
    parser.add_argument(
        "--hold",
        type=one_of(HoldRule),
        choices=_HOLDS,
        metavar="|".join(_HOLDS),
        help="after each batch, or after the first, wait for `task resume`",
    )
    parser.add_argument(
        "--hold-timeout",
        metavar="S",
        help="with --hold: how long to wait, 1s to 30d; then the other hosts are skipped "
        f"(default {format_duration(HOLD_TIMEOUT)})",
    )


def _add_batch_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batches",
        metavar="B",
        help="run in batches, one after the other: sizes as 1,10%%,rest; the last one repeats "
        "(default: all hosts at once)",
    )
    parser.add_argument(
        "--order",
        type=one_of(Order),
        choices=tuple(Order),
        metavar="|".join(Order),
        help=f"order in which hosts begin (default {Order.NAME})",
    )
    parser.add_argument(
        "--delay",
        metavar="S",
        help="with --batches: time from the end of a batch until the next one begins, up to 7d",
    )


def _add_limit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-concurrency",
        metavar="N|P%",
        help="number of hosts that may be under way at one time (default: all)",
    )
    parser.add_argument(
        "--max-failures",
        metavar="N|P%",
        help="number of hosts that may fail; if more have failed, no further host begins "
        "(default: all)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="with --max-failures: keep so few hosts under way that at most N + 1 can fail",
    )

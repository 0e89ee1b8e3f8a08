"""The options of a rollout: in which batches a task goes through its hosts, and when it stops."""

import argparse
from datetime import timedelta

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.options.values import read_duration
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.rollout_spec import HOLD_TIMEOUT, HoldRule, Order, RolloutSpec

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
        type=HoldRule,
        choices=_HOLDS,
        metavar="|".join(_HOLDS),
        default=HoldRule.NEVER,
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
        type=Order,
        choices=tuple(Order),
        metavar="|".join(Order),
        default=Order.NAME,
        help="order in which hosts begin (default %(default)s)",
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
        help="with --max-failures: keep so few hosts under way that at most N + 1 can fail",
    )


def rollout_spec(options: argparse.Namespace) -> RolloutSpec:
    """The rollout that the options describe. Raises InvalidInputError, naming the option."""
    _refuse_without_effect(options)
    spec = RolloutSpec(
        batches=_text(options, "batches"),
        order=options.order,
        delay=_duration(options, "delay", timedelta(0)),
        max_concurrency=_text(options, "max_concurrency"),
        max_failures=_text(options, "max_failures"),
        strict=options.strict,
        hold=options.hold,
        hold_timeout=_duration(options, "hold_timeout", HOLD_TIMEOUT),
    )
    try:
        spec.check()
    except InvalidInputError as error:
        option = _option(error.field)
        given = getattr(options, error.field)
        raise InvalidInputError(option, f"--{option} {given}: {error}") from error
    return spec


def _refuse_without_effect(options: argparse.Namespace) -> None:
    """Raises InvalidInputError for an option that does nothing without another one."""
    for option, given, needed, there in (
        ("delay", options.delay is not None, "batches", options.batches is not None),
        ("hold", options.hold is not HoldRule.NEVER, "batches", options.batches is not None),
        ("hold-timeout", options.hold_timeout is not None, "hold", options.hold),
        ("strict", options.strict, "max-failures", options.max_failures is not None),
    ):
        if given and not there:
            raise InvalidInputError(option, f"--{option} needs --{needed}.")


def _text(options: argparse.Namespace, name: str) -> str:
    """The value of an option, which is not empty: an unset variable of a script must not lift a
    limit."""
    text: str | None = getattr(options, name)
    if text is not None and not text.strip():
        option = _option(name)
        raise InvalidInputError(option, f"--{option}: the value is empty; leave the option out.")
    return text or ""


def _duration(options: argparse.Namespace, name: str, default: timedelta) -> timedelta:
    text: str | None = getattr(options, name)
    return default if text is None else read_duration(_option(name), text)


def _option(field: str) -> str:
    return field.replace("_", "-")

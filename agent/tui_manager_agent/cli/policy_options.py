"""The options of `tui-manager-agent policy check`; the answer is `policy_check.py`'s."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from tui_manager_protos.rules.duration import DURATION_FORMS

from tui_manager_agent.policy.policy import parse_limit

_TIMEOUT = "1h"  # what a manager asks for unless told otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the host's owner asks.

    Attributes:
        policy: the file; None: at the default place.
        user: empty: the agent's own.
        folder: empty: the user's home folder.
        timeout: ns.
    """

    policy: Path | None
    command: str
    user: str
    folder: str
    variables: tuple[str, ...]
    timeout: int


def add_options(check: argparse.ArgumentParser) -> None:
    """What is asked about. `policy` is added by whoever knows the variable for it."""
    check.add_argument("--user", metavar="NAME", default="", help="as `run --user NAME`")
    check.add_argument("--cwd", metavar="DIR", default="", help="as `run --cwd DIR`")
    check.add_argument(
        "--timeout",
        metavar="S",
        type=_timeout,
        default=_TIMEOUT,
        help=f"as `run --timeout S`: {DURATION_FORMS} (default: {_TIMEOUT})",
    )
    check.add_argument(
        "--env",
        metavar="K",
        action="append",
        default=[],
        help="as `run --env K=…`, --param or --secret; may be given more than once",
    )
    check.add_argument("command_words", metavar="COMMAND", nargs="+", help="shell text, behind --")


def question(chosen: argparse.Namespace) -> Question:
    """What was asked."""
    return Question(
        policy=chosen.policy,
        command=" ".join(chosen.command_words),
        user=chosen.user,
        folder=chosen.cwd,
        variables=tuple(name.partition("=")[0] for name in chosen.env),
        timeout=chosen.timeout,
    )


def _timeout(text: str) -> int:
    try:
        return parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

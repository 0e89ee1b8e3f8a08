"""`tui-manager-agent policy check`: what the policy says of a command, without running it."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from tui_manager_protos.rules.duration import DURATION_FORMS

from tui_manager_agent.policy.policy import CommandRequest, parse_limit

_TIMEOUT = "1h"  # the manager's default
ALLOWED, REFUSED, UNUSABLE = 0, 1, 2


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
    """The options of the question, except `--policy`, which `run` has too."""
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
    """The question that the options make."""
    return Question(
        policy=chosen.policy,
        command=" ".join(chosen.command_words),
        user=chosen.user,
        folder=chosen.cwd,
        variables=tuple(name.partition("=")[0] for name in chosen.env),
        timeout=chosen.timeout,
    )


def answer(question: Question) -> int:
    """Prints a line on stdout, and warnings about the file on stderr. Returns the exit status."""
    from tui_manager_agent.policy import account
    from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile

    file = PolicyFile(question.policy)
    try:
        exists = file.read()
    except PolicyError as error:
        sys.stderr.write(f"the agent would refuse everything: {error}\n")
        return UNUSABLE
    if not exists:
        sys.stdout.write(f"allowed: there is no policy {file.path}\n")
        return ALLOWED
    for warning in file.warnings():
        sys.stderr.write(f"{warning}\n")
    verdict = file.judge(
        CommandRequest(
            command=question.command,
            user=question.user or account.own().name,
            folder=question.folder,
            variables=question.variables,
            timeout=question.timeout,
        )
    )
    sys.stdout.write(f"{verdict.refusal or f'allowed by {verdict.rule}'}\n")
    return REFUSED if verdict.refusal else ALLOWED


def _timeout(text: str) -> int:
    try:
        return parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

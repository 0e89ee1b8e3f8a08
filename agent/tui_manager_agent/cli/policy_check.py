"""`tui-manager-agent policy check`: what the policy says of a command, without running it."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from tui_manager_protos.rules import command_defaults
from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager_agent.policy.policy import CommandRequest, parse_limit
from tui_manager_agent.supervisor import shebang

_TIMEOUT = format_duration(command_defaults.TIMEOUT)
ALLOWED, REFUSED, UNUSABLE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the host's owner asks.

    Attributes:
        policy: the file; None: at the default place.
        words: of the command, or the arguments of the script.
        script: None: it is about a command.
        user: empty: the agent's own.
        folder: empty: the user's home folder.
        timeout: ns.
    """

    policy: Path | None
    words: tuple[str, ...]
    script: Path | None
    has_stdin: bool
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
    check.add_argument(
        "--script",
        metavar="FILE",
        type=Path,
        help="as `run --script FILE`; its arguments stand behind --",
    )
    check.add_argument("--stdin", action="store_true", help="as `run --stdin FILE`")
    check.set_defaults(error=check.error)
    check.add_argument("words", metavar="COMMAND", nargs="*", help="shell text, behind --")


def question(chosen: argparse.Namespace) -> Question:
    """The question that the options make. Raises SystemExit if they make none."""
    if not chosen.words and chosen.script is None:
        chosen.error("say which command to check, behind --, or which --script FILE")
    return Question(
        policy=chosen.policy,
        words=tuple(chosen.words),
        script=chosen.script,
        has_stdin=chosen.stdin,
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
        script = _read_script(question.script)
        exists = file.read()
    except _ScriptError as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
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
            command="" if script else " ".join(question.words),
            user=question.user or account.own().name,
            folder=question.folder,
            variables=question.variables,
            timeout=question.timeout,
            script_sha256=script,
            arguments=question.words if script else (),
            has_stdin=question.has_stdin,
        )
    )
    sys.stdout.write(f"{verdict.refusal or f'allowed by {verdict.rule}'}\n")
    return REFUSED if verdict.refusal else ALLOWED


class _ScriptError(Exception):
    """The script cannot be run by any agent; the text is for the host's owner."""


def _read_script(path: Path | None) -> str:
    """The hash of a script; empty without one. Raises _ScriptError."""
    if path is None:
        return ""
    import hashlib

    try:
        script = path.read_bytes()
        shebang.parse(script)
    except (OSError, shebang.ShebangError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _ScriptError(f"{path} cannot be run as a script: {reason}") from error
    return hashlib.sha256(script).hexdigest()


def _timeout(text: str) -> int:
    try:
        return parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

"""`tui-manager-agent policy check`: what the policy says of a command, a script or files.

Nothing is run, written or read.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import command_defaults
from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager_agent.policy.file_rules import FileAccess, TransferRequest, show_path
from tui_manager_agent.policy.policy import CommandRequest, Verdict, parse_limit
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile
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
        read, written: absolute paths of files, which it is about if there are any.
        owner: who is to own the files that are written; empty: nobody else than now.
        mode: of the files that are written; None: as at their source.
    """

    policy: Path | None
    words: tuple[str, ...]
    script: Path | None
    has_stdin: bool
    user: str
    folder: str
    variables: tuple[str, ...]
    timeout: int
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    owner: str = ""
    mode: int | None = None


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
    for access, command in ((FileAccess.READ, "fetch"), (FileAccess.WRITE, "copy")):
        check.add_argument(
            f"--{access}",
            metavar="PATH",
            type=_absolute,
            action="append",
            default=[],
            help=f"as `{command}`: a file or folder of this host, instead of a command; may be "
            "given more than once",
        )
    check.add_argument("--owner", metavar="U[:G]", default="", help="as `copy --owner U`")
    check.add_argument("--mode", metavar="M", type=_mode, help="as `copy --mode M`")
    check.set_defaults(error=check.error)
    check.add_argument("words", metavar="COMMAND", nargs="*", help="shell text, behind --")


def question(chosen: argparse.Namespace) -> Question:
    """The question that the options make. Raises SystemExit if they make none."""
    with_files = bool(chosen.read or chosen.write)
    with_command = bool(chosen.words or chosen.script)
    if not with_files and not with_command:
        chosen.error(
            "say which command to check, behind --, or which --script FILE, or which files with "
            "--read PATH or --write PATH"
        )
    if with_files and with_command:
        chosen.error("--read and --write are about files: leave out the command")
    return Question(
        policy=chosen.policy,
        words=tuple(chosen.words),
        script=chosen.script,
        has_stdin=chosen.stdin,
        user=chosen.user,
        folder=chosen.cwd,
        variables=tuple(name.partition("=")[0] for name in chosen.env),
        timeout=chosen.timeout,
        read=tuple(chosen.read),
        written=tuple(chosen.write),
        owner=chosen.owner,
        mode=chosen.mode,
    )


def answer(question: Question) -> int:
    """Prints a line on stdout, or one for each file, and warnings about the policy on stderr.
    Returns the exit status."""
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
    if question.read or question.written:
        verdicts = list(_judge_files(file, question))
    else:
        verdicts = [(_judge_command(file, question, script), "")]
    said = (
        verdict.refusal or f"allowed by {verdict.rule}{f': {path}' if path else ''}"
        for verdict, path in verdicts
    )
    for line in dict.fromkeys(said):  # what is wrong with all of them is said once
        sys.stdout.write(f"{line}\n")
    return REFUSED if any(verdict.refusal for verdict, _ in verdicts) else ALLOWED


def _judge_command(file: PolicyFile, question: Question, script: str) -> Verdict:
    from tui_manager_agent.policy import users

    return file.judge(
        CommandRequest(
            command="" if script else " ".join(question.words),
            user=question.user or users.own().name,
            folder=question.folder,
            variables=question.variables,
            timeout=question.timeout,
            script_sha256=script,
            arguments=question.words if script else (),
            has_stdin=question.has_stdin,
        )
    )


def _judge_files(file: PolicyFile, question: Question) -> Iterator[tuple[Verdict, str]]:
    """The verdict of the policy on each file, with the path that was judged: that of a folder ends
    in `/`."""
    asked = ((FileAccess.READ, question.read), (FileAccess.WRITE, question.written))
    for access, paths in asked:
        is_write = access is FileAccess.WRITE
        request = TransferRequest(
            access=access,
            timeout=question.timeout,
            owner=question.owner if is_write else "",
            mode=question.mode if is_write else None,
        )
        for path in paths:
            real = os.fsencode(os.path.realpath(path))
            is_folder = path.endswith("/") or os.path.isdir(real)
            verdict = file.judge(request)
            if not verdict.refusal:
                verdict = file.judge_path(real, access, is_folder=is_folder)
            end = "/" if is_folder and real != b"/" else ""
            yield verdict, show_path(real) + end


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


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with '/'")
    return text


def _mode(text: str) -> int:
    if not text or len(text) > 4 or set(text) - set("01234567"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode: up to four digits from 0 to 7")
    return int(text, 8)

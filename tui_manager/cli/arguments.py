"""The options of every command, and their help. What the commands do is not here."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from tui_manager import __version__
from tui_manager.domain.delivery import DELIVERY_TIMEOUT, Offline
from tui_manager.domain.duration import DURATION_FORMS, format_duration
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.spec import TIMEOUT_DEFAULT
from tui_manager.domain.status import Stream

PROGRAM = "tui-manager"
RUN_FORM = "run TARGET [options] -- COMMAND"
DEMO_AGENTS = 3
DEMO_AGENTS_MAX = 50

_TARGET_HELP = (
    "host names web[01-20],db1, globs 'web*', labels env=prod or role!=db, groups @web, or @all; "
    "',' joins, '&' intersects, a leading '!' takes away"
)
_EXIT_CODES = (
    "exit status: 0 all completed; 1 some did not; 2 wrong usage; 3 no manager to talk to; "
    "130 left with ctrl-c; 141 whoever read the output has left"
)


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that one place prints it."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInputError("arguments", f"{message}\nSee `{self.prog} --help`.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line. `action` names the command; what stands behind the first `--`
    is `command_words`.

    Raises:
        InvalidInputError: the arguments make no sense.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise InvalidInputError("arguments", f"{argument!a} is not valid UTF-8.") from None
    words, dashes, command = list(arguments), "--" in arguments, []
    if dashes:
        end = words.index("--")
        words, command = words[:end], words[end + 1 :]
    options, unknown = _parser().parse_known_args(words)
    if unknown:
        raise _unrecognized(options.action, unknown, dashes=dashes)
    if options.action != "run" and dashes:
        raise InvalidInputError("arguments", "Only `run` takes a command behind `--`.")
    options.command_words = command
    return options


def _unrecognized(action: str, unknown: Sequence[str], *, dashes: bool) -> InvalidInputError:
    message = f"unrecognized arguments: {' '.join(unknown)}"
    if action == "run" and not dashes:
        message += f"; put the command behind `--`: {RUN_FORM}"
    program = PROGRAM if action == "dashboard" else f"{PROGRAM} {action}"
    return InvalidInputError("arguments", f"{message}\nSee `{program} --help`.")


def _parser() -> _Parser:
    state, listen = _state_options(), _listen_options()
    parser = _Parser(
        prog=PROGRAM,
        description="Without a command: the dashboard. It joins the manager that runs on the state "
        "folder, or starts one.",
        epilog=f"`{PROGRAM} COMMAND --help` tells more of a command.",
        parents=[state, listen],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(action="dashboard")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def add(
        name: str, summary: str, *parents: _Parser, epilog: str = ""
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog or None,
            parents=parents,
            allow_abbrev=False,
        )
        made.set_defaults(action=name)
        return made

    add("serve", "the manager without a screen, until ctrl-c or SIGTERM", state, listen)
    demo = add("demo", "the dashboard with real local agents, in a throwaway state folder")
    demo.add_argument(
        "--agents",
        metavar="N",
        type=_agents,
        default=DEMO_AGENTS,
        help=f"how many agents, 1 to {DEMO_AGENTS_MAX} (default {DEMO_AGENTS})",
    )
    _add_run_options(
        add("run", "run a command on hosts and show what they say", state, epilog=_EXIT_CODES)
    )
    _add_json(add("hosts", "list the hosts", state))
    _add_task_commands(add("task", "list, show, start or cancel tasks", state), state)
    _add_output_options(add("output", "the raw bytes that a task printed", state))
    check = add("check", "look for damage and contradictions in the database", state)
    check.add_argument(
        "file", metavar="FILE", nargs="?", help="a database, such as a backup, instead of the own"
    )
    _add_json(check)
    backup = add("backup", "copy the database to a file, also while a manager runs", state)
    backup.add_argument("file", metavar="FILE", help="where to; its folder must be there")
    backup.add_argument("--force", action="store_true", help="overwrite FILE")
    _add_json(add("config", "every setting, its value and where it came from", state, listen))
    return parser


def _state_options() -> _Parser:
    """Absent when not given, so that a command's own does not hide the one before the command."""
    options = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--state-dir", metavar="D", help="folder of the database and the operator's socket"
    )
    return options


def _listen_options() -> _Parser:
    options = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--listen", metavar="HOST:PORT", help="where agents dial in; port 0 takes a free one"
    )
    options.add_argument(
        "--insecure",
        action="store_true",
        help="no TLS, and hosts admitted as they come; on a loopback address only",
    )
    return options


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_run_options(run: argparse.ArgumentParser) -> None:
    run.usage = (
        f"{PROGRAM} run TARGET [--name N] [--description D] [--param K=V]… [--env K=V]…\n"
        "                       [--cwd DIR] [--timeout S] [--offline fail|wait]\n"
        "                       [--delivery-timeout S] [--state-dir D]\n"
        "                       [--json | --gather | --detach | --no-start] -- COMMAND…"
    )
    run.add_argument("target", metavar="TARGET", help=_TARGET_HELP.replace("%", "%%"))
    run.add_argument("--name", metavar="N", default="", help="what people call the task")
    run.add_argument("--description", metavar="D", default="", help="what it is for")
    for option, text in (
        ("param", "a parameter: reaches the command as an environment variable of that name, and "
         "is shown with the task"),
        ("env", "a further environment variable"),
    ):  # fmt: skip
        run.add_argument(f"--{option}", metavar="K=V", action="append", default=[], help=text)
    run.add_argument(
        "--cwd", metavar="DIR", default="", help="folder to run in (default the agent's home)"
    )
    run.add_argument(
        "--timeout",
        metavar="S",
        default=format_duration(TIMEOUT_DEFAULT),
        help=f"after which the command is killed, 1s to 7d: {DURATION_FORMS} (default %(default)s)",
    )
    run.add_argument(
        "--offline",
        type=Offline,
        choices=tuple(Offline),
        metavar="|".join(Offline),
        default=Offline.FAIL,
        help="what becomes of a host that is offline: it fails at once, or the task waits for it "
        "(default %(default)s)",
    )
    run.add_argument(
        "--delivery-timeout",
        metavar="S",
        help="with --offline wait, how long a host may take to begin a command whose turn has "
        f"come, 1s to 30d (default {format_duration(DELIVERY_TIMEOUT)})",
    )
    mode = run.add_mutually_exclusive_group()
    for name, text in (
        ("json", "print one JSON object when the task has ended"),
        ("gather", "print identical outputs once, when the task has ended"),
        ("detach", "print the task's id once it is started, and return"),
        ("no-start", "print the id of a pending task, and return"),
    ):
        mode.add_argument(
            f"--{name}", dest="mode", action="store_const", const=name, default="live", help=text
        )
    run.add_argument_group(
        "COMMAND…",
        "Shell text for /bin/sh -c, behind `--`. Several words are joined with spaces and the "
        "host's shell reads the whole, as with ssh: quote it once, e.g. -- 'echo \"$HOME\"; date'.",
    )


def _add_task_commands(task: argparse.ArgumentParser, state: _Parser) -> None:
    commands = task.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    for name, text in (
        ("list", "list the tasks, the newest first"),
        ("show", "a task and how it stands on its hosts"),
        ("start", "start a pending task"),
        ("cancel", "cancel a task: what runs of it is killed"),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(task_action=name)
        if name != "list":
            command.add_argument("task_id", metavar="ID", type=_task_id, help="the task's number")
        _add_json(command)


def _add_output_options(output: argparse.ArgumentParser) -> None:
    output.add_argument("task_id", metavar="TASK_ID", type=_task_id, help="the task's number")
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


def _task_id(text: str) -> int:
    return _number(text, 1, 2**63 - 1, "a task's number")


def _index(text: str) -> int:
    return _number(text, 0, 2**31 - 1, "a command's number")


def _agents(text: str) -> int:
    return _number(text, 1, DEMO_AGENTS_MAX, f"a number from 1 to {DEMO_AGENTS_MAX}")


def _number(text: str, low: int, high: int, what: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")

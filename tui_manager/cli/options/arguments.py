"""From a command line to options. Those of the larger commands are in `options/`; what the commands
do is not here."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from tui_manager import __version__
from tui_manager.cli.options.audit import add_audit_options
from tui_manager.cli.options.clock import add_clock_commands
from tui_manager.cli.options.hosts import add_hosts_commands
from tui_manager.cli.options.output import add_output_options
from tui_manager.cli.options.parser import (
    PROGRAM,
    Parser,
    add_json,
    as_name,
    is_name,
    listen_options,
    number,
    plain,
    state_options,
)
from tui_manager.cli.options.run import EXIT_CODES, RUN_FORM, add_run_options
from tui_manager.cli.options.task import add_task_commands
from tui_manager.cli.options.token import add_token_commands
from tui_manager.domain.errors import InvalidInputError

DEMO_AGENTS = 3
DEMO_AGENTS_MAX = 50
_NAMES = ("target", "names", "file")  # what may stand behind `--`, numbers aside


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line. `action` names the command.

    No word behind the first `--` is an option. With `run` these words are `command_words`; they
    begin with TARGET and another `--` if TARGET has not been given before. With every other command
    they are names, whatever they begin with.

    Raises:
        InvalidInputError: the arguments make no sense.
    """
    words, dashes, behind = [*map(_decoded, arguments)], "--" in arguments, []
    if dashes:
        end = words.index("--")
        words, behind = words[:end], words[end + 1 :]
    options, unknown = _parser().parse_known_args([*words, *map(as_name, behind)])
    if options.action == "run":
        options.command_words = _command(options.target, behind)
        unknown = unknown[: len(unknown) - len(behind)] if not is_name(options.target) else []
    for option, value in vars(options).items():
        setattr(options, option, _plain(option, value))
    if unknown:
        raise _unrecognized(options.action, list(map(plain, unknown)), dashes=dashes)
    return options


def _command(target: str, behind: Sequence[str]) -> list[str]:
    """The words of the command: those behind `--`, or behind the next one if the first of them is
    TARGET."""
    if not is_name(target):
        return list(behind)
    if list(behind[1:2]) != ["--"]:
        raise InvalidInputError("arguments", f"TARGET is missing: {RUN_FORM}\n{_see('run')}")
    return list(behind[2:])


def _plain(option: str, value: Any) -> Any:
    """A value as it was typed. Raises InvalidInputError when an option took a word behind `--`."""
    words = value if isinstance(value, list) else [value]
    if option not in _NAMES and any(map(is_name, words)):
        name = option.replace("_", "-")
        raise InvalidInputError("arguments", f"argument --{name}: expected one argument")
    return list(map(plain, value)) if isinstance(value, list) else plain(value)


def _decoded(argument: str) -> str:
    """The text of an argument, which is UTF-8 also where the locale, such as C, says otherwise."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(argument).decode()
        except UnicodeError:
            raise InvalidInputError("arguments", f"{argument!a} is not valid UTF-8.") from None
    return argument


def _unrecognized(action: str, unknown: Sequence[str], *, dashes: bool) -> InvalidInputError:
    message = f"unrecognized arguments: {' '.join(unknown)}"
    if action == "run" and not dashes:
        message += f"; put the command behind `--`: {RUN_FORM}"
    elif not dashes and any(word.startswith("-") for word in unknown):
        message += "; a name that begins with `-` stands behind `--`"
    return InvalidInputError("arguments", f"{message}\n{_see(action)}")


def _see(action: str) -> str:
    program = PROGRAM if action == "dashboard" else f"{PROGRAM} {action}"
    return f"See `{program} --help`."


def _parser() -> Parser:
    state, listen = state_options(), listen_options()
    parser = Parser(
        prog=PROGRAM,
        description="Without a command: the dashboard. It joins the manager that runs on the state "
        "folder, or starts one.",
        epilog=f"`{PROGRAM} COMMAND --help` tells more of a command.",
        parents=[state, listen],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(action="dashboard")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def add(name: str, summary: str, *parents: Parser, epilog: str = "") -> argparse.ArgumentParser:
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
    add_run_options(
        add("run", "run a command on hosts and show what they say", state, epilog=EXIT_CODES)
    )
    add_hosts_commands(add("hosts", "list, approve, reject or revoke hosts", state), state)
    add_token_commands(add("token", "make, list or revoke join tokens", state), state)
    add_task_commands(add("task", "list, show, start or cancel tasks", state), state)
    add_output_options(add("output", "the raw bytes that a task printed", state))
    add_clock_commands(add("clock", "say that the manager's clock is right", state), state)
    add_audit_options(add("audit", "who did what to which host and task, and when", state))
    check = add("check", "look for damage and contradictions in the database", state)
    check.add_argument(
        "file", metavar="FILE", nargs="?", help="a database, such as a backup, instead of the own"
    )
    add_json(check)
    backup = add("backup", "copy the database to a file, also while a manager runs", state)
    backup.add_argument("file", metavar="FILE", help="where to; its folder must be there")
    backup.add_argument("--force", action="store_true", help="replace FILE if it is a regular file")
    add_json(add("config", "every setting, its value and where it came from", state, listen))
    return parser


def _agents(text: str) -> int:
    return number(text, 1, DEMO_AGENTS_MAX, f"a number from 1 to {DEMO_AGENTS_MAX}")

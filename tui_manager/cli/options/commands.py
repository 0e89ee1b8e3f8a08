"""The commands of the program and their options. Those of `run` and `token` have their own
files."""

import argparse

from tui_manager import __version__
from tui_manager.cli.options.parser import (
    PROGRAM,
    Parser,
    add_json,
    listen_options,
    number,
    state_options,
    task_id,
)
from tui_manager.cli.options.run import EXIT_CODES, add_run_options
from tui_manager.cli.options.token import add_token_commands
from tui_manager.domain.status import Stream

DEMO_AGENTS = 3
DEMO_AGENTS_MAX = 50


def command_line_parser() -> Parser:
    """The parser of the whole command line."""
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


_HOSTS_COMMANDS = (
    ("approve", "let hosts that wait belong to the fleet"),
    ("reject", "turn hosts that wait away for good"),
    (
        "revoke",
        "take the admission of hosts back for good: they are cut off at once; what runs there "
        "goes on out of reach, so cancel it first",
    ),
)
_ALL = {"approve": "all that wait and have nothing odd about them", "reject": "all that wait"}


def add_hosts_commands(hosts: argparse.ArgumentParser, state: Parser) -> None:
    """Without a command: the list."""
    hosts.set_defaults(hosts_action="list")
    add_json(hosts)
    commands = hosts.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name, text in _HOSTS_COMMANDS:
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. Prints their names.",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(hosts_action=name, all_pending=False)
        command.add_argument(
            "names",
            metavar="NAME",
            nargs="+" if name == "revoke" else "*",
            help="names, also as web[01-20], or host_ids, which tell hosts of one name apart",
        )
        if name != "revoke":
            command.add_argument(
                "--all-pending", action="store_true", help=f"instead of names, {_ALL[name]}"
            )


def add_task_commands(task: argparse.ArgumentParser, state: Parser) -> None:
    """What can be done with tasks, each with its options."""
    commands = task.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
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
            command.add_argument("task_id", metavar="ID", type=task_id, help="the task's number")
        add_json(command)


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


AUDIT_LIMIT = 100
_AUDIT_LIMIT_MAX = 1_000_000


def add_audit_options(audit: argparse.ArgumentParser) -> None:
    """Which part of the audit is wanted."""
    audit.add_argument(
        "--limit",
        metavar="N",
        type=_audit_limit,
        default=AUDIT_LIMIT,
        help="only the newest N that match (default %(default)s)",
    )
    audit.add_argument(
        "--text",
        metavar="TEXT",
        default="",
        help="only what has this in who, what, host or detail; #12 is task 12",
    )
    add_json(audit)


def _audit_limit(text: str) -> int:
    return number(text, 1, _AUDIT_LIMIT_MAX, f"a number from 1 to {_AUDIT_LIMIT_MAX:,}")


def add_clock_commands(clock: argparse.ArgumentParser, state: Parser) -> None:
    """`accept`."""
    commands = clock.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    commands.add_parser(
        "accept",
        help="say that the manager's clock is right",
        description="Say that the manager's clock is right. After a clock has jumped, old history "
        "is not removed until the clock is back, the manager has run for 24 h, or this was said.",
        parents=[state],
        allow_abbrev=False,
    )

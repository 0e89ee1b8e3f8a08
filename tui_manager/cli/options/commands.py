"""The commands of the program and their options. Those of `run`, `copy`, `fetch`, `hosts`, `agent`,
`token`, `template`, `schedule` and `database` have their own files, each of which is imported when
the parser of its command is made."""

import argparse
from collections.abc import Callable

from tui_manager import __version__
from tui_manager.cli.options.lazy_commands import LazyCommands
from tui_manager.cli.options.parser import (
    PROGRAM,
    Parser,
    add_json,
    listen_options,
    number,
    one_of,
    plain,
    row_limit,
    state_options,
    task_id,
)

SHELLS = ("bash", "zsh", "fish")
_Fill = Callable[[Parser, Parser], None]  # adds the options of a command; gets --state-dir too
DEMO_AGENTS = 3
DEMO_AGENTS_MAX = 50


def command_line_parser() -> Parser:
    """The parser of the whole command line. That of a command is made when it is chosen."""
    state, listen = state_options(), listen_options()
    parser = _main_parser(state, listen)
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=Parser, action=LazyCommands
    )
    assert isinstance(commands, LazyCommands)

    def add(name: str, summary: str, fill: _Fill, *more: Parser) -> None:
        commands.add_later(name, summary, lambda made: fill(made, state), state, *more)

    add("serve", "run a manager without a screen, until ctrl-c or SIGTERM", _no_options, listen)
    commands.add_later(
        "demo", "show the dashboard with real local agents, in a temporary state folder", _demo
    )
    add("run", "run a command on hosts and print its output", _run)
    add("copy", "copy files of this machine to hosts", _copy)
    add("fetch", "fetch files of hosts to this machine", _fetch)
    add("hosts", "list or show hosts, approve or remove them, label or rename them", _hosts)
    add("agent", "bring agents to hosts, update or remove them", _agent)
    add("token", "make, list or revoke join tokens", _token)
    add("task", "list, show, start, cancel, rerun or follow tasks, save their files", _task)
    add("template", "save, list, show, run, export or delete templates", _template)
    add("schedule", "make, list, show, edit, pause or run schedules", _schedule)
    add("output", "print the output of a task, as raw bytes", _output)
    add("export", "make a document of a task: JSON, CSV, JUnit or an HTML page", _export)
    add("managers", "list the managers of this database: who leads, and who is away", _only_json)
    add("notifications", "list who receives notifications, or test a receiver", _notifications)
    add("clock", "confirm that the manager's clock is right", _clock)
    add("audit", "list who did what to which host or task, and when", _audit)
    add("check", "search the database for damage and contradictions", _check)
    add(
        "backup",
        "copy the database to a file; a manager may run meanwhile. Not for PostgreSQL",
        _backup,
    )
    add("database", "move data into another database, or forget its keys", _database)
    commands.add_later(
        "completion",
        "print a script that lets a shell complete what you type with tab",
        _completion,
    )
    add("config", "list every setting, its value and where it comes from", _only_json, listen)
    return parser


def _main_parser(*parents: Parser) -> Parser:
    """The options that come before a command."""
    parser = Parser(
        prog=PROGRAM,
        description="Without a command it shows the dashboard, which connects to the manager that "
        "runs on the state folder, or starts one.",
        epilog=f"`{PROGRAM} COMMAND --help` explains a command.",
        parents=parents,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(action="dashboard")
    return parser


def _no_options(_command: Parser, _state: Parser) -> None:
    """A command that has no options of its own."""


def _only_json(command: Parser, _state: Parser) -> None:
    """The option of a command that has no other."""
    add_json(command)


def _run(run: Parser, _state: Parser) -> None:
    from tui_manager.cli.options.tasks.run import EXIT_CODES, add_run_options

    run.epilog = EXIT_CODES
    add_run_options(run)


def _copy(copy: Parser, _state: Parser) -> None:
    from tui_manager.cli.options.tasks.run import EXIT_CODES
    from tui_manager.cli.options.tasks.transfer import add_copy_options

    copy.epilog = EXIT_CODES
    add_copy_options(copy)


def _fetch(fetch: Parser, _state: Parser) -> None:
    from tui_manager.cli.options.tasks.run import EXIT_CODES
    from tui_manager.cli.options.tasks.transfer import add_fetch_options

    fetch.epilog = EXIT_CODES
    add_fetch_options(fetch)


def _hosts(hosts: Parser, state: Parser) -> None:
    from tui_manager.cli.options.hosts.hosts import add_hosts_commands

    add_hosts_commands(hosts, state)


def _agent(agent: Parser, state: Parser) -> None:
    from tui_manager.cli.options.hosts.agent import add_agent_commands

    add_agent_commands(agent, state)


def _token(token: Parser, state: Parser) -> None:
    from tui_manager.cli.options.hosts.token import add_token_commands

    add_token_commands(token, state)


def _template(template: Parser, state: Parser) -> None:
    from tui_manager.cli.options.tasks.template import add_template_commands

    add_template_commands(template, state)


def _schedule(schedule: Parser, state: Parser) -> None:
    from tui_manager.cli.options.tasks.schedule import add_schedule_commands

    add_schedule_commands(schedule, state)


def _notifications(notifications: Parser, state: Parser) -> None:
    from tui_manager.cli.options.notifications import add_notifications_commands

    add_notifications_commands(notifications, state)


def _database(database: Parser, state: Parser) -> None:
    from tui_manager.cli.options.database import add_database_commands

    add_database_commands(database, state)


def _demo(demo: argparse.ArgumentParser) -> None:
    """The options of `demo`."""
    demo.add_argument(
        "--agents",
        metavar="N",
        type=_agents,
        default=DEMO_AGENTS,
        help=f"number of agents, 1 to {DEMO_AGENTS_MAX} (default {DEMO_AGENTS})",
    )


def _agents(text: str) -> int:
    return number(text, 1, DEMO_AGENTS_MAX, f"a number from 1 to {DEMO_AGENTS_MAX}")


def _task(task: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `task`, each with its options."""
    from tui_manager.cli.options.tasks.rerun import add_rerun_options
    from tui_manager.cli.options.tasks.run import EXIT_CODES
    from tui_manager.cli.options.tasks.task_list import add_task_list_options
    from tui_manager.cli.options.tasks.transfer import add_task_files_options

    commands = task.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, text in (
        ("list", "list the tasks, the newest first"),
        ("show", "show a task and its state on each host"),
        ("start", "start a pending task"),
        ("cancel", "cancel a task and kill its running commands"),
        ("rerun", "run an ended task again, on hosts where it did not complete"),
        ("pause", "send no more commands of a task; what hosts already have goes on"),
        ("resume", "end the pause of a task, or its hold after a batch"),
        ("follow", "print the output of a task as `run` does, until the task ends"),
        ("files", "save the files that a task has fetched from its hosts"),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(task_action=name)
        if name == "list":
            add_task_list_options(command)
        else:
            command.add_argument("task_id", metavar="ID", type=task_id, help="the task's number")
        if name in ("rerun", "follow"):
            command.epilog = EXIT_CODES
        if name == "rerun":
            add_rerun_options(command)
        elif name == "files":
            add_task_files_options(command)
        elif name != "follow":
            add_json(command)


def _output(output: argparse.ArgumentParser, _state: Parser) -> None:
    """The options of `output`."""
    from tui_manager.domain.status import Stream

    output.add_argument("task_id", metavar="TASK_ID", type=task_id, help="the task's number")
    output.add_argument("--host", metavar="NAME", help="only of this host")
    output.add_argument(
        "--command", metavar="N", type=_index, help="only of this command; the first is 0"
    )
    output.add_argument(
        "--stream",
        type=one_of(Stream),
        choices=tuple(Stream),
        metavar="|".join(Stream),
        help="only of this stream (default: both, in the order in which they were stored)",
    )
    output.add_argument(
        "--prefix",
        action="store_true",
        help="print lines of text, each with the name of its host, as `run` does",
    )


def _export(export: argparse.ArgumentParser, _state: Parser) -> None:
    """The options of `export`."""
    from tui_manager.domain.presentation.export_format import Format

    export.add_argument("task_id", metavar="TASK_ID", type=task_id, help="the task's number")
    export.add_argument(
        "--format",
        type=one_of(Format),
        choices=tuple(Format),
        metavar="|".join(Format),
        help="json for programs, csv for spreadsheets, junit for CI, html for people (default: by "
        "the ending of FILE: .json, .csv, .xml, .html)",
    )
    export.add_argument(
        "--output",
        metavar="FILE",
        default="-",
        help="write to FILE, whole or not at all; a file of this name is replaced (default: - for "
        "stdout)",
    )


def _index(text: str) -> int:
    return number(text, 0, 2**31 - 1, "a command's number")


def _completion(completion: argparse.ArgumentParser) -> None:
    """The options of `completion`."""
    completion.formatter_class = argparse.RawDescriptionHelpFormatter  # lines that are copied
    completion.description = """\
Print a script that lets a shell complete what you type with tab: commands, options,
and the hosts, groups, labels, tasks, templates, schedules and tokens of the running
manager."""
    completion.epilog = """\
to switch it on:
  bash, in ~/.bashrc: eval "$(tui-manager completion bash)"
  zsh, in ~/.zshrc after compinit: eval "$(tui-manager completion zsh)"
  fish, once: tui-manager completion fish > ~/.config/fish/completions/tui-manager.fish"""
    completion.add_argument(
        "shell",
        metavar="|".join(SHELLS),
        type=plain,
        choices=SHELLS,
        help="the shell for which it is",
    )


AUDIT_LIMIT = 100


def _audit(audit: argparse.ArgumentParser, _state: Parser) -> None:
    """The options of `audit`."""
    audit.add_argument(
        "--limit",
        metavar="N",
        type=row_limit,
        default=AUDIT_LIMIT,
        help="print only the newest N entries that match (default %(default)s)",
    )
    audit.add_argument(
        "--text",
        metavar="TEXT",
        default="",
        help="print only entries with this text in actor, action, host or detail; #12 is task 12",
    )
    add_json(audit)


def _clock(clock: argparse.ArgumentParser, state: Parser) -> None:
    """The command of `clock`: `accept`."""
    commands = clock.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    commands.add_parser(
        "accept",
        help="confirm that the manager's clock is right",
        description="Confirm that the manager's clock is right. After the clock has jumped, the "
        "manager starts no task of a schedule and removes no old history until the clock is back, "
        "the manager has run for 24 h, or this command was given.",
        parents=[state],
        allow_abbrev=False,
    )


def _check(check: argparse.ArgumentParser, _state: Parser) -> None:
    """The options of `check`."""
    check.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a file of SQLite to check, such as a backup (default: the database of the manager)",
    )
    add_json(check)


def _backup(backup: argparse.ArgumentParser, _state: Parser) -> None:
    """The options of `backup`."""
    backup.add_argument("file", metavar="FILE", help="the copy; its folder must exist")
    backup.add_argument("--force", action="store_true", help="replace FILE if it is a regular file")

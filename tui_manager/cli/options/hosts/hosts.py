"""The options of `hosts`."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json

_NAME = "name of a host, or of several as web[01-20]; or a host_id, if names are the same"
_COMMANDS = (
    ("approve", "admit pending hosts, so that commands can run on them"),
    ("reject", "refuse pending hosts for good"),
    (
        "revoke",
        "take hosts out of the fleet for good: they are disconnected at once. Commands that run "
        "there go on and cannot be canceled any more, so cancel them first",
    ),
    (
        "remove",
        "forget hosts that are offline: their names are free, their keys are refused from then on, "
        "and tasks in which they were keep their names",
    ),
    ("label", "give labels to hosts, which win over those of the join token and of the agent"),
    ("rename", "give a host another name, also if its agent goes on to give the former one"),
    ("maintenance", "put hosts into maintenance, so that tasks leave them out, or end it"),
)
_ALL_PENDING = {
    "approve": "all pending hosts, except those with a note that needs your attention",
    "reject": "all pending hosts",
}


def add_hosts_commands(hosts: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `hosts`; without one it prints the list."""
    hosts.set_defaults(hosts_action="list")
    add_json(hosts)
    commands = hosts.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    listed = commands.add_parser(
        "list",
        help="list the hosts, as without a command",
        description="List the hosts.",
        parents=[state],
        allow_abbrev=False,
    )
    # Absent if not given, so that it does not replace the one before the command.
    listed.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    show = commands.add_parser(
        "show",
        help="show a host with its facts and the newest tasks that ran on it",
        description="Show a host with its facts, and the newest tasks that ran on it.",
        parents=[state],
        allow_abbrev=False,
    )
    show.set_defaults(hosts_action="show")
    show.add_argument("names", metavar="NAME", nargs=1, help="its name, or its host_id")
    add_json(show)
    for name, text in _COMMANDS:
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. Prints the names of these hosts.",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(hosts_action=name, all_pending=False)
        if name == "rename":
            command.add_argument("names", metavar="NAME", nargs=1, help="its name, or its host_id")
            command.add_argument("new_name", metavar="NEW", help="the name that it gets")
            continue
        names = "*" if name in _ALL_PENDING else "+"
        command.add_argument("names", metavar="NAME", nargs=names, help=_NAME)
        if name in _ALL_PENDING:
            help_text = f"{_ALL_PENDING[name]}, instead of names"
            command.add_argument("--all-pending", action="store_true", help=help_text)
        elif name == "label":
            _add_label_options(command)
        elif name == "maintenance":
            _add_maintenance_options(command)


def _add_label_options(label: argparse.ArgumentParser) -> None:
    label.add_argument(
        "--set",
        metavar="K=V",
        action="append",
        default=[],
        help="a label to give, or another value for one; may be repeated",
    )
    label.add_argument(
        "--unset",
        metavar="K",
        action="append",
        default=[],
        help="a label that an operator gave, to take away; may be repeated. The label that its "
        "agent or join token gives shows again",
    )


def _add_maintenance_options(maintenance: argparse.ArgumentParser) -> None:
    which = maintenance.add_mutually_exclusive_group(required=True)
    which.add_argument("--reason", metavar="TEXT", help="why, for those who look at the list")
    which.add_argument("--end", action="store_true", help="end the maintenance of these hosts")
    maintenance.add_argument(
        "--until",
        metavar="T",
        help="when it ends by itself: 2026-03-02T14:00:00Z, 2026-03-02 or, from now on, 2h "
        "(default: you end it)",
    )

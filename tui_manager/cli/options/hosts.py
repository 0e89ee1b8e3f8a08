"""What can be done with hosts, and the options of each."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json

_COMMANDS = (
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
    for name, text in _COMMANDS:
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

"""The commands of `agent`, which bring agents to hosts. Those that work on hosts have their options
in files of their own."""

import argparse
from collections.abc import Callable

from tui_manager.cli.options.hosts.agent_install import (
    SSH_EXIT_CODES,
    add_install_options,
    add_uninstall_options,
)
from tui_manager.cli.options.hosts.agent_update import add_update_options
from tui_manager.cli.options.parser import Parser
from tui_manager.cli.options.tasks.run import EXIT_CODES


def add_agent_commands(agent: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `agent`, each with its options."""
    commands = agent.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )

    def add(
        name: str, text: str, more: str, exit_codes: str = SSH_EXIT_CODES
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. {more}",
            epilog=exit_codes,
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(agent_action=name)
        return command

    _add_bundle(commands.add_parser)
    add_install_options(
        add(
            "install",
            "bring agents to hosts over ssh, and let these hosts join",
            "A repeat changes only what is not as it should be.",
        )
    )
    add_uninstall_options(
        add(
            "uninstall",
            "remove agents from hosts over ssh, and the hosts from the manager",
            "All that an agent has kept on a host goes with it.",
        )
    )
    add_update_options(
        add(
            "update",
            "replace the agents of hosts by those of a bundle, as a task",
            "In batches, if you want. Commands that run on the hosts go on. A host whose new "
            "agent does not come back within 2 minutes takes the old one again.",
            EXIT_CODES,
        )
    )


def _add_bundle(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """The command `bundle`, which needs no manager."""
    bundle = add_parser(
        "bundle",
        help="make a bundle: an agent with its own Python in one signed file",
        description="Make a bundle: one file with the agent, the Python that runs this program, "
        "and all packages that the agent needs, as they are installed here. It runs on hosts of "
        "the same system and processor, which need no Python.",
        allow_abbrev=False,
    )
    bundle.set_defaults(agent_action="bundle")
    bundle.add_argument("file", metavar="FILE", help="the bundle; an existing file is replaced")
    bundle.add_argument(
        "--key",
        metavar="FILE",
        help="PEM file of the Ed25519 key that signs (default: release.key in the folder of the "
        "configuration, which is made if it is missing)",
    )
    bundle.add_argument(
        "--trust",
        metavar="KEY",
        action="append",
        default=[],
        help="another public key whose updates hosts accept after this one, such as "
        "ed25519:MCow…; may be repeated",
    )

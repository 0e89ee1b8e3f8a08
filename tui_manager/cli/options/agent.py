"""The options of `tui-manager agent`."""

import argparse

from tui_manager.cli.options.agent_update import add_update_options
from tui_manager.cli.options.parser import Parser
from tui_manager.cli.options.run import EXIT_CODES


def add_agent_commands(agent: argparse.ArgumentParser, state: Parser) -> None:
    """The commands of `agent`, each with its options."""
    commands = agent.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    bundle = commands.add_parser(
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
    update = commands.add_parser(
        "update",
        help="replace the agents of hosts by those of a bundle, as a task",
        description="Replace the agents of hosts by those of a bundle, as a task: in batches, if "
        "you want. Commands that run on the hosts go on. A host whose new agent does not come "
        "back within 2 minutes takes the old one again.",
        epilog=EXIT_CODES,
        parents=[state],
        allow_abbrev=False,
    )
    update.set_defaults(agent_action="update")
    add_update_options(update)

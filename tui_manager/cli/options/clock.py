"""What can be said of the manager's clock."""

import argparse

from tui_manager.cli.options.parser import Parser


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

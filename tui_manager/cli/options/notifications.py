"""The command of `notifications` and its options. A file of its own, as each group of commands has
one."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json


def add_notifications_commands(notifications: argparse.ArgumentParser, state: Parser) -> None:
    """Without a command it lists the receivers."""
    add_json(notifications)
    notifications.set_defaults(notifications_action="list")
    commands = notifications.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=Parser
    )
    test = commands.add_parser(
        "test",
        help="send a hook or a webhook a test, and print what came back",
        description="Send a hook or a webhook of the manager's settings an event that says that it "
        "is a test, and print what came back. The exit status is 0 if it was taken, else 1.",
        parents=[state],
        allow_abbrev=False,
    )
    test.set_defaults(notifications_action="test")
    test.add_argument("receiver", metavar="NAME", help="the name of the hook or webhook")

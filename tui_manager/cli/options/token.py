"""What can be done with join tokens, and the options of it."""

import argparse

from tui_manager.cli.options.parser import Parser, add_json, number
from tui_manager.domain.duration import DURATION_FORMS, format_duration
from tui_manager.domain.token import TTL_DEFAULT, TTL_RANGE, USES_MAX


def add_token_commands(token: argparse.ArgumentParser, state: Parser) -> None:
    """`create`, and what a token may allow."""
    commands = token.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    text = "print a join token, with which an agent enrols its host"
    create = commands.add_parser(
        "create",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. It cannot be read again: only its hash is kept.",
        parents=[state],
        allow_abbrev=False,
    )
    low, high = map(format_duration, TTL_RANGE)
    create.add_argument(
        "--ttl",
        metavar="S",
        default=format_duration(TTL_DEFAULT),
        help=f"how long hosts may enrol with it, {low} to {high}: {DURATION_FORMS} "
        "(default %(default)s)",
    )
    create.add_argument(
        "--uses", metavar="N", type=_uses, default=1, help="how many hosts may (default 1)"
    )
    create.add_argument(
        "--auto-approve",
        action="store_true",
        help="they need no approval, unless name or machine is known already",
    )
    create.add_argument(
        "--label",
        metavar="K=V",
        action="append",
        default=[],
        help="a label for them, which their agents cannot change",
    )
    add_json(create)


def _uses(text: str) -> int:
    return number(text, 1, USES_MAX, f"a number from 1 to {USES_MAX:,}")

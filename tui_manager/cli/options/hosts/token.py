"""The commands of `token` and their options."""

import argparse

from tui_manager_protos.rules.duration import DURATION_FORMS, format_duration

from tui_manager.cli.options.parser import Parser, add_json, number
from tui_manager.domain.hosts.join_token import TTL_DEFAULT, TTL_RANGE, USES_MAX


def add_token_commands(token: argparse.ArgumentParser, state: Parser) -> None:
    """`create`, `list` and `revoke`."""
    commands = token.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )

    def add(name: str, text: str, more: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. {more}",
            parents=[state],
            allow_abbrev=False,
        )
        command.set_defaults(token_action=name)
        return command

    _add_create_options(
        add(
            "create",
            "make and print a join token, with which an agent enrols its host",
            "The token is printed only once: the manager stores only its hash.",
        )
    )
    listed = add(
        "list", "list the join tokens with which hosts can enrol", "The newest comes first."
    )
    listed.add_argument(
        "--all", action="store_true", help="list also tokens that are used up, expired or revoked"
    )
    add_json(listed)
    revoke = add(
        "revoke",
        "revoke join tokens: no host can enrol with them any more",
        "Hosts that have enrolled stay in the fleet. Prints the numbers of the tokens.",
    )
    revoke.add_argument(
        "token_ids",
        metavar="ID",
        nargs="+",
        type=_token_id,
        help="number of a token, as in the list",
    )


def _add_create_options(create: argparse.ArgumentParser) -> None:
    low, high = map(format_duration, TTL_RANGE)
    create.add_argument(
        "--ttl",
        metavar="S",
        default=format_duration(TTL_DEFAULT),
        help=f"how long hosts can enrol with it, {low} to {high}: {DURATION_FORMS} "
        "(default %(default)s)",
    )
    create.add_argument(
        "--uses",
        metavar="N",
        type=_uses,
        default=1,
        help="how many hosts can enrol with it (default 1)",
    )
    create.add_argument(
        "--auto-approve",
        action="store_true",
        help="admit these hosts without approval, unless their name or machine is known already",
    )
    create.add_argument(
        "--label",
        metavar="K=V",
        action="append",
        default=[],
        help="a label for these hosts, which their agents cannot change",
    )
    add_json(create)


def _token_id(text: str) -> int:
    return number(text, 1, 2**63 - 1, "a join token's number")


def _uses(text: str) -> int:
    return number(text, 1, USES_MAX, f"a number from 1 to {USES_MAX:,}")

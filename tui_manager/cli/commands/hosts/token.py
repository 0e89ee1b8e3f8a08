"""`tui-manager token`: makes, lists and revokes join tokens."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.options.values import parse_pairs, read_duration
from tui_manager.cli.printing.list_and_show.list_tables import token_table
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.write_text import note, write, write_json
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import all_tokens
from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec
from tui_manager.domain.manager.address import is_local, join_line, other_addresses
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.presentation.json_fields import new_token_shape, token_shape
from tui_manager.own_addresses import reachable_addresses
from tui_manager.settings import Settings


def run_token(settings: Settings, options: argparse.Namespace) -> int:
    """Runs a command of `token`, and returns the exit status."""
    match options.token_action:
        case "create":
            _make(settings, options)
        case "list":
            _print_list(settings, everything=options.all, as_json=options.json)
        case _:
            _revoke(settings, options.token_ids)
    return 0


def _make(settings: Settings, options: argparse.Namespace) -> None:
    spec = TokenSpec(
        ttl=read_duration("ttl", options.ttl),
        uses=options.uses,
        auto_approve=options.auto_approve,
        labels=parse_pairs("label", options.label),
    )
    spec.check()
    token, status = asyncio.run(_create(settings, spec))
    try:
        if options.json:
            write_json(new_token_shape(token))
        else:
            write(f"{token.text}\n")
            note(_usage_note(spec, token, status))
    except OutputError as error:
        revoke = f"`{PROGRAM} token revoke {token.token_id}`"
        raise OutputError(
            f"{error} Join token {token.token_id} was made; {revoke} revokes it."
        ) from error


async def _create(settings: Settings, spec: TokenSpec) -> tuple[NewToken, ManagerStatus]:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.create_token(spec), await operator.manager_status()


def _usage_note(spec: TokenSpec, token: NewToken, status: ManagerStatus) -> str:
    """How to use the token. The token itself is shown only if both streams are terminals, because
    stderr of a script may be kept in a log."""
    hosts = "one host" if spec.uses == 1 else f"{spec.uses:,} hosts"
    shown = token.text if sys.stdout.isatty() and sys.stderr.isatty() else "TOKEN"
    dials = status.dials(reachable_addresses)
    text = (
        f"join token {token.token_id} lasts {format_duration(spec.ttl)}, for {hosts}; "
        f"paste there:\n{join_line(dials[0], status.security, shown)}"
    )
    if is_local(status.address):
        text += (
            f"\nThis manager listens on {status.address}, which other machines cannot reach; "
            "--listen 0.0.0.0:7443 opens it to them."
        )
    if others := other_addresses(dials):
        text += f"\n{others}"
    return text


def _print_list(settings: Settings, *, everything: bool, as_json: bool) -> None:
    tokens = asyncio.run(_read(settings, everything=everything))
    if as_json:
        write_json([token_shape(token) for token in tokens])
    elif tokens:
        write(token_table(tokens))
    elif everything:
        note(f"No join token was made yet; `{PROGRAM} token create` makes one.")
    else:
        note(f"Nobody can enrol with a join token now; `{PROGRAM} token create` makes one.")


async def _read(settings: Settings, *, everything: bool) -> list[Token]:
    async with connect_operator(settings.state_dir) as operator:
        return await all_tokens(operator, everything=everything)


def _revoke(settings: Settings, token_ids: Sequence[int]) -> None:
    tokens = asyncio.run(_revoke_tokens(settings, token_ids))
    write("".join(f"{token.token_id}\n" for token in tokens))
    if used := sum(token.used for token in tokens):
        who = "1 host has" if used == 1 else f"{used} hosts have"
        which = "it" if len(tokens) == 1 else "them"
        note(f"{who} enrolled with {which} and stay; see `{PROGRAM} audit --text enroll_host`.")


async def _revoke_tokens(settings: Settings, token_ids: Sequence[int]) -> Sequence[Token]:
    async with connect_operator(settings.state_dir) as operator:
        return await operator.revoke_tokens(token_ids)

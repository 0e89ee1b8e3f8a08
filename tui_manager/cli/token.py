"""`tui-manager token create`."""

import argparse
import asyncio
import sys

from tui_manager.cli.joining import join_line, only_here
from tui_manager.cli.printing import note, timestamp, write, write_json
from tui_manager.cli.reading import connect
from tui_manager.cli.values import parse_pairs, read_duration
from tui_manager.domain.duration import format_duration
from tui_manager.domain.health import ManagerStatus
from tui_manager.domain.token import NewToken, TokenSpec
from tui_manager.settings import Settings


def run_token(settings: Settings, options: argparse.Namespace) -> int:
    """Makes a token, prints it, and returns the exit status."""
    spec = TokenSpec(
        ttl=read_duration("ttl", options.ttl),
        uses=options.uses,
        auto_approve=options.auto_approve,
        labels=parse_pairs("label", options.label),
    )
    spec.check()
    token, status = asyncio.run(_create(settings, spec))
    if options.json:
        write_json({"token": token.text, "expires_at": timestamp(token.expires_at)})
        return 0
    write(f"{token.text}\n")
    note(_explained(spec, token, status))
    return 0


async def _create(settings: Settings, spec: TokenSpec) -> tuple[NewToken, ManagerStatus]:
    async with connect(settings.state_dir) as operator:
        return await operator.create_token(spec), await operator.manager_status()


def _explained(spec: TokenSpec, token: NewToken, status: ManagerStatus) -> str:
    """What the token is good for. It stands here only where stdout shows it to the same person:
    stderr of a script may lie in a log for long."""
    hosts = "one host" if spec.uses == 1 else f"{spec.uses:,} hosts"
    shown = token.text if sys.stdout.isatty() and sys.stderr.isatty() else "TOKEN"
    text = (
        f"lasts {format_duration(spec.ttl)}, for {hosts}; paste there:\n{join_line(status, shown)}"
    )
    if only_here(status):
        text += (
            f"\nThis manager listens on {status.address}, which other machines cannot reach; "
            "--listen 0.0.0.0:7443 opens it to them."
        )
    return text

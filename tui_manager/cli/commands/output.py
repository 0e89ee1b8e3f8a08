"""`tui-manager output`: the bytes that a task printed, as they were stored, or its lines as `run`
prints them."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tui_manager.cli.commands.run_output import LiveLines, note_truncated_output
from tui_manager.cli.printing.text import note
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import all_command_hosts, output_after
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import OutputChunk
from tui_manager.settings import Settings


def run_output(settings: Settings, options: argparse.Namespace) -> int:
    """Writes the bytes to stdout, and returns the exit status."""
    return asyncio.run(_run(settings, options))


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    async with connect_operator(settings.state_dir) as operator:
        detail = await operator.get_task(options.task_id)
        if options.command is not None and options.command >= len(detail.commands):
            raise NotFoundError(
                f"Task {options.task_id} has no command {options.command}; "
                f"its commands are 0 to {len(detail.commands) - 1}."
            )
        rows = _chosen(await all_command_hosts(operator, options.task_id), options)
        lines = LiveLines(dict.fromkeys(Stream, sys.stdout)) if options.prefix else None
        # A host at a time, so that what hosts said never mixes.
        for host_id in dict.fromkeys(row.host_id for row in rows):
            executions = {row.execution_id for row in rows if row.host_id == host_id}
            async for chunk in output_after(operator, options.task_id, 0, host_id):
                if chunk.execution_id in executions and options.stream in (None, chunk.stream):
                    lines.take(chunk) if lines else _copy(chunk)
            if lines:
                lines.end_lines()
        sys.stdout.buffer.flush()
        note_truncated_output(rows)
    return 0


def _chosen(rows: Sequence[CommandHost], options: argparse.Namespace) -> list[CommandHost]:
    if options.host is not None and all(row.host != options.host for row in rows):
        raise NotFoundError(f"Task {options.task_id} has no host {options.host!r}.")
    return [
        row
        for row in rows
        if options.host in (None, row.host) and options.command in (None, row.command)
    ]


def _copy(chunk: OutputChunk) -> None:
    if chunk.gap:
        note(f"{chunk.host} {chunk.stream}: {chunk.gap} bytes at {chunk.offset} are gone")
    sys.stdout.buffer.write(chunk.data)

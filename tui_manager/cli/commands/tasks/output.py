"""`tui-manager output`: the bytes that a task printed, as they were stored, or its lines as `run`
prints them."""

import argparse
import asyncio
import sys

from tui_manager.cli.commands.tasks.run_output import LiveLines
from tui_manager.cli.printing.print_summary import note_past_limit
from tui_manager.cli.printing.write_text import note
from tui_manager.client.connection import connect_operator
from tui_manager.client.read_lists import output_by_host
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.output_by_host import TruncatedOutput, WantedOutput
from tui_manager.domain.status import Stream
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
        if options.host == "":
            raise NotFoundError(f"Task {options.task_id} has no host ''.")
        wanted = WantedOutput(options.task_id, options.host or "", options.command, options.stream)
        printer: _Lines | _Bytes = _Lines() if options.prefix else _Bytes()
        truncated: list[TruncatedOutput] = []
        async for part in output_by_host(operator, wanted):
            for chunk in part.chunks:
                printer.take(chunk)
            truncated += part.truncated
        printer.end()
        sys.stdout.buffer.flush()
        for one in sorted(truncated, key=lambda one: one.command):
            note_past_limit(one.host, one.bytes)
    return 0


class _Lines:
    """Prints lines as `run` does. What hosts said never mixes."""

    def __init__(self) -> None:
        self._lines = LiveLines(files=dict.fromkeys(Stream, sys.stdout))
        self._host = ""

    def take(self, chunk: OutputChunk) -> None:
        """Prints the lines that the chunk completes."""
        if chunk.host != self._host:
            self._lines.end_lines()
            self._host = chunk.host
        self._lines.take(chunk)

    def end(self) -> None:
        """Prints the lines that have no line end."""
        self._lines.end_lines()


class _Bytes:
    """Copies the bytes."""

    def take(self, chunk: OutputChunk) -> None:
        """Writes the bytes of the chunk."""
        _copy(chunk)

    def end(self) -> None:
        """There is nothing left to write."""


def _copy(chunk: OutputChunk) -> None:
    if chunk.gap:
        note(f"{chunk.host} {chunk.stream}: {chunk.gap} bytes at {chunk.offset} are gone")
    sys.stdout.buffer.write(chunk.data)

"""`tui-manager export`: a task as a document, on stdout or in a file."""

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import BinaryIO

from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.write_text import note
from tui_manager.client.connection import connect_operator
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.presentation.export_format import Format
from tui_manager.export.document import document
from tui_manager.export.write_atomically import write_atomically
from tui_manager.settings import Settings

_STDOUT = "-"


def run_export(settings: Settings, options: argparse.Namespace) -> int:
    """Writes the document, and returns the exit status."""
    return asyncio.run(_run(settings, options))


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    wanted = options.format or Format.of_file(options.output)
    if wanted is None:
        endings = ", ".join(one.ending for one in Format)
        raise InvalidInputError(
            "format", f"Give --format {'|'.join(Format)}, or an --output that ends in {endings}."
        )
    async with connect_operator(settings.state_dir) as operator:
        task = await operator.get_task(options.task_id)
        pieces = document(operator, options.task_id, wanted, datetime.now(UTC))
        if options.output == _STDOUT:
            await _copy(pieces, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            await _save(pieces, options.output)
    if not task.task.status.ended:
        note(f"task {options.task_id} has not ended: the document says how it stands now")
    return 0


async def _save(pieces: AsyncGenerator[str, None], name: str) -> None:
    path = file_path(name)
    try:
        with write_atomically(path) as file:
            await _copy(pieces, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


async def _copy(pieces: AsyncGenerator[str, None], file: BinaryIO) -> None:
    async with aclosing(pieces):
        async for piece in pieces:
            file.write(piece.encode(errors="replace"))

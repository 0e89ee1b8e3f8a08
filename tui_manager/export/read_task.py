"""Reads what a document says of a task: its command hosts page by page, and what they printed."""

import asyncio
import codecs
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import CommandHost, OutputChunk
from tui_manager.export.read_output import OutputReader
from tui_manager.operator.api import Operator

_AT_ONCE = 8  # calls that are under way together
_Made = TypeVar("_Made")
_Item = TypeVar("_Item")


class TextPart(NamedTuple):
    """A part of what a command printed to one stream.

    Attributes:
        left_out: bytes of the stream that are not in it.
    """

    text: str = ""
    left_out: int = 0


class PrintedText(NamedTuple):
    """A command host, and what it printed."""

    row: CommandHost
    stdout: TextPart
    stderr: TextPart


async def pages(
    operator: Operator, task_id: int, command: int | None = None, sort: str = "host"
) -> AsyncIterator[Sequence[CommandHost]]:
    """The command hosts of a task, or of one of its commands. One that moves while the pages are
    read counts once.

    Args:
        sort: "host": by command and name; empty: faults first.
    """
    seen: set[str] = set()
    offset = 0
    while True:
        window = Window(sort=sort, offset=offset, limit=LIMIT_MAX)
        page = await operator.list_command_hosts(task_id, window, command)
        fresh = [row for row in page.rows if row.execution_id not in seen]
        seen.update(row.execution_id for row in fresh)
        if fresh:
            yield fresh
        offset += len(page.rows)
        if not page.partial and (not page.rows or offset >= page.matching):
            return


async def with_heads(
    reader: OutputReader, rows: Iterable[CommandHost], limit: int
) -> AsyncIterator[PrintedText]:
    """The rows, each with the first `limit` bytes of each stream."""
    async for printed in _with_parts(reader, rows, limit, at_end=False):
        yield printed


async def with_tails(
    reader: OutputReader, rows: Iterable[CommandHost], limit: int
) -> AsyncIterator[PrintedText]:
    """The rows, each with the last `limit` bytes of each stream."""
    async for printed in _with_parts(reader, rows, limit, at_end=True):
        yield printed


async def _with_parts(
    reader: OutputReader, rows: Iterable[CommandHost], limit: int, *, at_end: bool
) -> AsyncIterator[PrintedText]:
    for some in batches(rows, _AT_ONCE):
        parts = await gather_all(
            _part(reader, row, stream, limit, at_end=at_end) for row in some for stream in Stream
        )
        for row, stdout, stderr in zip(some, parts[::2], parts[1::2], strict=True):
            yield PrintedText(row, stdout, stderr)


async def _part(
    reader: OutputReader, row: CommandHost, stream: Stream, limit: int, *, at_end: bool
) -> TextPart:
    """The first or the last `limit` bytes. A line that is cut at its beginning is left out."""
    size = row.stdout_bytes if stream is Stream.STDOUT else row.stderr_bytes
    start = max(0, size - limit) if at_end else 0
    end = size if at_end else min(size, limit)
    pieces, decoder, at = [], codecs.getincrementaldecoder("utf-8")("replace"), start
    for chunk in await reader.read_stream(row, stream, start, end) if start < end else ():
        pieces.append(_decoded(decoder, chunk, end - at))
        at = chunk.offset + (chunk.gap or len(chunk.data))
    if end == size:  # a character that our limit cuts is left out; one of the host is marked
        pieces.append(decoder.decode(b"", final=True))
    text = "".join(pieces)
    if start and "\n" in text:
        text = text[text.index("\n") + 1 :]
    return TextPart(text, size - (end - start))


def _decoded(decoder: codecs.IncrementalDecoder, chunk: OutputChunk, room: int) -> str:
    return gap_text(chunk.gap) if chunk.gap else decoder.decode(chunk.data[: max(0, room)])


def gap_text(size: int) -> str:
    """What stands for output that is gone."""
    return f"[{size} bytes are gone]"


def batches(items: Iterable[_Item], size: int) -> Iterable[Sequence[_Item]]:
    """The items, `size` at a time."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


async def gather_all(calls: Iterable[Coroutine[Any, Any, _Made]]) -> list[_Made]:
    """The results of calls that are under way at the same time. If one fails, the others end."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

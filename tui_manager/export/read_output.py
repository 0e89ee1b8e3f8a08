"""Reads what the command hosts of a task printed.

A call for each of many command hosts takes minutes. So the output of a task with many is read once,
in the order in which it was stored, into a temporary file. What is not in this file, because it is
too long, is read with calls.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing

from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import CommandHost, OutputChunk, TaskDetail
from tui_manager.operator.api import Operator

MANY = 100  # command hosts from which on the output is read once
KEPT = 64 << 10  # bytes of a stream that are in the file
READ_MAX = 256 << 20  # bytes that are read for it
_CHUNK_COST = 64  # bytes beside those of a chunk
_STEP = 1 << 20  # bytes of one call
_TABLE = (
    "CREATE TABLE kept (execution_id TEXT, stream TEXT, position INTEGER PRIMARY KEY, "
    "start INTEGER, data BLOB, gap INTEGER, host TEXT, command INTEGER)"
)
_INDEX = "CREATE INDEX kept_by_execution ON kept (execution_id, position)"
_INSERT = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT position, execution_id, host, command, stream, start, data, gap FROM kept "
    "WHERE execution_id = ? ORDER BY position"
)


@asynccontextmanager
async def output_reader(operator: Operator, detail: TaskDetail) -> AsyncIterator["OutputReader"]:
    """A reader of the output of a task. Its temporary file has no name, and is gone at the end."""
    with closing(sqlite3.connect("", isolation_level=None)) as file:
        reader = OutputReader(operator, detail.task.task_id, file)
        if detail.task.counts.total >= MANY:
            await reader.fill()
        yield reader


class OutputReader:
    """Reads output with calls, and from a file that `fill` has filled.

    Args:
        file: a temporary database.
    """

    def __init__(self, operator: Operator, task_id: int, file: sqlite3.Connection) -> None:
        self._operator = operator
        self._task_id = task_id
        self._file: sqlite3.Connection | None = None
        self._empty = file

    async def fill(self) -> None:
        """Reads the output of the task, up to a bound, into the file. Without room for the file
        there is none."""
        position, left = 0, READ_MAX
        try:
            self._empty.execute(_TABLE)
            while left > 0 and (
                chunks := await self._operator.follow_output(self._task_id, position, limit=_STEP)
            ):
                self._empty.execute("BEGIN")
                self._empty.executemany(_INSERT, map(_row, _heads(chunks)))
                self._empty.execute("COMMIT")
                position = chunks[-1].position
                left -= sum(_CHUNK_COST + len(chunk.data) for chunk in chunks)
            self._empty.execute(_INDEX)
        except sqlite3.Error:
            return
        self._file = self._empty

    async def read_stream(
        self, row: CommandHost, stream: Stream, start: int, end: int
    ) -> Sequence[OutputChunk]:
        """One stream of a command host from byte `start` up to byte `end` or behind it."""
        kept = [chunk for chunk in self._kept(row.execution_id) if chunk.stream is stream]
        if _end(kept, 0) >= end:
            return [part for chunk in kept if (part := chunk.part_from(start))]
        found: list[OutputChunk] = []
        at = start
        while at < end and (
            chunks := await self._operator.read_output(row.execution_id, stream, at, end - at)
        ):
            parts = [part for chunk in chunks if (part := chunk.part_from(at))]
            found += parts
            at = _end(parts, at)
        return found

    async def read_both(
        self, execution_id: str, total: int
    ) -> AsyncIterator[Sequence[OutputChunk]]:
        """Both streams of a command host in the order in which they were stored, until `total`
        bytes have been read."""
        kept = self._kept(execution_id)
        if sum(map(_size, kept)) >= total:
            yield kept
            return
        after, seen = 0, 0
        while seen < total and (
            chunks := await self._operator.follow_output(
                self._task_id, after, execution_id=execution_id, limit=min(_STEP, total - seen)
            )
        ):
            yield chunks
            after = chunks[-1].position
            seen += sum(map(_size, chunks))

    def _kept(self, execution_id: str) -> Sequence[OutputChunk]:
        if self._file is None:
            return ()
        found = self._file.execute(_SELECT, (execution_id,))
        return [
            OutputChunk(position, execution, host, command, Stream(stream), start, data, gap)
            for position, execution, host, command, stream, start, data, gap in found
        ]


def _heads(chunks: Iterable[OutputChunk]) -> Iterable[OutputChunk]:
    """Those at the beginning of their streams."""
    return (chunk for chunk in chunks if chunk.offset < KEPT)


def _row(chunk: OutputChunk) -> tuple[str | int | bytes, ...]:
    place = (chunk.execution_id, chunk.stream.value, chunk.position, chunk.offset)
    return (*place, chunk.data, chunk.gap, chunk.host, chunk.command)


def _size(chunk: OutputChunk) -> int:
    return chunk.gap or len(chunk.data)


def _end(chunks: Iterable[OutputChunk], at: int) -> int:
    """Up to where chunks follow each other without a hole from `at` on."""
    for chunk in chunks:
        if chunk.offset > at:
            break
        at = max(at, chunk.offset + _size(chunk))
    return at

"""Rows of `output_chunks`: output by (execution, stream, offset), and in the order of storing."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from tui_manager.domain.output import OutputChunk
from tui_manager.domain.report import Output
from tui_manager.domain.status import Stream
from tui_manager.storage.connection import Transaction
from tui_manager.storage.queries import load

_SQL = load("output.sql")
_NUMBER = {Stream.STDOUT: 1, Stream.STDERR: 2}
_STREAM = {number: stream for stream, number in _NUMBER.items()}


@dataclass(frozen=True, slots=True)
class Piece:
    """Output of one stream of a command host, at its place."""

    task_id: int
    row_id: int
    output: Output


def insert(tx: Transaction, pieces: Iterable[Piece]) -> None:
    """Stores pieces at their places."""
    values = [
        {
            "task_id": piece.task_id,
            "command_host_id": piece.row_id,
            "stream": _NUMBER[piece.output.stream],
            "offset": piece.output.offset,
            "gap": piece.output.gap,
            "data": piece.output.data,
        }
        for piece in pieces
    ]
    tx.executemany(_SQL["insert"], values)


def _take(rows: Iterable[sqlite3.Row], limit: int) -> list[OutputChunk]:
    """The first rows, until they hold `limit` bytes."""
    chunks: list[OutputChunk] = []
    size = 0
    for row in rows:
        chunks.append(
            OutputChunk(
                position=row["id"],
                execution_id=row["execution_id"],
                host=row["host_name"],
                command=row["position"],
                stream=_STREAM[row["stream"]],
                offset=row["offset"],
                data=row["data"],
                gap=row["gap"],
            )
        )
        size += len(row["data"])
        if size >= limit:
            break
    return chunks


def read(
    tx: Transaction, execution_id: str, stream: Stream, offset: int, limit: int
) -> list[OutputChunk]:
    """Output of one stream from `offset` on, at most about `limit` bytes."""
    values = {"execution_id": execution_id, "stream": _NUMBER[stream], "offset": offset}
    chunks = _take(tx.execute(_SQL["read"], values), limit)
    return [cut for chunk in chunks if (cut := chunk.behind(offset)) is not None]


def follow(
    tx: Transaction, task_id: int, after: int, host_id: str, limit: int
) -> list[OutputChunk]:
    """Output of a task behind position `after`; a negative one asks for the newest chunks."""
    values: dict[str, int | str] = {"task_id": task_id, "host_id": host_id}
    if after < 0:
        row = tx.execute(_SQL["newest"], {**values, "count": -after}).fetchone()
        after = row["id"] if row else 0
    return _take(tx.execute(_SQL["follow"], {**values, "after": after}), limit)

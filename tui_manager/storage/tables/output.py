"""The table `output_chunks`: output by (execution, stream, offset), and in the order of storing."""

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tui_manager.domain.report import Output
from tui_manager.domain.status import Stream
from tui_manager.domain.task import OutputChunk
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import load_queries, pack_rows

_SQL = load_queries("output.sql")
_NUMBER = {Stream.STDOUT: 1, Stream.STDERR: 2}
_STREAM = {number: stream for stream, number in _NUMBER.items()}
_STATEMENT_BYTES = 1 << 20  # of output that one statement stores
PIECES_MAX = 1000  # of one answer: many small pieces cost more than their bytes
_NEWEST_MAX = 1 << 40  # pieces from the end that can be asked for; there are never so many


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """Output of one stream of a command host, with its offset."""

    task_id: int
    row_id: int
    output: Output


def insert(tx: Transaction, pieces: Iterable[OutputPiece]) -> None:
    """Stores pieces."""
    rows: list[tuple[int, ...]] = []
    data, size = list[bytes](), 0
    for piece in pieces:
        output = piece.output
        if size + len(output.data) > _STATEMENT_BYTES and rows:
            _insert(tx, rows, data)
            rows, data, size = [], [], 0
        place = (piece.task_id, piece.row_id, _NUMBER[output.stream], output.offset, output.gap)
        rows.append((*place, size + 1, len(output.data)))
        data.append(output.data)
        size += len(output.data)
    _insert(tx, rows, data)


def _insert(tx: Transaction, rows: Sequence[tuple[int, ...]], data: Iterable[bytes]) -> None:
    tx.execute(_SQL["insert"], {"rows": pack_rows(rows), "data": b"".join(data)})


def _take(rows: Iterable[sqlite3.Row], limit: int) -> list[OutputChunk]:
    """The first rows, until they hold `limit` bytes."""
    chunks: list[OutputChunk] = []
    size = 0
    for row in itertools.islice(rows, PIECES_MAX):
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
    """Output of one stream from `offset` on: about `limit` bytes and `PIECES_MAX` at most."""
    number = _NUMBER[stream]
    values = {"execution_id": execution_id, "stream": number, "offset": offset}
    begin = tx.execute(_SQL["begin"], values).fetchone()
    if begin is None:
        return []
    chunks = _take(_StoredStream(begin["id"], number).rows(tx, begin["begins"]), limit)
    return [cut for chunk in chunks if (cut := chunk.part_from(offset)) is not None]


def follow(
    tx: Transaction, task_id: int, after: int, host_id: str, limit: int
) -> list[OutputChunk]:
    """Output of a task after position `after`, of all hosts or of one: about `limit` bytes and
    `PIECES_MAX` at most. A negative position asks for the newest pieces."""
    after = max(after, -_NEWEST_MAX)
    if host_id:
        of_host = {"task_id": task_id, "host_id": host_id}
        found = tx.execute(_SQL["command_hosts_of"], of_host).fetchall()
        streams = [_StoredStream(row["id"], number) for row in found for number in _STREAM]
        position = after if after >= 0 else _before_newest(tx, streams, -after)
        return _take(_merge_after(tx, streams, position), limit)
    if after < 0:
        row = tx.execute(_SQL["newest_of_task"], {"task_id": task_id, "count": -after}).fetchone()
        after = row["id"] if row else 0
    values = {"task_id": task_id, "after": after, "pieces": PIECES_MAX}
    return _take(tx.execute(_SQL["of_task"], values), limit)


@dataclass(frozen=True, slots=True)
class _StoredStream:
    """One stream of a command host. Its pieces are stored in the order of their offsets, so their
    positions are in the same order."""

    command_host_id: int
    number: int

    def _values(self, **more: int) -> dict[str, int]:
        return {"command_host_id": self.command_host_id, "stream": self.number, **more}

    def rows(self, tx: Transaction, offset: int) -> Iterator[sqlite3.Row]:
        """Pieces from an offset on, at most `PIECES_MAX`."""
        yield from tx.execute(_SQL["of_stream"], self._values(offset=offset, pieces=PIECES_MAX))

    def newest(self, tx: Transaction, count: int) -> list[int]:
        """Positions of the newest pieces."""
        rows = tx.execute(_SQL["newest_of_stream"], self._values(count=count))
        return [row["id"] for row in rows]

    def after(self, tx: Transaction, position: int) -> Iterator[sqlite3.Row]:
        """Pieces after a position. The offset of the first is found by binary search."""
        last = tx.execute(_SQL["last_of_stream"], self._values()).fetchone()
        if last is None or last["id"] <= position:
            return
        low, high = 0, last["offset"]
        while low < high:
            middle = (low + high) // 2
            at = tx.execute(_SQL["first_at"], self._values(offset=middle)).fetchone()
            if at["id"] > position:
                high = middle
            else:
                low = at["offset"] + 1
        yield from self.rows(tx, low)


def _before_newest(tx: Transaction, streams: list[_StoredStream], count: int) -> int:
    """The position before the newest pieces of some streams. Later streams have newer pieces."""
    newest: list[int] = []
    for stream in reversed(streams):
        newest += stream.newest(tx, count + 1)
        if stream.number == min(_STREAM) and len(newest) > count:
            break
    return sorted(newest, reverse=True)[count] if len(newest) > count else 0


def _merge_after(
    tx: Transaction, streams: list[_StoredStream], position: int
) -> Iterator[sqlite3.Row]:
    """Pieces of some streams after a position, in the order of storing."""
    return heapq.merge(
        *(stream.after(tx, position) for stream in streams), key=lambda row: row["id"]
    )

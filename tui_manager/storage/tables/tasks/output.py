"""The table `output_chunks`: output by (execution, stream, offset), and in the order of storing."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.storage.engine.statements import load_queries, pack_rows, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("output.sql")
STREAM_NUMBER = {Stream.STDOUT: 1, Stream.STDERR: 2}
STREAM = {number: stream for stream, number in STREAM_NUMBER.items()}
_STATEMENT_BYTES = 1 << 20  # of output that one statement stores
_PIECE_BYTES = 64 * 1024  # of one piece; our agents send no larger ones
PIECES_MAX = 500  # of one answer: many small pieces cost more than their bytes
_FIRST_BATCH = 8  # pieces that are asked for first
_BATCH_MAX = 512
_NEWEST_MAX = 1 << 40  # pieces from the end that can be asked for; there are never so many
_BEYOND = (1 << 63) - 1  # an offset behind all others


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """Output of one stream of a command host, with its offset, and when it is stored
    (microseconds since 1970 UTC)."""

    task_id: int
    row_id: int
    output: Output
    stored_at: int


@dataclass(frozen=True, slots=True)
class OutputOf:
    """Whose output is read: of a task, of one of its hosts, or of one command host."""

    task_id: int
    host_id: str = ""
    execution_id: str = ""


def insert(tx: Transaction, pieces: Iterable[OutputPiece]) -> None:
    """Stores pieces."""
    rows: list[tuple[int, ...]] = []
    data, size = list[bytes](), 0
    for piece in itertools.chain.from_iterable(map(_split, pieces)):
        output = piece.output
        if size + len(output.data) > _STATEMENT_BYTES and rows:
            _insert(tx, rows, data)
            rows, data, size = [], [], 0
        place = (
            piece.task_id,
            piece.row_id,
            STREAM_NUMBER[output.stream],
            output.offset,
            output.gap,
        )
        rows.append((*place, size + 1, len(output.data), piece.stored_at))
        data.append(output.data)
        size += len(output.data)
    _insert(tx, rows, data)


def _split(piece: OutputPiece) -> Iterable[OutputPiece]:
    """Splits a piece, so that nobody who reads a few pieces gets too many bytes."""
    output = piece.output
    if len(output.data) <= _PIECE_BYTES:
        return (piece,)
    parts = range(0, len(output.data), _PIECE_BYTES)
    return (
        replace(
            piece,
            output=replace(
                output, offset=output.offset + at, data=output.data[at : at + _PIECE_BYTES]
            ),
        )
        for at in parts
    )


def _insert(tx: Transaction, rows: Sequence[tuple[int, ...]], data: Iterable[bytes]) -> None:
    tx.execute(_SQL["insert"], {"rows": pack_rows(rows), "data": b"".join(data)})


def chunk_of(row: Row) -> OutputChunk:
    """The chunk of a row of a query for pieces."""
    position, _, stream, offset, gap, data, stored_at, execution_id, command, host = row
    return OutputChunk(
        position,
        execution_id,
        host,
        command,
        STREAM[stream],
        offset,
        data,
        gap,
        to_datetime(stored_at),
    )


def _take(rows: Iterable[Row], limit: int) -> list[OutputChunk]:
    """The first rows, until they hold `limit` bytes."""
    chunks: list[OutputChunk] = []
    size = 0
    for row in itertools.islice(rows, PIECES_MAX):
        chunks.append(chunk_of(row))
        size += len(chunks[-1].data)
        if size >= limit:
            break
    return chunks


def read(
    tx: Transaction, execution_id: str, stream: Stream, offset: int, limit: int
) -> list[OutputChunk]:
    """Output of one stream from `offset` on: about `limit` bytes and `PIECES_MAX` at most."""
    number = STREAM_NUMBER[stream]
    values = {"execution_id": execution_id, "stream": number, "offset": offset}
    begin = tx.execute(_SQL["begin"], values).fetchone()
    if begin is None:
        return []
    stored = StoredStream(begin["id"], execution_id, number)
    chunks = _take(stored.rows(tx, begin["begins"], PIECES_MAX), limit)
    return [cut for chunk in chunks if (cut := chunk.part_from(offset)) is not None]


def positions_taken(tx: Transaction) -> tuple[int, int]:
    """Two positions: the newest one that any transaction has taken, ended or not; and one that is
    before all positions of running transactions. They are the same if none runs. Several managers
    store output at the same time, and their transactions end in any order."""
    newest = int(tx.execute(_SQL["newest_position"]).fetchone()["newest"])  # first
    before = tx.execute(_SQL["oldest_unfinished"]).fetchone()["before"]
    return newest, newest if before is None else min(newest, before)


def follow(
    tx: Transaction,
    of: OutputOf,
    after: int,
    limit: int,
    before: int = 0,
    up_to: int = _BEYOND,
) -> list[OutputChunk]:
    """Output after position `after`, in the order of storing: about `limit` bytes and `PIECES_MAX`
    at most. A negative position asks for the newest pieces. With `before`, the newest pieces
    between the two positions.

    Args:
        up_to: the newest position that may be read now.
    """
    if before:
        found = _take(pieces_before(tx, of, before, PIECES_MAX), limit)
        return [chunk for chunk in reversed(found) if chunk.position > after]
    after = max(after, -_NEWEST_MAX)
    if after < 0:
        after = _before_newest(tx, of, -after)
    pieces = pieces_after(tx, of, after, PIECES_MAX)
    return _take(itertools.takewhile(lambda row: row["id"] <= up_to, pieces), limit)


def pieces_after(tx: Transaction, of: OutputOf, after: int, pieces: int) -> Iterator[Row]:
    """At most `pieces` rows after a position, in the order of storing."""
    if of.host_id or of.execution_id:
        streams = [one for one in _streams(tx, of) if one.newest_position > after]
        singles = [one for one in streams if not one.newest_offset]
        singles.sort(key=lambda one: one.newest_position)
        found = [one.after(tx, after, pieces) for one in streams if one.newest_offset]
        merged = heapq.merge(first_pieces(tx, singles), *found, key=lambda row: row["id"])
        yield from itertools.islice(merged, pieces)
    else:
        values = {"task_id": of.task_id, "after": after}
        yield from _in_batches(tx, "of_task", values, pieces, lambda row: {"after": row["id"]})


def pieces_before(tx: Transaction, of: OutputOf, before: int, pieces: int) -> Iterator[Row]:
    """At most `pieces` rows before a position, the newest first."""
    if of.host_id or of.execution_id:
        found = [stream.before(tx, before, pieces) for stream in _streams(tx, of)]
        merged = heapq.merge(*found, key=lambda row: row["id"], reverse=True)
        yield from itertools.islice(merged, pieces)
    else:
        query, values = "of_task_backwards", {"task_id": of.task_id, "before": before}
        yield from _in_batches(tx, query, values, pieces, lambda row: {"before": row["id"]})


def _in_batches(
    tx: Transaction,
    query: str,
    values: Mapping[str, object],
    pieces: int,
    behind: Callable[[Row], Mapping[str, int]],
) -> Iterator[Row]:
    """At most so many rows. PostgreSQL sends all rows that are asked for, and a reader that has
    enough bytes stops, so few are asked for first.

    Args:
        behind: the values with which the rows behind a row are found.
    """
    batch, place = _FIRST_BATCH, dict[str, int]()
    while pieces > 0:
        asked = min(batch, pieces)
        found = 0
        for row in tx.execute(_SQL[query], {**values, **place, "pieces": asked}):
            found += 1
            yield row
        if found < asked:
            return
        place.update(behind(row))
        pieces -= found
        batch *= 4


def first_pieces(tx: Transaction, streams: Sequence["StoredStream"]) -> Iterator[Row]:
    """The only pieces of streams that have one each, in the order of the streams: a few of them
    first, then more at once; see `_in_batches`."""
    batch, begin = _FIRST_BATCH, 0
    while begin < len(streams):
        wanted = pack_rows(
            (each.newest_position, each.command_host_id, each.execution_id, each.number)
            for each in streams[begin : begin + batch]
        )
        yield from tx.execute(_SQL["first_pieces"], {"streams": wanted})
        begin += batch
        batch = min(4 * batch, _BATCH_MAX)


def data_before(tx: Transaction, row: Row, pieces: int) -> Iterator[bytes]:
    """The bytes of the stream of a row before its offset, piece by piece, the newest first. They
    end at a gap."""
    values = {
        "command_host_id": row["command_host_id"],
        "execution_id": row["execution_id"],
        "stream": row["stream"],
        "offset": row["offset"],
    }
    before = _in_batches(tx, "data_before", values, pieces, lambda one: {"offset": one["offset"]})
    for found in before:
        if found["gap"]:
            return
        yield found["data"]


def _streams(tx: Transaction, of: OutputOf) -> list["StoredStream"]:
    """Those that have output, in the order of their commands."""
    values = {"task_id": of.task_id}
    if of.execution_id:
        found = tx.execute(
            _SQL["streams_of_execution"], {**values, "execution_id": of.execution_id}
        )
    else:
        found = tx.execute(_SQL["streams_of_host"], {**values, "host_id": of.host_id})
    return [StoredStream(*row) for row in found.fetchall()]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """One stream of a command host. Its pieces are stored in the order of their offsets, so their
    positions are in the same order.

    Attributes:
        newest_position, newest_offset: of its newest piece, if that was asked for.
    """

    command_host_id: int
    execution_id: str
    number: int
    newest_position: int = 0
    newest_offset: int = 0

    def _values(self, **more: int) -> dict[str, int | str]:
        return {
            "command_host_id": self.command_host_id,
            "execution_id": self.execution_id,
            "stream": self.number,
            **more,
        }

    def rows(self, tx: Transaction, offset: int, pieces: int) -> Iterator[Row]:
        """Pieces from an offset on."""
        values = self._values(offset=offset)
        yield from _in_batches(
            tx, "of_stream", values, pieces, lambda row: {"offset": row["offset"] + 1}
        )

    def newest(self, tx: Transaction, count: int) -> list[int]:
        """Positions of the newest pieces."""
        if not self.newest_offset:
            return [self.newest_position]  # it has no other
        rows = tx.execute(_SQL["newest_of_stream"], self._values(count=count))
        return [row["id"] for row in rows]

    def after(self, tx: Transaction, position: int, pieces: int) -> Iterator[Row]:
        """Pieces after a position."""
        first = self._first_after(tx, position)
        if first is not None:
            yield from self.rows(tx, first, pieces)

    def before(self, tx: Transaction, position: int, pieces: int) -> Iterator[Row]:
        """Pieces before a position, the newest first."""
        first = self._first_after(tx, position - 1)
        values = self._values(offset=_BEYOND if first is None else first)
        yield from _in_batches(
            tx, "of_stream_backwards", values, pieces, lambda row: {"offset": row["offset"]}
        )

    def _first_after(self, tx: Transaction, position: int) -> int | None:
        """The offset of the first piece after a position, found by binary search."""
        if self.newest_position <= position:
            return None
        low, high = 0, self.newest_offset
        while low < high:
            middle = (low + high) // 2
            at = tx.execute(_SQL["first_at"], self._values(offset=middle)).fetchone()
            if at["id"] > position:
                high = middle
            else:
                low = at["offset"] + 1
        return low


def _before_newest(tx: Transaction, of: OutputOf, count: int) -> int:
    """The position before the newest pieces. Later streams have newer pieces."""
    if not of.host_id and not of.execution_id:
        values = {"task_id": of.task_id, "count": count}
        row = tx.execute(_SQL["newest_of_task"], values).fetchone()
        return row["id"] if row else 0
    newest: list[int] = []
    for stream in reversed(_streams(tx, of)):
        newest += stream.newest(tx, count + 1)
        if stream.number == min(STREAM) and len(newest) > count:
            break
    return sorted(newest, reverse=True)[count] if len(newest) > count else 0

"""The output of a task, host by host. Most commands print little, so that each of their streams is
one piece; these pieces are read together, for many hosts at once."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.output_by_host import (
    OutputByHost,
    OutputPlace,
    TruncatedOutput,
    WantedOutput,
)
from tui_manager.domain.tasks.task import OutputChunk
from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks.output import (
    STREAM_NUMBER,
    StoredStream,
    chunk_of,
    first_pieces,
)

_SQL = load_queries("output_by_host.sql")
_PIECES_MAX = 1_000  # of one part
_ROWS = 2_000  # command hosts that are looked at for one part
_HOSTS_MAX = 500  # the same for hosts
_SHOWN = 80  # characters of an unknown host in an error


@dataclass(slots=True)
class _Host:
    """A host of the task and its streams that have output.

    Attributes:
        number: see OutputPlace.
        row_id: of the table `hosts`.
        single: streams of one piece, in the order of these pieces.
    """

    number: int
    row_id: int
    single: list[StoredStream] = field(default_factory=list)
    others: list[StoredStream] = field(default_factory=list)


def read(
    tx: Transaction, wanted: WantedOutput, place: OutputPlace, limit: int, up_to: int
) -> OutputByHost:
    """The output from a place on: about `limit` bytes and `_PIECES_MAX` pieces at
    most.

    Args:
        up_to: the newest position that may be read now.

    Raises:
        NotFoundError: the task has no such host, or not this command on it.
    """
    hosts, ended = _hosts(tx, wanted, place)
    if not hosts:
        if wanted.host and not place.host:
            shown = wanted.host[:_SHOWN]
            what = "host" if wanted.command is None else "such command on a host"
            raise NotFoundError(f"Task {wanted.task_id} has no {what} {shown!r}.")
        return OutputByHost((), None)
    _find_streams(tx, wanted, hosts, place)
    chunks: list[OutputChunk] = []
    size = 0
    singles = first_pieces(tx, [stream for host in hosts for stream in host.single])
    for count, host in enumerate(hosts):
        after = place.position if host.number == place.host else 0
        for row in _pieces(tx, host, singles, after):
            if row["id"] > up_to:
                continue
            chunks.append(chunk_of(row))
            size += len(chunks[-1].data)
            if size >= limit or len(chunks) >= _PIECES_MAX:
                here = OutputPlace(host.number, chunks[-1].position)
                return OutputByHost(chunks, here, _truncated(tx, wanted, hosts[:count]))
    behind = None if ended else OutputPlace(hosts[-1].number + 1)
    return OutputByHost(chunks, behind, _truncated(tx, wanted, hosts))


def _hosts(tx: Transaction, wanted: WantedOutput, place: OutputPlace) -> tuple[list[_Host], bool]:
    """The next hosts from a place on, and whether these are the last."""
    steps = 1
    if wanted.command is None:
        steps = tx.execute(_SQL["steps"], {"task_id": wanted.task_id}).fetchone()["steps"]
    count = max(1, min(_HOSTS_MAX, _ROWS // max(1, steps)))
    values = {
        "task_id": wanted.task_id,
        "position": wanted.command or 0,
        "first": place.host,
        "count": count,
    }
    if wanted.host:
        rows = tx.execute(_SQL["hosts_named"], {**values, "host": wanted.host})
    else:
        rows = tx.execute(_SQL["hosts"], values)
    hosts = [_Host(row["id"], row["host"]) for row in rows]
    return hosts, len(hosts) < count


def _find_streams(
    tx: Transaction, wanted: WantedOutput, hosts: Sequence[_Host], place: OutputPlace
) -> None:
    """Notes for each host its streams with output behind the place."""
    values = {
        "task_id": wanted.task_id,
        "command": wanted.command,
        "stream": wanted.stream and STREAM_NUMBER[wanted.stream],
        "hosts": pack_values(host.row_id for host in hosts),
    }
    for number, *stream in tx.execute(_SQL["streams"], values):
        host, found = hosts[number], StoredStream(*stream)
        if host.number == place.host and found.newest_position <= place.position:
            continue
        (host.others if found.newest_offset else host.single).append(found)
    for host in hosts:
        host.single.sort(key=lambda stream: stream.newest_position)


def _pieces(tx: Transaction, host: _Host, singles: Iterator[Row], after: int) -> Iterator[Row]:
    """The pieces of a host after a position, in the order in which they were stored.

    Args:
        singles: the pieces of its streams of one piece are the next of these.
    """
    own = itertools.islice(singles, len(host.single))
    if not host.others:
        return own
    others = [stream.after(tx, after, _PIECES_MAX) for stream in host.others]
    return heapq.merge(own, *others, key=lambda row: row["id"])


def _truncated(
    tx: Transaction, wanted: WantedOutput, hosts: Sequence[_Host]
) -> tuple[TruncatedOutput, ...]:
    if not hosts:
        return ()
    values = {
        "task_id": wanted.task_id,
        "command": wanted.command,
        "hosts": pack_values(host.row_id for host in hosts),
    }
    return tuple(TruncatedOutput(*row) for row in tx.execute(_SQL["truncated"], values))

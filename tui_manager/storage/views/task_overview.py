"""One task summed up for a screen: how each host stands, what failed in which way, and what command
hosts have printed last."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.last_line import TAIL_BYTES, LastLine, last_line
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.tasks.common_label import LEAST_HOSTS, common_label
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import (
    NAMES_IN_GROUP,
    SUMMED_FAILURES,
    SUMMED_RUNNING,
    WORST_FIRST,
    FailureGroup,
    TaskMap,
    TaskSummary,
    announced_percent,
)
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.storage.engine.statements import (
    fetch_ids,
    fetch_packed,
    load_queries,
    pack_values,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.step_files import copy_of, update_of
from tui_manager.storage.views.command_host_list import command_host_of

_SQL = load_queries("task_overview.sql")
_COMMAND_COUNTS = load_queries("tasks.sql")["command_counts"]
_PENDING, _COMPLETED = WORST_FIRST.index("p"), len(WORST_FIRST) - 1
_GROUPS_MAX = 50
_ALL_ROWS = 2**62
_PIECES_MAX = 32  # of one stream that are looked at: its last line may be in many small ones
_NO_TRANSFERS: Mapping[str, Transfer] = {}
_STREAMS = {Stream.STDOUT: 1, Stream.STDERR: 2}


def task_map(tx: Transaction, task_id: int, offline: Collection[int] = ()) -> TaskMap:
    """How each host of a task stands; `domain/tasks/task_map.py` has the rule too, and a test
    compares the two.

    Args:
        offline: row ids of the hosts that may be waited for.
    """
    of_task = {"task_id": task_id}
    hosts = fetch_packed(tx, _SQL["hosts_by_place"], of_task)
    hosts = hosts or fetch_packed(tx, _SQL["hosts_by_name"], of_task)
    letters, usual = _letters(tx, task_id)
    found = TaskMap(
        tuple(
            "".join(letters.get(host, usual) for _, host in of_batch)
            for _, of_batch in groupby(hosts, key=itemgetter(0))
        )
    )
    if not offline:
        return found
    values = {"task_id": task_id, "hosts": pack_values(offline)}
    away = tx.execute(_SQL["away"], values).fetchone()
    return replace(found, hosts_away=away["hosts"], away_until=to_datetime(away["until"]))


def _letters(tx: Transaction, task_id: int) -> tuple[dict[int, str], str]:
    """The letters of hosts, by their row ids, and the letter of all others. Commands that have
    completed, and commands that are pending on all hosts, are counted and not read."""
    rows = tx.execute(_COMMAND_COUNTS, {"task_id": task_id}).fetchall()
    commands = [(row["position"], row["pending"], row["total"]) for row in rows if row["total"]]
    mixed = [position for position, pending, total in commands if 0 < pending < total]
    steps, untouched = len(commands), sum(pending == total for _, pending, total in commands)

    def letter(worst: int, pending: int) -> str:
        if untouched:
            worst, pending = min(worst, _PENDING), pending + untouched
        return "r" if worst == _PENDING and pending < steps else WORST_FIRST[worst]

    values = {"task_id": task_id, "positions": pack_values(mixed)}
    found = fetch_packed(tx, _SQL["worst"], values)
    letters = {host: letter(worst, pending) for host, worst, pending in found}
    return letters, letter(_COMPLETED, 0)


def find_host(tx: Transaction, task_id: int, number: int) -> CommandHost:
    """The command host that decides a letter of the map. Raises NotFoundError."""
    values = {"task_id": task_id, "number": number}
    found = tx.execute(_SQL["host_by_place"], values).fetchone()
    found = found or tx.execute(_SQL["host_by_name"], values).fetchone()
    if found is None:
        raise NotFoundError(f"Task {task_id} has no host with the number {number}.")
    of_host = {"task_id": task_id, "host": found["host"]}
    return command_host_of(tx.execute(_SQL["worst_of_host"], of_host).fetchone())


def failures(tx: Transaction, task_id: int) -> tuple[FailureGroup, ...]:
    """The hosts on which commands failed, by the way in which."""
    rows = _failure_rows(tx, task_id, _ALL_ROWS)
    if all(row["hosts"] < LEAST_HOSTS for row in rows):
        return tuple(map(_failure_group, rows))
    of_task, by_way = _labels(tx, task_id)
    return tuple(
        replace(_failure_group(row), label=common_label(by_way[_way(row)], of_task)) for row in rows
    )


def _failure_rows(tx: Transaction, task_id: int, rows: int) -> list[Row]:
    values = {"task_id": task_id, "names": NAMES_IN_GROUP, "groups": _GROUPS_MAX, "rows": rows}
    return tx.execute(_SQL["failures"], values).fetchall()


_Way = tuple[str, str, int | None, int | None]
_Counts = list[tuple[dict[str, str], int]]


def _labels(tx: Transaction, task_id: int) -> tuple[_Counts, dict[_Way, _Counts]]:
    """The labels of all hosts of a task, and of those on which it failed in each way."""
    of_task, by_way = _Counts(), defaultdict[_Way, _Counts](list)
    for row in tx.execute(_SQL["labels"], {"task_id": task_id}):
        counts = by_way[_way(row)] if row["failed"] else of_task
        counts.append((json.loads(row["labels"]), row["hosts"]))
    return of_task, by_way


def _way(row: Row) -> _Way:
    return row["status"], row["reason"], row["exit_code"], row["signal"]


def summary(
    tx: Transaction, task_id: int, transfers: Mapping[str, Transfer] = _NO_TRANSFERS
) -> TaskSummary:
    """What the row of a task in a list says besides its counts, at a bounded cost.

    Args:
        transfers: how far its copies, fetches and updates are that run, by execution_id.
    """
    running = fetch_ids(tx, _SQL["running"], {"task_id": task_id, "limit": SUMMED_RUNNING})
    lines = (_last_line(tx, command_host) for command_host in running)
    percents = [line.percent if line else None for line in lines]
    percents += _transfer_percents(tx, task_id, transfers)
    failures = map(_failure_group, _failure_rows(tx, task_id, SUMMED_FAILURES))
    return TaskSummary(tuple(failures), announced_percent(percents))


def _transfer_percents(
    tx: Transaction, task_id: int, transfers: Mapping[str, Transfer]
) -> Iterator[int | None]:
    """Of the bytes of copies, fetches and updates. One whose files are not known counts as 0."""
    ids = [*transfers][:SUMMED_RUNNING]
    if not ids:
        return
    values = {"task_id": task_id, "execution_ids": pack_values(ids)}
    for row in tx.execute(_SQL["received"], values):
        done = transfers[row["execution_id"]]
        giver = copy_of(row["copy_step"]) or update_of(row["update_step"])
        files = giver.files if giver else done.stored
        yield min(100, done.bytes * 100 // files.bytes) if files and files.bytes else 0


def _failure_group(row: Row) -> FailureGroup:
    names = json.loads(row["names"])
    return FailureGroup(
        CommandHostStatus(row["status"]),
        Reason(row["reason"]),
        row["exit_code"],
        row["signal"],
        row["hosts"],
        fold_names(names),
        len(names),
    )


def last_lines(
    tx: Transaction, task_id: int, execution_ids: Collection[str]
) -> dict[str, LastLine]:
    """The last line of each of these command hosts of a task that has printed something."""
    values = {"task_id": task_id, "execution_ids": pack_values(execution_ids)}
    lines = {}
    for row in tx.execute(_SQL["command_hosts"], values).fetchall():
        line = _last_line(tx, row["id"])
        if line is not None:
            lines[row["execution_id"]] = line
    return lines


def _last_line(tx: Transaction, command_host_id: int) -> LastLine | None:
    tails = {stream: _tail(tx, command_host_id, number) for stream, number in _STREAMS.items()}
    newest = max(tails, key=lambda stream: tails[stream][0])
    return last_line(tails[Stream.STDOUT][1], tails[Stream.STDERR][1], newest)


def _tail(tx: Transaction, command_host_id: int, stream: int) -> tuple[int, bytes]:
    """The position of the newest piece of a stream, 0 without any, and the end of the stream."""
    values = {
        "command_host_id": command_host_id,
        "stream": stream,
        "tail": TAIL_BYTES,
        "pieces": _PIECES_MAX,
    }
    position, pieces, size = 0, list[bytes](), 0
    for row in tx.execute(_SQL["newest_pieces"], values):
        position = position or row["id"]
        pieces.append(row["data"])
        size += len(row["data"])
        if size >= TAIL_BYTES:
            break
    return position, b"".join(reversed(pieces))[-TAIL_BYTES:]

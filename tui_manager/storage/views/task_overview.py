"""One task summed up for a screen: how each host stands, what failed in which way, and what command
hosts have printed last."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest
from itertools import chain, groupby
from operator import itemgetter

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.last_line import TAIL_BYTES, LastLine, last_line
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.tasks.common_label import LEAST_HOSTS, TaskLabels, common_labels
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
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.step_files import copy_of, update_of
from tui_manager.storage.views.command_host_list import command_host_of

_SQL = load_queries("task_overview.sql")
_COMMAND_COUNTS = load_queries("tasks.sql")["command_counts"]
_PENDING, _COMPLETED = WORST_FIRST.index("p"), len(WORST_FIRST) - 1
_GROUPS_MAX = 50
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


LabelsOf = Callable[[int], Mapping[str, str] | None]
_Way = tuple[str, str, int | None, int | None]  # status, reason, exit code, signal


def failures(
    tx: Transaction, task_id: int, labels_of: LabelsOf = lambda _row_id: None
) -> tuple[FailureGroup, ...]:
    """The hosts on which commands failed, by the way in which.

    Args:
        labels_of: the labels of a host by its row id, as far as they are in memory.
    """
    ways = defaultdict[_Way, dict[int, int]](dict)
    rows = fetch_packed(tx, _SQL["failing"], {"task_id": task_id})
    for status, reason, code, signal, host, row_id in rows:
        hosts = ways[status, reason, code, signal]
        hosts[host] = min(row_id, hosts.get(host, row_id))
    most = sorted(ways, key=lambda way: (-len(ways[way]), *_order(way)))[:_GROUPS_MAX]
    named = {way: nsmallest(NAMES_IN_GROUP, ways[way], key=ways[way].__getitem__) for way in most}
    every = {"hosts": pack_values(chain.from_iterable(named.values()))}
    names = {row["id"]: row["name"] for row in tx.execute(_SQL["names_of_hosts"], every)}
    found = [
        _failure_group(*way, len(ways[way]), [names[host] for host in named[way]]) for way in most
    ]
    if all(group.hosts < LEAST_HOSTS for group in found):
        return tuple(found)
    labels = _labels(tx, {host for way in most for host in ways[way]}, labels_of)
    groups = [[(labels[host], 1) for host in ways[way]] for way in most]
    if not any(map(common_labels, groups)):
        return tuple(found)  # without a look at the other hosts of the task
    every_host = fetch_packed(tx, _SQL["hosts_by_name"], {"task_id": task_id})
    of_all = _labels(tx, (host for _, host in every_host), labels_of)
    of_task = TaskLabels([(one, 1) for one in of_all.values()])
    return tuple(
        replace(group, label=of_task.common_label(hosts))
        for hosts, group in zip(groups, found, strict=True)
    )


def _order(way: _Way) -> tuple[str, str, bool, int, bool, int]:
    """Sorts ways with the same number of hosts."""
    status, reason, code, signal = way
    return status, reason, code is not None, code or 0, signal is not None, signal or 0


def _labels(
    tx: Transaction, hosts: Iterable[int], labels_of: LabelsOf
) -> Mapping[int, Mapping[str, str]]:
    """The labels of these hosts by their row ids. What is not in memory, such as of hosts that were
    removed, is read."""
    known = {host: labels_of(host) for host in hosts}
    missing = {"hosts": pack_values(host for host, labels in known.items() if labels is None)}
    rows = tx.execute(_SQL["labels_of_hosts"], missing)
    read = {row["id"]: json.loads(row["labels"]) for row in rows}
    return {host: read[host] if labels is None else labels for host, labels in known.items()}


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
    values = {"names": NAMES_IN_GROUP, "groups": _GROUPS_MAX, "rows": SUMMED_FAILURES}
    failures = [
        _failure_group(status, reason, code, signal, hosts, json.loads(names))
        for status, reason, code, signal, hosts, names in tx.execute(
            _SQL["failures"], {"task_id": task_id, **values}
        )
    ]
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


def _failure_group(
    status: str, reason: str, code: int | None, signal: int | None, hosts: int, names: Sequence[str]
) -> FailureGroup:
    return FailureGroup(
        CommandHostStatus(status),
        Reason(reason),
        code,
        signal,
        hosts,
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

"""One task summed up for a screen: how each host stands, what failed in which way, and what command
hosts have printed last."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import NamedTuple, Protocol

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.output.last_line import TAIL_BYTES, LastLine, last_line
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import Transfer
from tui_manager.domain.tasks.common_label import TaskLabels, common_labels
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.tasks.task_map import (
    LETTERS,
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
    fetch_packed,
    fetch_packed_ids,
    load_queries,
    pack_values,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks.transfer_step_columns import copy_of, update_of
from tui_manager.storage.views.command_host_list import command_host_of

_SQL = load_queries("task_overview.sql")
_COMMAND_COUNTS = load_queries("tasks.sql")["command_counts"]
_GROUPS_MAX = 50
_PIECES_MAX = 32  # of one stream that are looked at: its last line may be in many small ones
_FIRST_HOSTS = 40  # of a group, whose labels are compared before those of all
NO_TRANSFERS: Mapping[int, Mapping[str, Transfer]] = {}
_STREAMS = {Stream.STDOUT: 1, Stream.STDERR: 2}


def task_map(tx: Transaction, task_id: int, offline: Collection[int] = ()) -> TaskMap:
    """How each host of a task stands; `domain/tasks/task_map.py` has the rule too, and a test
    compares the two.

    Args:
        offline: row ids of the hosts that may be waited for.
    """
    of_task = {"task_id": task_id}
    letters, usual = _letters(tx, task_id)
    by_place = fetch_packed(tx, _SQL["hosts_by_place"], of_task)
    batches = [[host for _, host in rows] for _, rows in groupby(by_place, key=itemgetter(0))]
    by_name = [] if batches else fetch_packed_ids(tx, _SQL["hosts_by_name"], of_task)
    batches = batches or ([by_name] if by_name else [])
    found = TaskMap(
        tuple("".join(map(letters.get, of_batch, repeat(usual))) for of_batch in batches)
    )
    if not offline:
        return found
    values = {"task_id": task_id, "hosts": pack_values(offline)}
    away = tx.execute(_SQL["away"], values).fetchone()
    return replace(found, hosts_away=away["hosts"], away_until=to_datetime(away["until"]))


def _letters(tx: Transaction, task_id: int) -> tuple[dict[int, str], str]:
    """The letters of hosts, by their row ids, and the letter of all others. The worst are read
    first, and hosts only of steps on which some have a status and others do not."""
    rows = tx.execute(_COMMAND_COUNTS, {"task_id": task_id}).fetchall()
    steps = [row for row in rows if row["total"]]
    hosts = max((row["total"] for row in steps), default=0)
    letters: dict[int, str] = {}
    for status, letter in LETTERS.items():
        everywhere = sum(row[status] == hosts for row in steps)
        some = [row["position"] for row in steps if 0 < row[status] < hosts]
        if status is CommandHostStatus.PENDING:
            rest = len(steps) - everywhere
            pending = Counter(_hosts_with(tx, task_id, status, some))
            letters = {host: "p" if n == rest else "r" for host, n in pending.items()} | letters
            if everywhere:
                return letters, "r" if rest else "p"
        elif everywhere:
            return letters, letter
        elif status is not CommandHostStatus.COMPLETED:
            letters = dict.fromkeys(_hosts_with(tx, task_id, status, some), letter) | letters
        if len(letters) == hosts:
            break
    return letters, LETTERS[CommandHostStatus.COMPLETED]


def _hosts_with(
    tx: Transaction, task_id: int, status: CommandHostStatus, positions: Sequence[int]
) -> list[int]:
    """The hosts whose commands at these positions have a status, each as often as it has some."""
    if not positions:
        return []
    attention = WORST_FIRST.index(LETTERS[status])
    values = {"task_id": task_id, "attention": attention, "positions": pack_values(positions)}
    return fetch_packed_ids(tx, _SQL["hosts_with"], values)


def find_host(tx: Transaction, task_id: int, number: int) -> CommandHost:
    """The command host that decides a letter of the map. Raises NotFoundError."""
    values = {"task_id": task_id, "number": number}
    found = tx.execute(_SQL["host_by_place"], values).fetchone()
    found = found or tx.execute(_SQL["host_by_name"], values).fetchone()
    if found is None:
        raise NotFoundError(f"Task {task_id} has no host with the number {number}.")
    of_host = {"task_id": task_id, "host": found["host"]}
    return command_host_of(tx.execute(_SQL["worst_of_host"], of_host).fetchone())


class KnownHost(Protocol):
    """What is asked of a host that is in memory."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...


class _StoredHost(NamedTuple):
    name: str
    labels: Mapping[str, str]


HostOf = Callable[[int], KnownHost | None]


def _nobody(_row_id: int) -> None:
    """No host is in memory."""


def _hosts(tx: Transaction, hosts: Iterable[int], host_of: HostOf) -> dict[int, KnownHost]:
    """These hosts by their row ids. What is not in memory, such as hosts that were removed, is
    read."""
    found = {host: host_of(host) for host in hosts}
    missing = [host for host, known in found.items() if known is None]
    read: dict[int, KnownHost] = {}
    if missing:
        rows = tx.execute(_SQL["hosts"], {"hosts": pack_values(missing)})
        read = {row["id"]: _StoredHost(row["name"], json.loads(row["labels"])) for row in rows}
    return {host: known or read[host] for host, known in found.items()}


def failures(tx: Transaction, task_id: int, host_of: HostOf = _nobody) -> tuple[FailureGroup, ...]:
    """The hosts on which commands failed, by the way in which.

    Args:
        host_of: a host by its row id, as far as hosts are in memory.
    """
    ways = {
        row["failure"]: [*dict.fromkeys(json.loads(row["hosts"]))]  # a host counts once
        for row in tx.execute(_SQL["failing"], {"task_id": task_id})
    }
    found = _groups(tx, ways, host_of)
    most = [ways[way] for way in found]
    shared = [_common_labels(tx, hosts, host_of) for hosts in most]
    if not any(shared):
        return tuple(found.values())  # without a look at the other hosts of the task
    every_host = fetch_packed_ids(tx, _SQL["hosts_by_name"], {"task_id": task_id})
    labels = [host.labels for host in _hosts(tx, every_host, host_of).values()]
    of_task = TaskLabels(labels)
    return tuple(
        replace(group, label=of_task.common_label(common, group.hosts))
        for common, group in zip(shared, found.values(), strict=True)
    )


def _common_labels(tx: Transaction, hosts: Sequence[int], host_of: HostOf) -> set[tuple[str, str]]:
    """The labels that all these hosts have. Of most groups the first few hosts say that there are
    none."""
    first = common_labels(
        host.labels for host in _hosts(tx, hosts[:_FIRST_HOSTS], host_of).values()
    )
    if not first or len(hosts) <= _FIRST_HOSTS:
        return first
    return common_labels(host.labels for host in _hosts(tx, hosts, host_of).values())


def _groups(
    tx: Transaction, ways: Mapping[str, Sequence[int]], host_of: HostOf
) -> dict[str, FailureGroup]:
    """The ways in which commands failed, each with its hosts; the largest group first."""
    parsed = {way: _parse_way(way) for way in ways}
    most = sorted(ways, key=lambda way: (-len(ways[way]), *_order(parsed[way])))[:_GROUPS_MAX]
    named = {way: ways[way][:NAMES_IN_GROUP] for way in most}
    known = _hosts(tx, chain.from_iterable(named.values()), host_of)
    return {
        way: _failure_group(parsed[way], len(ways[way]), [known[host].name for host in named[way]])
        for way in most
    }


class _Way(NamedTuple):
    """In which way a command failed."""

    status: str
    reason: str
    exit_code: int | None
    signal: int | None


def _parse_way(text: str) -> _Way:
    """That of the column `failure`."""
    status, reason, code, signal = text.split(" ")
    return _Way(status, reason, int(code) if code else None, int(signal) if signal else None)


def _order(way: _Way) -> tuple[str, str, bool, int, bool, int]:
    """Sorts ways with the same number of hosts."""
    status, reason, code, signal = way
    return status, reason, code is not None, code or 0, signal is not None, signal or 0


# Tasks of one list fail on the same hosts, and are summed up again at each change.
_fold = lru_cache(maxsize=1_024)(fold_names)


def _failure_group(way: _Way, hosts: int, names: Sequence[str]) -> FailureGroup:
    return FailureGroup(
        CommandHostStatus(way.status),
        Reason(way.reason),
        way.exit_code,
        way.signal,
        hosts,
        _fold(tuple(names)),
        len(names),
    )


def summaries(
    tx: Transaction,
    task_ids: Iterable[int],
    transfers: Mapping[int, Mapping[str, Transfer]] = NO_TRANSFERS,
    host_of: HostOf = _nobody,
) -> dict[int, TaskSummary]:
    """What the rows of tasks in a list say besides their counts, at a bounded cost.

    Args:
        transfers: how far their copies, fetches and updates are that run, by execution_id.
        host_of: a host by its row id, as far as hosts are in memory.
    """
    tasks = pack_values(task_ids)
    ways: dict[int, dict[str, Sequence[int]]] = {task: {} for task in task_ids}
    values = {"tasks": tasks, "ways": _GROUPS_MAX, "rows": SUMMED_FAILURES}
    for row in tx.execute(_SQL["first_failing"], values):
        ways[row["task_id"]][row["failure"]] = [*dict.fromkeys(json.loads(row["hosts"]))]
    running = tx.execute(_SQL["running"], {"tasks": tasks, "limit": SUMMED_RUNNING}).fetchall()
    percents = {row["task_id"]: _percents(tx, json.loads(row["running"])) for row in running}
    return {
        task: TaskSummary(
            tuple(_groups(tx, failing, host_of).values()),
            announced_percent(
                [*percents[task], *_transfer_percents(tx, task, transfers.get(task, {}))]
            ),
        )
        for task, failing in ways.items()
    }


def _percents(tx: Transaction, running: Iterable[int]) -> list[int | None]:
    """What these command hosts announce."""
    lines = (_last_line(tx, command_host) for command_host in running)
    return [line.percent if line else None for line in lines]


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

"""One task summed up: how SQL finds it, against the rules of the domain."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import NamedTuple

import pytest

from tests.support.databases.engines import open_transaction
from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSet, Transfer
from tui_manager.domain.tasks.common_label import CommonLabel
from tui_manager.domain.tasks.task_map import (
    NAMES_IN_GROUP,
    SUMMED_FAILURES,
    SUMMED_RUNNING,
    TaskSummary,
    host_letter,
)
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import output
from tui_manager.storage.tables.tasks.transfer_step_columns import copy_text
from tui_manager.storage.views import task_overview

PENDING, RUNNING, COMPLETED, FAILED, CANCELED = (
    CommandHostStatus.PENDING, CommandHostStatus.RUNNING, CommandHostStatus.COMPLETED,
    CommandHostStatus.FAILED, CommandHostStatus.CANCELED,
)  # fmt: skip
GROUPS_MAX = 50
End = tuple[CommandHostStatus, str, int | None]


class KnownHost(NamedTuple):
    """A host in memory."""

    name: str
    labels: dict[str, str]


@pytest.fixture
def tx() -> Iterator[Transaction]:
    with open_transaction() as made:
        yield made


def store(tx: Transaction, hosts: list[list[End]]) -> None:
    """Task 1, and how each of its commands stands on each host; another task beside it."""
    for task in (1, 2):
        tx.execute(
            "INSERT INTO tasks (id, name, description, target, created_by, created_at)"
            f" VALUES ({task}, '', '', '', '', 0)"
        )
    for position in range(len(hosts[0])):
        tx.execute(
            "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters,"
            " environment, cwd) VALUES (?, 1, ?, '', 0, '', '', '')",
            (position + 1, position),
        )
    for number in range(len(hosts)):
        tx.execute(
            "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
            " VALUES (?, ?, ?, 'admitted', 0, 0)",
            (number + 1, f"id-{number}", f"h{number:03}"),
        )
    for position, number in product(range(len(hosts[0])), range(len(hosts))):
        status, reason, code = hosts[number][position]
        tx.execute(
            "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status,"
            " reason, exit_code) VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
            (f"{number}/{position}", position + 1, position, number + 1, status, reason, code),
        )


def test_the_map_has_the_rule_of_the_domain(tx: Transaction) -> None:
    pairs = list(product(CommandHostStatus, CommandHostStatus))
    store(tx, [[(status, "", None) for status in pair] for pair in pairs])
    assert task_overview.task_map(tx, 1).batches == ("".join(map(host_letter, pairs)),)
    assert task_overview.task_map(tx, 2).batches == ()
    for number, pair in enumerate(pairs):
        row = task_overview.find_host(tx, 1, number)
        assert row.host == f"h{number:03}"
        assert host_letter(pair) in (host_letter([row.status]), "r")
    for number in (-1, len(pairs)):
        with pytest.raises(NotFoundError):
            task_overview.find_host(tx, 1, number)


@pytest.mark.parametrize("seed", range(8))
def test_steps_that_stand_the_same_on_all_hosts_count_too(tx: Transaction, seed: int) -> None:
    chance = random.Random(seed)
    everywhere = [
        chance.choice(
            (PENDING, COMPLETED, CANCELED, None, None, *[*CommandHostStatus][: seed // 2])
        )
        for _ in range(4)
    ]
    statuses = chance.sample([*CommandHostStatus], k=3)
    hosts = [[all_ or chance.choice(statuses) for all_ in everywhere] for _ in range(12)]
    store(tx, [[(status, "", None) for status in statuses] for statuses in hosts])
    assert task_overview.task_map(tx, 1).batches == ("".join(map(host_letter, hosts)),)


def test_the_map_of_a_rollout_is_in_its_order(tx: Transaction) -> None:
    store(tx, [[(COMPLETED, "", None)], [(PENDING, "", None)], [(FAILED, "exit_code", 1)]])
    tx.execute(
        "INSERT INTO rollouts (task_id, batches, batch_order, delay, max_concurrency, max_failures,"
        " strict, hold, hold_timeout) VALUES (1, '', 'name', 0, '', '', false, '', 0)"
    )
    for host, place, batch in ((3, 0, 1), (1, 1, 1), (2, 2, 2)):
        tx.execute(
            "INSERT INTO rollout_hosts (task_id, host, place, batch, unended, incomplete)"
            " VALUES (1, ?, ?, ?, 0, 0)",
            (host, place, batch),
        )
    assert task_overview.task_map(tx, 1).batches == ("fc", "p")
    assert [task_overview.find_host(tx, 1, n).host for n in range(3)] == ["h002", "h000", "h001"]


def test_failures_are_counted_by_their_cause(tx: Transaction) -> None:
    exit_4 = (FAILED, "exit_code", 4)
    store(
        tx,
        [
            *[[exit_4, (CommandHostStatus.SKIPPED, "earlier_failed", None)]] * 60,
            [exit_4, exit_4],  # a host counts once
            [(FAILED, "exit_code", 3), (COMPLETED, "", None)],
            [(FAILED, "undeliverable", None), (CommandHostStatus.SKIPPED, "earlier_failed", None)],
            [(COMPLETED, "", None), (COMPLETED, "", None)],
            [(CANCELED, "cancel_unconfirmed", None), (CANCELED, "canceled", None)],
        ],
    )
    most, *others = task_overview.failures(tx, 1)
    assert (most.status, most.reason, most.exit_code, most.hosts) == (*exit_4, 61)
    assert (most.names, most.named) == (f"h[000-{NAMES_IN_GROUP - 1:03}]", NAMES_IN_GROUP)
    assert {(group.reason, group.exit_code, group.names) for group in others} == {
        (Reason.EXIT_CODE, 3, "h061"),
        (Reason.UNDELIVERABLE, None, "h062"),
        (Reason.CANCEL_UNCONFIRMED, None, "h064"),
    }
    assert task_overview.failures(tx, 2) == ()


def test_the_label_of_hosts_that_failed_in_one_way_is_found(tx: Transaction) -> None:
    exit_4: End = (FAILED, "exit_code", 4)
    lost: End = (FAILED, "agent_lost", None)
    done: End = (COMPLETED, "", None)
    eu = [[exit_4, exit_4], [done, exit_4], [exit_4, exit_4]]  # a host counts once
    store(tx, [*eu, *[[done, done]] * 5, [lost, done], [done, lost]])
    for zone, which in (("eu", "id <= 3"), ("us", "id > 3")):
        labels = json.dumps({"role": "web", "zone": zone})
        tx.execute(f"UPDATE hosts SET labels = ? WHERE {which}", (labels,))
    first, second = task_overview.failures(tx, 1)
    assert (first.hosts, first.label) == (3, CommonLabel("zone=eu", 0, 7))
    assert (second.hosts, second.label) == (2, None)  # as all others, but the first three


def test_the_last_line_is_put_together_from_small_pieces(tx: Transaction) -> None:
    store(tx, [[(CommandHostStatus.RUNNING, "", None)]] * 3)
    row = tx.execute("SELECT id FROM command_hosts WHERE execution_id = '0/0'").fetchone()["id"]
    at = dict.fromkeys(Stream, 0)

    def printed(data: bytes, stream: Stream = Stream.STDOUT) -> None:
        piece = Output("0/0", stream, at[stream], data)
        output.insert(tx, [output.OutputPiece(1, row, piece, 0)])
        at[stream] += len(data)

    def last() -> tuple[str, bool, int | None]:
        lines = task_overview.last_lines(tx, 1, ["0/0", "1/0", "unknown"])
        assert list(lines) == ["0/0"]
        return lines["0/0"]

    printed(b"x" * 100_000 + b"\n")
    for data in (b"\r 4", b"1%", b" of it"):
        printed(data)
    assert last() == ("41% of it", False, 41)
    printed(b"warning\n", Stream.STDERR)
    assert last() == ("warning", True, None)
    assert task_overview.last_lines(tx, 2, ["0/0"]) == {}


def test_hosts_are_named_in_the_order_of_the_commands_that_failed(tx: Transaction) -> None:
    exit_4: End = (FAILED, "exit_code", 4)
    done: End = (COMPLETED, "", None)
    others = [[done, exit_4]] * NAMES_IN_GROUP
    store(tx, [[done, exit_4], *others, [exit_4, done]])
    (group,) = task_overview.failures(tx, 1)
    assert (group.hosts, group.named) == (NAMES_IN_GROUP + 2, NAMES_IN_GROUP)
    last = NAMES_IN_GROUP + 1
    assert group.names == f"h[000-{NAMES_IN_GROUP - 2:03},{last:03}]"


def test_a_late_result_replaces_the_way_in_which_a_command_failed(tx: Transaction) -> None:
    store(tx, [[(FAILED, "agent_lost", None)]] * 2)

    def ways() -> list[tuple[str, int | None, int | None, int]]:
        found = task_overview.failures(tx, 1)
        assert task_overview.summaries(tx, [1])[1].failures == found
        return [(group.reason, group.exit_code, group.signal, group.hosts) for group in found]

    assert ways() == [(Reason.AGENT_LOST, None, None, 2)]
    tx.execute("UPDATE command_hosts SET reason = 'signal', signal = 9 WHERE host = 1")
    assert ways() == [(Reason.AGENT_LOST, None, None, 1), (Reason.SIGNAL, None, 9, 1)]
    tx.execute("UPDATE command_hosts SET status = 'completed', reason = '', exit_code = 0")
    assert ways() == []


def test_names_and_labels_in_memory_are_not_read(tx: Transaction) -> None:
    exit_4: End = (FAILED, "exit_code", 4)
    store(tx, [*[[exit_4]] * 3, [(COMPLETED, "", None)]])
    tx.execute("UPDATE hosts SET labels = ? WHERE id = 3", (json.dumps({"zone": "eu"}),))
    known = {1: KnownHost("web1", {"zone": "eu"}), 2: KnownHost("web2", {"zone": "eu"})}
    (group,) = task_overview.failures(tx, 1, known.get)
    assert (group.names, group.label) == ("h002,web[1-2]", CommonLabel("zone=eu", 0, 1))
    (group,) = task_overview.summaries(tx, [1], {}, known.get)[1].failures
    assert group.names == "h002,web[1-2]"


def test_the_summaries_of_tasks_are_read_at_a_bounded_cost(tx: Transaction) -> None:
    lost: End = (FAILED, "agent_lost", None)
    exit_4: End = (FAILED, "exit_code", 4)
    store(tx, [[lost], *[[exit_4]] * (SUMMED_FAILURES + 9), [(FAILED, "exit_code", 3)]])
    found = task_overview.summaries(tx, [2, 1, 3])
    assert [(group.exit_code, group.hosts) for group in found[1].failures] == [
        (4, SUMMED_FAILURES),
        (None, 1),
        (3, 1),
    ]
    assert found[2] == found[3] == TaskSummary()
    for host in range(100):
        tx.execute("UPDATE command_hosts SET exit_code = ? WHERE host = ?", (host, host + 1))
    assert len(task_overview.summaries(tx, [1])[1].failures) == GROUPS_MAX


def test_the_summary_says_how_far_the_running_commands_are(tx: Transaction) -> None:
    store(tx, [[(RUNNING, "", None)]] * (SUMMED_RUNNING + 9))

    def percent(*texts: bytes) -> int | None:
        tx.execute("DELETE FROM output_chunks")
        tx.execute("UPDATE command_hosts SET stdout_bytes = 0")
        for number, text in enumerate(texts, 1):
            piece = Output(f"{number - 1}/0", Stream.STDOUT, 0, text)
            output.insert(tx, [output.OutputPiece(1, number, piece, 0)])
            tx.execute("UPDATE command_hosts SET stdout_bytes = 1 WHERE id = ?", (number,))
        return task_overview.summaries(tx, [1])[1].percent

    assert percent(b"no news") is None
    assert percent(b"50%", b"\x1b]9;4;1;30\x07working") == 40
    assert percent(b"50%", b"starting") == 25  # one that announces nothing has done nothing
    assert percent(*[b"10%"] * SUMMED_RUNNING, b"99%", b"99%") == 10


def test_the_summary_says_how_far_copies_and_fetches_are(tx: Transaction) -> None:
    store(tx, [[(RUNNING, "", None)], [(RUNNING, "", None)], [(COMPLETED, "", None)]])
    found = FileSet("a" * 64, 90, 150, 3, 200)

    def percent(**done: Transfer) -> int | None:
        transfers = {f"{host.removeprefix('h')}/0": one for host, one in done.items()}
        return task_overview.summaries(tx, [1], {1: transfers})[1].percent

    assert percent() is None
    assert percent(h0=Transfer(100, 1, stored=found)) == 50  # of a fetch
    assert percent(h0=Transfer(100, 1, stored=found), h1=Transfer(0, 0)) == 25  # it looks for files
    assert percent(h2=Transfer(200, 3, stored=found)) is None  # its result came meanwhile
    copy = CopySpec(found, "/etc/", sources=("a",))
    tx.execute("UPDATE commands SET copy_step = ?", (copy_text(copy),))
    assert percent(h0=Transfer(60, 1), h1=Transfer(20, 0)) == 20


def test_the_map_counts_the_offline_hosts_that_are_waited_for(tx: Transaction) -> None:
    store(tx, [[(PENDING, "", None)], [(PENDING, "", None)], [(RUNNING, "", None)]])
    tx.execute("UPDATE command_hosts SET deliver_before = id * 1000000")
    found = task_overview.task_map(tx, 1, offline=(2, 3))
    assert (found.hosts_away, found.away_until) == (1, datetime.fromtimestamp(2, UTC))
    assert task_overview.task_map(tx, 1).hosts_away == 0
    assert task_overview.task_map(tx, 2, offline=(2, 3)).away_until is None

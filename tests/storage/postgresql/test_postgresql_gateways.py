"""Several managers on one database: their numbers, their lease, and the fence of sessions."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from tests.support.databases.postgresql import postgresql_database
from tests.support.managers.manager_parts import greeting, stored_hosts
from tests.support.waiting import wait_until
from tui_manager.domain.status import Admission
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.transaction import Transaction, leads
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.manager import gateways
from tui_manager.storage.tables.manager.gateways import LeaderRow
from tui_manager.storage.views.delivery import choose_commands
from tui_manager.storage.views.delivery.choose_commands import Recipient, RunSettings

_GREETING = greeting("web1", host_id="h1")
_SETTINGS = RunSettings(1, timedelta(seconds=10), 1000)


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql_database() as made:
        yield made


@pytest.fixture
async def two(url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two managers; the first leads."""
    async with open_database(url, key="a") as first, open_database(url, key="b") as second:
        yield first, second


def _add_host(tx: Transaction) -> None:
    hosts.insert(tx, "h1", "web1", Admission.ADMITTED, 0)


def _add_pending(name: str, tx: Transaction) -> None:
    hosts.insert(tx, name, name, Admission.PENDING, 0)


def _add_command(tx: Transaction) -> int:
    """A command for that host that may be sent; returns its row id."""
    tx.execute(
        "INSERT INTO tasks (id, name, description, target, created_by, created_at, status)"
        " VALUES (1, '', '', '@all', '', 0, 'running')"
    )
    tx.execute(
        "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters, environment,"
        " cwd) VALUES (1, 1, 0, 'true', 1, '{}', '{}', '')"
    )
    row = tx.execute(
        "INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status,"
        " ready) VALUES ('e1', 1, 1, 0, 1, 'pending', true) RETURNING id"
    ).fetchone()
    return int(row["id"])


async def _connect(database: Database, instance: str = "i1") -> HostRow:
    said = replace(_GREETING, instance_id=instance)
    return await database.write(
        lambda tx: hosts.open_session(tx, "h1", said, 5, {}, database.gateway)
    )


async def _is_fenced(database: Database, session: HostRow) -> bool:
    found = [(session.row_id, session.generation)]
    newest = await database.write(lambda tx: hosts.fence(tx, database.gateway, found))
    return session.row_id not in newest


async def test_a_manager_keeps_its_number(url: str) -> None:
    shown = "SELECT current_setting('tui_manager.gateway') AS gateway"
    numbers = []
    for key in ("a", "b", "a", "b", "a", "c"):
        async with open_database(url, key=key) as database:
            numbers.append(database.gateway)
            row = await database.write(lambda tx: tx.execute(shown).fetchone())
            assert int(row["gateway"]) == database.gateway
    assert numbers == [1, 2, 1, 2, 1, 3]


async def test_managers_that_start_together_have_different_numbers(url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(open_database(url, key="first"))
        opening = [stack.enter_async_context(open_database(url, key=key)) for key in "abcde"]
        numbers = [database.gateway for database in await asyncio.gather(*opening)]
    assert sorted(numbers) == [2, 3, 4, 5, 6]


async def test_the_first_manager_leads_and_the_next_does_not(
    two: tuple[Database, Database],
) -> None:
    first, second = two
    assert (first.gateway, second.gateway, second.epoch) == (1, 2, None)
    assert await first.write(leads)
    assert not await second.write(leads)
    seen = await second.read(gateways.leader)
    assert (seen.gateway, seen.epoch) == (1, first.epoch)


async def test_a_leader_that_was_replaced_does_not_lead_any_more(
    two: tuple[Database, Database],
) -> None:
    first, second = two
    seen = await second.read(gateways.leader)
    taken = await second.write(lambda tx: gateways.take_over(tx, 2, seen))
    assert taken == LeaderRow(2, seen.epoch + 1, 0)
    second.lead(taken.epoch)
    assert not await first.write(leads)
    assert not await first.write(lambda tx: gateways.renew(tx, 1))
    assert await second.write(lambda tx: gateways.renew(tx, 2))
    assert await second.read(gateways.leader) == LeaderRow(2, taken.epoch, 1)


async def test_of_two_that_take_over_one_leads(two: tuple[Database, Database]) -> None:
    first, second = two
    seen = await second.read(gateways.leader)
    taken = await asyncio.gather(
        first.write(lambda tx: gateways.take_over(tx, 1, seen)),
        second.write(lambda tx: gateways.take_over(tx, 2, seen)),
    )
    assert sum(row is not None for row in taken) == 1
    renewed = await first.read(gateways.leader)
    assert renewed in taken


async def test_nobody_takes_over_while_the_leader_is_in_a_transaction(
    two: tuple[Database, Database],
) -> None:
    first, second = two
    seen = await second.read(gateways.leader)
    begun, go_on = threading.Event(), threading.Event()

    def plan(tx: Transaction) -> bool:
        leading = leads(tx)
        begun.set()
        go_on.wait(30)
        return leading and leads(tx)

    planning = asyncio.ensure_future(first.write(plan))
    await asyncio.to_thread(begun.wait)
    assert await second.write(lambda tx: gateways.take_over(tx, 2, seen)) is None  # at once
    go_on.set()
    assert await planning
    taken = await second.write(lambda tx: gateways.take_over(tx, 2, seen))
    assert taken is not None
    assert taken.gateway == 2


async def _waiting_for_locks(database: Database) -> int:
    query = (
        "SELECT count(*) AS number FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    row = await database.read(lambda tx: tx.execute(query).fetchone())
    return int(row["number"])


async def test_a_session_elsewhere_fences_the_one_before(two: tuple[Database, Database]) -> None:
    first, second = two
    await first.write(_add_host)
    old = await _connect(first)
    assert (old.gateway, old.online, old.instance_id) == (1, True, "i1")
    assert not await _is_fenced(first, old)
    new = await _connect(second, "i2")
    assert (new.gateway, new.generation, new.instance_id) == (2, old.generation + 1, "i2")
    assert await _is_fenced(first, old)
    assert not await _is_fenced(second, new)
    assert await _is_fenced(first, new)  # it is not its own
    back = await _connect(first)
    assert await _is_fenced(second, new)
    assert not await _is_fenced(first, back)


async def test_a_new_session_waits_for_what_the_old_one_writes(
    two: tuple[Database, Database],
) -> None:
    first, second = two
    await first.write(_add_host)
    old = await _connect(first)
    row_id = await first.write(_add_command)
    begun, go_on = threading.Event(), threading.Event()

    def claim(tx: Transaction) -> int:
        newest = hosts.fence(tx, 1, [(old.row_id, old.generation)])
        begun.set()
        go_on.wait(30)
        asked = [Recipient(host, 8, 8, "journal") for host in newest]
        return len(choose_commands.choose_and_mark_sent(tx, asked, _SETTINGS))

    claimed = asyncio.ensure_future(first.write(claim))
    await asyncio.to_thread(begun.wait)
    sent = "SELECT sent_at FROM command_hosts WHERE id = :id"

    def open_and_look(tx: Transaction) -> object:
        hosts.open_session(tx, "h1", _GREETING, 6, {}, 2)
        return tx.execute(sent, {"id": row_id}).fetchone()["sent_at"]

    opening = asyncio.ensure_future(second.write(open_and_look))
    await wait_until(lambda: _waiting_for_locks(first), bool)
    go_on.set()
    assert await claimed == 1
    assert await opening == _SETTINGS.now


async def test_a_claim_leaves_out_what_another_manager_changes(url: str) -> None:
    async with open_database(url, key="a") as database:
        await database.write(_add_host)
        row_id = await database.write(_add_command)
        asked = [Recipient(1, 8, 8, "journal")]

        def claim(tx: Transaction) -> list[int]:
            commands = choose_commands.choose_and_mark_sent(tx, asked, _SETTINGS)
            return [command.row_id for command in commands]

        with psycopg.connect(url) as other, other.transaction():
            other.execute("UPDATE command_hosts SET status = 'canceled' WHERE id = %s", (row_id,))
            assert await database.write(claim) == []
        assert await database.write(claim) == []


async def test_a_manager_that_was_missed_leaves_its_hosts(two: tuple[Database, Database]) -> None:
    first, second = two
    await first.write(_add_host)
    await _connect(second)
    await second.write(lambda tx: gateways.begin(tx, 2, "b", "1", 7))
    row = (await first.read(gateways.all_gateways))[1]
    assert (row.name, row.version, row.stopped_at, row.presumed_dead_at) == ("b", "1", None, None)
    await second.write(lambda tx: gateways.store_heartbeat(tx, 2, "b:7443", '{"hosts": 1}', "[]"))
    missed = await first.write(lambda tx: gateways.declare_dead(tx, 2, row.beats, 9))
    assert missed is None  # it was heard meanwhile
    row = (await first.read(gateways.all_gateways))[1]
    assert (row.address, row.figures) == ("b:7443", '{"hosts": 1}')
    assert await first.read(lambda tx: gateways.vitals_of(tx, [2])) == {2: "[]"}
    assert await first.write(lambda tx: gateways.declare_dead(tx, 2, row.beats, 9)) == [1]
    (host,) = await first.read(stored_hosts)
    assert not host.online
    assert await first.write(lambda tx: gateways.declare_dead(tx, 2, row.beats, 9)) is None
    assert (await first.read(gateways.all_gateways))[1].presumed_dead_at
    await second.write(lambda tx: gateways.store_heartbeat(tx, 2, "", "{}"))
    assert (await first.read(gateways.all_gateways))[1].presumed_dead_at is None
    await second.write(lambda tx: gateways.stop(tx, 2, 11))
    row = (await first.read(gateways.all_gateways))[1]
    assert row.stopped_at
    assert await first.write(lambda tx: gateways.declare_dead(tx, 2, row.beats, 12)) == []


async def test_changed_hosts_are_found_also_if_they_are_committed_late(url: str) -> None:
    async with open_database(url, key="a") as database:
        await database.write(_add_host)
        found, seen = await database.read(lambda tx: hosts.changed_since(tx, 0))
        assert [row.name for row in found] == ["web1"]
        with contextlib.closing(psycopg.connect(url)) as late:
            late.execute("UPDATE hosts SET note = 'late' WHERE id = 1")
            for number in range(3):
                await database.write(partial(_add_pending, f"web{number + 2}"))
            found, seen = await database.read(lambda tx: hosts.changed_since(tx, seen))
            assert {row.name for row in found} >= {"web2", "web3", "web4"}
            assert "late" not in {row.note for row in found}
            late.commit()
        found, _ = await database.read(lambda tx: hosts.changed_since(tx, seen))
        assert "late" in {row.note for row in found}


async def test_what_another_manager_stores_at_the_same_time_is_seen(
    two: tuple[Database, Database],
) -> None:
    """Both look for a host, find none, and add it: one of them looks again."""
    first, second = two
    met = threading.Barrier(2)

    def add_or_find(tx: Transaction) -> str:
        if hosts.by_host_id(tx, "h1"):
            return "found"
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait(30)
        _add_host(tx)
        return "added"

    done = await asyncio.gather(first.write(add_or_find), second.write(add_or_find))
    assert sorted(done) == ["added", "found"]

"""Who leads of several managers on one database: always at most one, and soon one again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.engines import database_in
from tests.support.managers.manager_parts import Parts
from tests.support.managers.several_managers import Managers, lease, set_lease, several_managers
from tests.support.waiting import wait_until
from tui_manager.domain.manager.gateway import GatewayState
from tui_manager.service.core.core import NotLeadingError
from tui_manager.service.managers.leader_loops import LeaderLoops
from tui_manager.service.managers.lease_rules import ALIVE_FOR, BEAT_EVERY
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.postgresql import connection
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import gateways
from tui_manager.storage.tables.manager.gateways import LeaderRow

pytestmark = pytest.mark.postgresql
TOOK_OVER = 10.0  # seconds at most without a leader


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with several_managers(tmp_path) as made:
        yield made


async def plans(parts: Parts) -> bool:
    """Whether a unit of work of this manager may plan."""
    try:
        await parts.core.plan(lambda _tx: None)
    except NotLeadingError:
        return False
    return True


def states(parts: Parts) -> list[GatewayState]:
    return [one.state for one in parts.leadership.managers.gateways]


async def test_the_first_manager_leads_and_the_others_follow(managers: Managers) -> None:
    a, b = await managers.start("a"), await managers.start("b")
    await managers.beat()
    assert managers.leaders() == ["a"]
    assert await plans(a)
    assert not await plans(b)
    for parts in (a, b):
        assert states(parts) == [GatewayState.LEADS, GatewayState.RUNNING]
    assert a.leadership.managers.own == 1
    assert b.leadership.managers.own == 2


async def test_a_follower_leads_within_ten_seconds_of_a_kill(managers: Managers) -> None:
    await managers.start("a")
    b = await managers.start("b")
    await managers.beat(times=2)
    before, killed_at = await lease(b), managers.clock.seconds
    await managers.kill("a")
    while not b.leadership.leads:
        assert not await plans(b)
        await managers.beat()
    assert 7.5 <= managers.clock.seconds - killed_at <= TOOK_OVER
    assert await plans(b)
    assert (await lease(b)).epoch == before.epoch + 1
    await managers.beat()
    assert states(b) == [GatewayState.NOT_HEARD, GatewayState.LEADS]


async def test_after_a_stop_in_order_another_one_leads_at_once(managers: Managers) -> None:
    await managers.start("a")
    b = await managers.start("b")
    await managers.beat()
    await managers.stop("a")
    await managers.beat()
    assert b.leadership.leads
    assert states(b) == [GatewayState.STOPPED, GatewayState.LEADS]


async def test_a_leader_that_is_killed_and_started_again_leads_at_once(managers: Managers) -> None:
    a = await managers.start("a")
    epoch = (await lease(a)).epoch
    await managers.kill("a")
    a = await managers.start("a")
    assert await plans(a)
    assert (await lease(a)).epoch == epoch + 1


async def test_of_candidates_at_the_same_time_exactly_one_leads(managers: Managers) -> None:
    for name in "abcd":
        await managers.start(name)
    for _ in range(5):
        await managers.beat()
        (leader,) = managers.leaders()
        await managers.kill(leader)
        epoch = (await lease(managers.running["d" if leader != "d" else "c"][0])).epoch
        while not managers.leaders():
            managers.clock.turn(BEAT_EVERY)
            await asyncio.gather(
                *(parts.leadership.beat() for parts, _ in managers.running.values())
            )
        (leader,) = managers.leaders()
        may = [name for name, (parts, _) in managers.running.items() if await plans(parts)]
        assert may == [leader]
        assert (await lease(managers.running[leader][0])).epoch == epoch + 1
        await managers.start(next(name for name in "abcd" if name not in managers.running))


async def test_a_leader_that_is_paused_in_a_transaction_writes_nothing_after_it(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends the transaction that stands idle; until then nobody can take over."""
    monkeypatch.setitem(connection._SESSION, "idle_in_transaction_session_timeout", "1500")
    a, b = await managers.start("a"), await managers.start("b")
    await managers.beat()
    paused, go_on = threading.Event(), threading.Event()

    def stand_still(tx: Transaction) -> None:
        tx.execute("INSERT INTO settings_of_test VALUES (1)")
        if not paused.is_set():
            paused.set()
            go_on.wait()

    await b.database.write(lambda tx: tx.execute("CREATE TABLE settings_of_test (n bigint)"))
    planning = asyncio.create_task(a.core.plan(stand_still))

    async def look() -> bool:
        await managers.beat("b")
        return b.leadership.leads

    try:
        await asyncio.to_thread(paused.wait)
        await managers.beat("b", times=3)
        assert not b.leadership.leads  # the transaction holds the lease, and is not waited for
        await wait_until(look, bool)
    finally:
        go_on.set()
    with pytest.raises(NotLeadingError):
        await planning
    count = await b.database.read(
        lambda tx: tx.execute("SELECT count(*) AS n FROM settings_of_test").fetchone()["n"]
    )
    assert count == 0
    assert not await plans(a)
    await managers.beat("a")
    assert managers.leaders() == ["b"]
    await b.database.write(lambda tx: tx.execute("DROP TABLE settings_of_test"))


async def test_a_lease_that_goes_back_in_time_leaves_one_leader(managers: Managers) -> None:
    """The database fails over to a standby that lacks the newest transactions: by the lease there,
    the manager leads that led before."""
    a, b = await managers.start("a"), await managers.start("b")
    await managers.beat()
    old = await lease(a)
    await b.database.write(lambda tx: set_lease(tx, LeaderRow(2, old.epoch + 1, 0)))
    await managers.beat()
    assert managers.leaders() == ["b"]
    await b.database.write(lambda tx: set_lease(tx, old))
    assert [await plans(parts) for parts in (a, b)] == [False, False]
    await managers.beat("b", "a")
    assert managers.leaders() == ["a"]
    assert [await plans(parts) for parts in (a, b)] == [True, False]
    await managers.beat(times=5)
    assert managers.leaders() == ["a"]


async def test_a_leader_that_cannot_reach_the_database_ends_its_lease(managers: Managers) -> None:
    a = await managers.start("a")
    managers.clock.turn(60)
    a.leadership.end_lease_if_over()
    assert a.leadership.leads  # a beat may wait in a long queue
    a.leadership._out_of_reach = True
    a.leadership.end_lease_if_over()
    assert not a.leadership.leads
    assert not await plans(a)
    await managers.beat()
    assert await plans(a)


async def test_planning_runs_while_a_manager_leads_and_begins_anew_each_time(
    managers: Managers,
) -> None:
    events: list[str] = []

    def noting(parts: Parts, name: str) -> LeaderLoops:
        async def loop() -> None:
            events.append(f"{name} begins")
            try:
                while True:
                    await parts.core.plan(lambda _tx: None)
                    await asyncio.sleep(0.001)
            finally:
                events.append(f"{name} ends")

        return LeaderLoops(parts.leadership, {"loop": loop})

    a, b = await managers.start("a"), await managers.start("b")
    running: list[asyncio.Task[None]] = []
    for parts, name in ((a, "a"), (b, "b")):
        planning: Coroutine[Any, Any, None] = noting(parts, name).run()
        running.append(asyncio.create_task(planning))
    await managers.beat()
    await _until(events, ["a begins"])
    row = await lease(a)
    await b.database.write(lambda tx: set_lease(tx, LeaderRow(2, row.epoch + 1, 0)))
    await _until(events, ["a begins", "a ends"])  # before any beat: its next plan fails
    await a.leadership.following.wait()
    await managers.beat("b", "a")
    await _until(events, ["a begins", "a ends", "b begins"])
    b.leadership.lose("the test says so")
    await managers.beat("b")
    await _until(events, ["a begins", "a ends", "b begins", "b ends", "b begins"])
    for task in running:
        task.cancel()
    await asyncio.wait(running)


async def test_planning_begins_anew_after_the_database_has_gone_back(managers: Managers) -> None:
    """What the loops remember may be of transactions that are lost."""
    a = await managers.start("a")
    begun: list[str] = []

    async def loop() -> None:
        begun.append("begins")
        await asyncio.Event().wait()

    running = asyncio.create_task(LeaderLoops(a.leadership, {"loop": loop}).run())
    await managers.beat(times=4)
    await _until(begun, ["begins"])
    row = await lease(a)
    lost = LeaderRow(row.gateway, row.epoch, row.renewals - 1)
    await a.database.write(lambda tx: set_lease(tx, lost))
    await managers.beat()
    await _until(begun, ["begins", "begins"])
    assert (await lease(a)).epoch == row.epoch + 1
    running.cancel()
    await asyncio.wait([running])


async def test_who_leads_again_while_the_loops_end_goes_on_to_lead(managers: Managers) -> None:
    a = await managers.start("a")
    begun: list[str] = []
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def loop() -> None:
        begun.append("begins")
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await may_end.wait()

    running = asyncio.create_task(LeaderLoops(a.leadership, {"loop": loop}).run())
    await _until(begun, ["begins"])
    a.leadership.lose("the test says so")
    await ending.wait()
    await managers.beat()
    epoch = a.leadership.epoch
    assert epoch is not None
    may_end.set()
    await _until(begun, ["begins", "begins"])
    assert a.leadership.epoch == epoch
    running.cancel()
    await asyncio.wait([running])


async def _until(events: list[str], expected: list[str]) -> None:
    async def look() -> list[str]:
        return list(events)

    await wait_until(look, lambda seen: seen == expected)


async def test_hosts_of_a_manager_that_died_or_stopped_are_offline(managers: Managers) -> None:
    a, b = await managers.start("a"), await managers.start("b")
    await managers.start("c")
    for parts, name in ((a, "web01"), (b, "db01"), (managers.running["c"][0], "app01")):
        await parts.connect(name)
    await managers.beat()
    await managers.stop("c")
    await managers.kill("b")
    await managers.beat(times=2)
    assert await _online(a) == ["db01", "web01"]
    await managers.beat(times=3)
    assert await _online(a) == ["web01"]
    assert states(a) == [GatewayState.LEADS, GatewayState.NOT_HEARD, GatewayState.STOPPED]
    heard = a.leadership.heard_at()[2]
    assert managers.clock.seconds - heard == 4 * BEAT_EVERY  # since the look that saw its last beat


async def _online(parts: Parts) -> list[str]:
    rows = await parts.database.read(
        lambda tx: tx.execute("SELECT name FROM hosts WHERE online ORDER BY name").fetchall()
    )
    return [row["name"] for row in rows]


async def test_the_others_are_told_of_what_changes_and_not_of_each_beat(managers: Managers) -> None:
    a = await managers.start("a")
    told: list[list[str]] = []
    a.leadership.on_change.append(
        lambda managers: told.append([one.state for one in managers.gateways])
    )
    await managers.beat(times=3)
    assert told == []
    await managers.start("b")
    await managers.beat("a", times=2)
    assert told == [["leads", "running"]]
    await managers.stop("b")
    await managers.beat(times=2)
    assert told == [["leads", "running"], ["leads", "stopped"]]


async def test_vitals_are_stored_for_others_and_not_with_each_beat(managers: Managers) -> None:
    a = await managers.start("a")
    packed = iter(range(100))
    a.leadership.vitals = lambda: f"vitals {next(packed)}"
    await managers.beat(times=5)
    assert next(packed) == 0  # nobody would read them
    await managers.start("b")
    await managers.beat(times=6)
    assert next(packed) == 3


async def test_without_the_database_nobody_else_is_heard_and_nobody_leads(
    managers: Managers,
) -> None:
    a = await managers.start("a")
    await managers.start("b")
    await managers.beat(times=2)
    known = [GatewayState.LEADS, GatewayState.RUNNING]
    managers.clock.turn(ALIVE_FOR)  # as a process does that stands still
    assert [one.state for one in a.leadership.known_managers.gateways] == known
    a.leadership._out_of_reach = True
    a.leadership.end_lease_if_over()
    nobody = [GatewayState.RUNNING, GatewayState.NOT_HEARD]
    assert [one.state for one in a.leadership.known_managers.gateways] == nobody
    await managers.beat()
    a.leadership._out_of_reach = False
    assert [one.state for one in a.leadership.known_managers.gateways] == known


async def test_a_manager_that_never_began_is_not_shown(managers: Managers) -> None:
    """It was refused, for example because its `cluster.key` is missing."""
    a = await managers.start("a")
    async with open_database(database_in(managers.folder), key="refused") as refused:
        assert refused.gateway == 2
    await managers.beat(times=5)
    assert states(a) == [GatewayState.LEADS]
    row = (await a.database.read(gateways.all_gateways))[1]
    assert row.presumed_dead_at is None

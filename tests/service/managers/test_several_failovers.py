"""A manager goes on after the database has failed over to a server that lacks what other managers
had stored last; and one goes on that was taken for dead."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.waiting import wait_until
from tui_manager.domain.errors import StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.service.core.change_feed import EVERYTHING
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.limits import RETURN_TIMEOUT
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import gateways

pytestmark = pytest.mark.postgresql
_XIDS = 1_000_000  # by so many are the numbers of transactions of the other server lower
_WAITING = """
SELECT count(*) AS number FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')
"""


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path) as made:
        yield made


async def _fail_over(manager: Manager, lose: Callable[[Transaction], Any]) -> None:
    """This manager has lost nothing, and reaches a server on which others have: `lose` undoes it
    there."""
    manager.directory.seen += _XIDS
    manager.database.engine._writing._connection.close()
    await manager.database.write(lose)


def _lose(statement: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.execute(statement)


def _entry(manager: Manager, host_id: str) -> HostEntry:
    entry: HostEntry | None = manager.directory.get(host_id)
    assert entry
    return entry


async def test_what_others_have_done_to_hosts_and_is_lost_is_forgotten(managers: Managers) -> None:
    a, b, _ = managers
    host_id = (await a.connect("web01")).host_id
    await managers.settle()
    await b.host_management.label(["web01"], {"x": "lost"}, [], "op")
    await managers.settle()
    assert _entry(a, host_id).row.labels == {"x": "lost"}
    await _fail_over(a, _lose("UPDATE hosts SET labels = '{}', operator_labels = '{}'"))
    await a.follower.look_if_due()
    assert _entry(a, host_id).row.labels == {}
    assert _entry(a, host_id).session
    await b.host_management.label(["web01"], {"x": "again"}, [], "op")
    await a.follower.run_once()
    assert _entry(a, host_id).row.labels == {"x": "again"}


async def test_watchers_hear_that_all_may_have_changed(managers: Managers) -> None:
    a, _, _ = managers
    told = a.feed.subscribe()
    told.take()
    await a.follower.look_if_due()
    assert not told.changed.is_set()
    await _fail_over(a, lambda _tx: None)
    await a.follower.look_if_due()
    assert told.take() == EVERYTHING


async def test_a_host_comes_back_to_the_manager_that_had_it_before(managers: Managers) -> None:
    """Another one had taken it over, more than once, and that is lost."""
    a, b, c = managers
    host_id = (await a.connect("web01")).host_id
    await managers.settle()
    for _ in range(3):
        await b.connect("web01", host_id=host_id)
    await managers.settle()
    assert _entry(a, host_id).elsewhere
    await _fail_over(a, _lose(f"UPDATE hosts SET generation = 1, gateway = {a.number}"))
    await a.follower.look_if_due()
    entry = _entry(a, host_id)
    assert (entry.online, entry.row.generation) == (False, 1)
    assert a.directory.expected.seconds_left(managers.clock.seconds) == {
        entry.row.row_id: RETURN_TIMEOUT
    }
    await c.connect("web01", host_id=host_id)
    await a.follower.run_once()
    assert (entry.row.gateway, entry.row.generation) == (c.number, 2)
    assert entry.elsewhere


@pytest.mark.parametrize("lost", ["generation = 0", "generation = 7, gateway = 77"])
async def test_a_session_that_is_not_the_one_of_the_row_ends(managers: Managers, lost: str) -> None:
    a, _, _ = managers
    opened = await a.connect("web01")
    other = await a.connect("web02")
    await managers.settle()
    await _fail_over(a, _lose(f"UPDATE hosts SET {lost} WHERE name = 'web01'"))
    await a.follower.look_if_due()
    assert a.sessions.replaced == [(opened.host_id, 1)]
    assert not _entry(a, opened.host_id).online
    assert _entry(a, other.host_id).session
    await a.connect("web01", host_id=opened.host_id)
    await a.follower.run_once()
    assert _entry(a, opened.host_id).session
    assert len(a.sessions.replaced) == 1


async def test_a_session_that_begins_during_the_look_stays(managers: Managers) -> None:
    a, _, _ = managers
    opened = await a.connect("web01")
    await managers.settle()
    await _fail_over(a, _lose("UPDATE hosts SET generation = 0"))
    read = a.database.read

    async def read_and_open(work: Any) -> Any:
        found = await read(work)
        a.database.read = read
        await a.connect("web01", host_id=opened.host_id)
        await a.connect("web01", host_id=opened.host_id)
        return found

    a.database.read = read_and_open
    await a.follower.look_if_due()
    session = _entry(a, opened.host_id).session
    assert session
    assert session.generation == 2
    await a.follower.run_once()
    assert _entry(a, opened.host_id).session is session


async def test_a_host_that_was_added_elsewhere_and_is_lost_is_gone(managers: Managers) -> None:
    a, b, _ = managers
    await a.connect("web01")
    await b.connect("web02")
    await managers.settle()
    assert a.list_hosts(Window()).total == 2
    await _fail_over(a, _lose("DELETE FROM hosts WHERE name = 'web02'"))
    await a.follower.look_if_due()
    assert [host.name for host in a.list_hosts(Window()).rows] == ["web01"]
    assert len(a.directory.online_rows()) == 1


async def _online(manager: Manager) -> list[str]:
    rows = await manager.database.read(
        lambda tx: tx.execute("SELECT name FROM hosts WHERE online ORDER BY name").fetchall()
    )
    return [row["name"] for row in rows]


def _miss(tx: Transaction, missed: Manager) -> list[int] | None:
    beats = {one.number: one.beats for one in gateways.all_gateways(tx)}
    return gateways.declare_dead(tx, missed.number, beats[missed.number], 1)


async def _taken_for_dead(managers: Managers) -> Manager:
    """The second manager, which goes on alone with two hosts that count as offline."""
    a, b, c = managers
    await b.connect("web01")
    await b.connect("web02")
    await managers.settle()
    assert len(await a.database.write(partial(_miss, missed=b))) == 2
    managers.stand(gone=[a, c])
    assert await _online(a) == []
    return b  # type: ignore[no-any-return]


async def test_a_manager_that_was_taken_for_dead_goes_on_alone(managers: Managers) -> None:
    b = await _taken_for_dead(managers)
    await b.leadership.beat()
    await b.follower.look_if_due()
    assert await _online(b) == ["web01", "web02"]


async def test_hosts_that_cannot_be_put_online_at_once_are_later(managers: Managers) -> None:
    b = await _taken_for_dead(managers)
    await b.leadership.beat()
    write = b.database.write

    async def fail(_work: Any) -> Any:
        b.database.write = write
        raise StorageError("the database is away")

    b.database.write = fail
    with pytest.raises(StorageError):
        await b.follower.look_if_due()
    await b.follower.look_if_due()
    assert await _online(b) == ["web01", "web02"]


async def test_a_beat_hides_no_death_that_is_declared_at_the_same_moment(
    managers: Managers,
) -> None:
    a, b, c = managers
    await b.connect("web01")
    declared, go_on = threading.Event(), threading.Event()

    def declare(tx: Transaction) -> None:
        _miss(tx, b)
        declared.set()
        go_on.wait()

    async def waiting() -> int:
        rows = await c.database.read(lambda tx: tx.execute(_WAITING).fetchall())
        return int(rows[0]["number"])

    declaring = asyncio.create_task(a.database.write(declare))
    try:
        await asyncio.to_thread(declared.wait)
        beating = asyncio.create_task(b.leadership.beat())
        await wait_until(waiting, bool)
    finally:
        go_on.set()
    await declaring
    await beating
    await b.follower.look_if_due()
    assert await _online(b) == ["web01"]

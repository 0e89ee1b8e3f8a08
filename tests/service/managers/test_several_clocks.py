"""Several managers go by the clock of their database's server. All see it jump, and each jump is
stored once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.managers.several_managers import Managers, several_managers

pytestmark = pytest.mark.postgresql
HOUR = 3600.0


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with several_managers(tmp_path) as made:
        yield made


async def two(managers: Managers) -> tuple[Parts, Parts]:
    a, b = await managers.start("a"), await managers.start("b")
    await managers.beat()
    return a, b


def jump(managers: Managers, seconds: float) -> None:
    """The clock of the server."""
    managers.clock.instant += timedelta(seconds=seconds)


async def stored(parts: Parts) -> list[int]:
    """By how many seconds earlier times are wrong, as the database has it."""
    rows = await parts.database.read(
        lambda tx: tx.execute("SELECT behind FROM clock_errors ORDER BY began").fetchall()
    )
    return [round(row["behind"] / 1_000_000) for row in rows]


async def take_over(managers: Managers) -> None:
    """The leader is killed, and the other one leads."""
    await managers.kill("a")
    await managers.beat(times=5)
    assert managers.leaders() == ["b"]


@pytest.mark.parametrize("seconds", [7 * HOUR, -7 * HOUR])
async def test_the_leader_alone_stores_a_jump_that_all_see(
    managers: Managers, seconds: float
) -> None:
    a, b = await two(managers)
    managers.clock.turn(100)
    jump(managers, seconds)
    await b.watch.run_once()
    assert await stored(b) == []
    await a.watch.run_once()
    await b.watch.run_once()
    assert await stored(b) == [seconds]
    assert a.watch.untrusted
    assert b.watch.untrusted
    await take_over(managers)
    managers.clock.turn(1)
    await b.watch.run_once()
    assert await stored(b) == [seconds]
    assert b.watch.untrusted
    jump(managers, -seconds)
    await b.watch.run_once()
    assert b.watch.untrusted is None
    assert await stored(b) == [-seconds]  # of what was stored in between


async def test_a_jump_while_nobody_led_is_stored_by_the_next_leader(managers: Managers) -> None:
    a, b = await two(managers)
    managers.clock.turn(100)
    await a.watch._store()
    await managers.kill("a")
    jump(managers, 7 * HOUR)
    await b.watch.run_once()
    assert await stored(b) == []
    await managers.beat(times=5)
    assert managers.leaders() == ["b"]
    await b.watch.run_once()
    assert await stored(b) == [7 * HOUR]


async def test_a_clock_that_is_accepted_at_any_manager_is_trusted_by_all(
    managers: Managers,
) -> None:
    a, b = await two(managers)
    c = await managers.start("c")
    jump(managers, 7 * HOUR)
    for parts in (a, b, c):
        await parts.watch.run_once()
    assert await b.watch.accept("ana@pts/3")
    assert b.watch.untrusted is None
    await a.watch._store()  # in between it stores the time
    managers.clock.turn(6)
    for parts in (a, b, c):
        await parts.watch.learn()
        assert parts.watch.untrusted is None
    await a.watch._store()
    assert await stored(a) == [7 * HOUR]
    await take_over(managers)
    await b.watch.run_once()
    assert await stored(b) == [7 * HOUR]


async def test_accepting_stores_a_jump_that_no_leader_has_stored(managers: Managers) -> None:
    a, b = await two(managers)
    jump(managers, 7 * HOUR)
    await b.watch.run_once()
    assert await b.watch.accept("ana@pts/3")
    assert await stored(b) == [7 * HOUR]
    await a.watch.run_once()
    assert await stored(b) == [7 * HOUR]


async def test_a_jump_that_only_one_manager_has_seen_is_forgotten(managers: Managers) -> None:
    """Its machine was suspended, and its boot-time clock did not go on."""
    a, b = await two(managers)
    managers.clock.turn(100)
    b.watch._offset -= 600_000_000
    b.watch._trusted -= 600_000_000
    await b.watch.run_once()
    assert b.watch.untrusted
    managers.clock.turn(60)
    await a.watch._store()
    await b.watch.learn()
    assert b.watch.untrusted is None
    await take_over(managers)
    await b.watch.run_once()
    assert await stored(b) == []

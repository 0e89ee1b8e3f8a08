"""The checks of rollouts find what is wrong in a database, and nothing in one that is right."""

import contextlib
import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.checks.rollout_checks import rollout_violations
from tests.support.managers.manager_parts import TurnedClock, manager_parts
from tests.support.managers.rollouts import Fleet, host_names, rollout
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.state_files import DATABASE

GOOD, SPENT, EXPIRED, PAUSED = 1, 2, 3, 4  # the numbers of the tasks
_HOUR = 3_600_000_000  # microseconds
_ONE_SKIPPED = f"id = (SELECT max(id) FROM command_hosts WHERE task_id = {SPENT})"
_HOST_SKIPPED = f"task_id = {SPENT} AND host = (SELECT max(id) FROM hosts)"
_SAY = "INSERT INTO audit (at, actor, action, task_id) "
FAULTS: Mapping[str, str] = {
    f"UPDATE command_hosts SET sent_at = sent_at - {_HOUR} WHERE task_id = {GOOD}": "its turn",
    f"UPDATE rollouts SET delay = {_HOUR} WHERE task_id = {GOOD}": "began 3595",
    f"UPDATE command_hosts SET started_at = 0 WHERE task_id = {GOOD}": "4 commands ran at one time",
    f"UPDATE rollouts SET hosts_waiting = 1 WHERE task_id = {GOOD}": "counts {'hosts_waiting': 1}",
    f"UPDATE rollouts SET hosts_at_barrier = 2 WHERE task_id = {GOOD}": "{'hosts_at_barrier': 2}",
    f"UPDATE rollouts SET held_until = 1 WHERE task_id = {GOOD}": "is held or paused",
    f"UPDATE rollouts SET hosts_failed = 1 WHERE task_id = {SPENT}": "1 failed hosts are counted",
    f"UPDATE rollouts SET failure_budget = 0 WHERE task_id = {SPENT}": "of a strict budget of 0",
    f"UPDATE rollouts SET failure_budget = 2 WHERE task_id = {SPENT}": "budget is not spent",
    f"UPDATE command_hosts SET reason = 'earlier_failed' WHERE {_ONE_SKIPPED}": "a part of the",
    f"UPDATE command_hosts SET reason = 'earlier_failed' WHERE {_HOST_SKIPPED}": "skipped, and the",
    f"UPDATE command_hosts SET reason = 'hold_expired' WHERE {_ONE_SKIPPED}": "for two reasons",
    f"UPDATE rollouts SET hold_timeout = 2 * {_HOUR} WHERE task_id = {EXPIRED}": "no hold has",
    f"{_SAY}SELECT at + 1, 'ana', 'resume_task', task_id FROM audit "
    f"WHERE task_id = {EXPIRED} AND action = 'hold_task'": "no hold has expired",
    f"{_SAY}SELECT at - {_HOUR}, 'ana', 'pause_task', task_id FROM audit "
    f"WHERE task_id = {PAUSED} AND action = 'pause_task'": "was sent at",
}


async def _answer_all(fleet: Fleet, failures: int = 0) -> None:
    """Hosts answer one after another, some with a failure; each command lasts for a second."""
    while busy := fleet.busy():
        fleet.parts.clock.turn(2)
        await fleet.answer(busy[0], int(failures > 0))
        failures -= 1


async def _rollouts(fleet: Fleet) -> None:
    await fleet.connect(host_names(4))
    clock = fleet.parts.clock
    spec = rollout(batches="2", max_concurrency="1", delay=timedelta(seconds=5))
    assert await fleet.start(rollout=spec) == GOOD
    await _answer_all(fleet)
    clock.turn(5)
    await fleet.take()
    await _answer_all(fleet)
    spec = rollout(max_failures="1", max_concurrency="1", strict=True)
    assert await fleet.start("@all", "one", "two", rollout=spec) == SPENT
    await _answer_all(fleet, failures=2)
    spec = rollout(batches="2", hold=HoldRule.EACH, hold_timeout=timedelta(hours=1))
    assert await fleet.start(rollout=spec) == EXPIRED
    await _answer_all(fleet)
    clock.turn(3600)
    await fleet.take()
    assert await fleet.start(rollout=rollout(batches="1")) == PAUSED
    clock.turn(1)
    await fleet.parts.tasks.pause_task(PAUSED)
    await _answer_all(fleet)
    clock.turn(1)
    await fleet.parts.tasks.resume_task(PAUSED)
    await fleet.take()
    await _answer_all(fleet)


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """With four rollouts that have ended."""
    async with manager_parts(tmp_path, TurnedClock()) as parts:
        await _rollouts(Fleet(parts))
    return tmp_path / DATABASE


async def test_faults_are_found(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row

        def rows(query: str, *values: object) -> list[sqlite3.Row]:
            return connection.execute(query, values).fetchall()

        assert rollout_violations(rows) == []
        for statement, words in FAULTS.items():
            connection.execute("BEGIN")
            assert connection.execute(statement).rowcount > 0
            assert words in "\n".join(rollout_violations(rows)), statement
            connection.execute("ROLLBACK")

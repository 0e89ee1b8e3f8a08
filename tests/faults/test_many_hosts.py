"""Rollouts over 100 hosts, a fifth of which fail, with a manager that is killed in every batch."""

import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import Any

import pytest

from tests.faults.checks.rollout_checks import rollout_violations
from tests.faults.fleet.emulated_hosts import UNTIL_TOLD, EmulatedHosts
from tests.faults.fleet.fleet import Fleet
from tests.faults.scenarios.running import new_fleet
from tui_manager.domain.task_spec.rollout_spec import HoldRule, RolloutSpec

HOSTS = 100
FAILURES = 10  # the budget
CONCURRENCY = 10
BATCHES = "5,10%,25%"
SIZES = (5, 10, 25, 25, 25, 10)
TWO_BATCHES = "10%,rest"
IN_FLIGHT = 2  # results on their way when the manager is killed
COMPLETED, FAILED, SPENT = "completed", "failed exit_code", "skipped budget_spent"
_ENDED = "SELECT count(*) FROM command_hosts WHERE status IN ('completed', 'failed')"
_STATES = """
SELECT trim(status || ' ' || reason) AS state, count(*) AS hosts FROM command_hosts
WHERE task_id = ? GROUP BY state
"""


def _code(ended: int) -> int:
    """A fifth of the hosts fail: the 4th that ends, the 9th, and so on."""
    return int(ended % 5 == 3)


@dataclass
class Run:
    """A task with a rollout over all hosts.

    Attributes:
        begun: how many hosts have begun, by the rules: what the test waits for.
    """

    fleet: Fleet
    hosts: EmulatedHosts
    spec: RolloutSpec
    task_id: int = 0
    begun: int = 0

    async def start(self) -> None:
        """Starts it."""
        self.task_id = await self.fleet.run("@all", UNTIL_TOLD, rollout=self.spec)

    async def finish(self, until: int) -> None:
        """Hosts come to their end, one after another, until so many have; the next one only when
        all have begun that may begin."""
        while self.hosts.ended < until:
            await self.all_begun()
            self.hosts.finish(_code(self.hosts.ended))
            await self.stored()

    async def finish_all(self) -> None:
        """Hosts come to their end until all hosts have."""
        while self.hosts.ended < HOSTS:
            await self.fleet.wait("hosts to begin", self.hosts.busy)
            self.finish_busy()

    def finish_busy(self) -> None:
        """All commands that run come to their end."""
        for _ in self.hosts.busy():
            self.hosts.finish(_code(self.hosts.ended))

    async def held(self) -> None:
        """The task waits for an operator."""
        query = "SELECT held_until FROM rollouts WHERE task_id = ?"
        await self.fleet.wait("the hold", lambda: self.fleet.number(query, self.task_id))

    async def stored(self) -> None:
        """The manager has all results."""
        await self.fleet.wait(
            f"{self.hosts.ended} results", lambda: self.fleet.number(_ENDED), self._all_ended
        )

    def _all_ended(self, stored: int) -> bool:
        return stored == self.hosts.ended

    async def all_begun(self) -> None:
        """Everybody has begun who may begin, and nobody else."""
        self.begun = max(self.begun, self._may_begin())
        await self.fleet.wait(
            f"{self.begun} hosts to begin", lambda: self.hosts.begun, lambda n: n >= self.begun
        )
        assert self.hosts.begun == self.begun, self.fleet.explain()

    def _may_begin(self) -> int:
        """How many hosts may have begun, as many as have ended."""
        ended = self.hosts.ended
        failed = sum(map(_code, range(ended)))
        under_way = CONCURRENCY
        if self.spec.strict:
            under_way = min(under_way, FAILURES + 1 - failed)
        batch_end = next(end for end in accumulate(SIZES) if end > ended)
        return min(batch_end, ended + under_way) if failed <= FAILURES else 0

    async def kill_manager(self, point: str) -> None:
        """Kills it while results are on their way to it, and starts it again.

        Args:
            point: where it dies; empty: before it has read the first of them.
        """
        await self.all_begun()
        manager = self.fleet.manager
        if point:
            manager.arm(point)
        else:
            manager.send(signal.SIGSTOP)
        for _ in range(IN_FLIGHT):
            if self.hosts.busy():
                self.hosts.finish(_code(self.hosts.ended))
        if not point:
            await self.fleet.kill(manager)
            assert self.fleet.number(_ENDED) < self.hosts.ended
        await self.fleet.ended(manager)
        await self.fleet.start_manager()
        await self.stored()
        await self.all_online()

    async def all_online(self) -> None:
        """All hosts are connected; no host is waited for in vain."""
        await self.fleet.wait("hosts", lambda: self.hosts.online, lambda online: online == HOSTS)

    async def ended(self) -> Mapping[str, int]:
        """How many hosts have which state when the task has ended; nothing is as it must not be."""
        await self.fleet.ended_tasks([self.task_id])
        assert rollout_violations(self.fleet.rows) == [], self.fleet.explain()
        assert self.fleet.database.findings() == []
        self._check_batches()
        assert self.hosts.most_at_once <= CONCURRENCY
        rows = self.fleet.rows(_STATES, self.task_id)
        return Counter({row["state"]: row["hosts"] for row in rows})

    def _check_batches(self) -> None:
        """As the hosts have seen it: a batch began when each host of the one before had ended."""
        began: dict[int, list[int]] = {}
        ended: dict[int, list[int]] = {}
        for row in self.fleet.rows("SELECT execution_id, batch FROM command_hosts"):
            execution, batch = row["execution_id"], row["batch"]
            if (received_at := self.hosts.received_at(execution)) is not None:
                began.setdefault(batch, []).append(received_at)
                ended_at = self.hosts.ended_at(execution)
                assert ended_at is not None
                ended.setdefault(batch, []).append(ended_at)
        for before, after in pairwise(sorted(began)):
            assert max(ended[before]) < min(began[after])


@contextlib.asynccontextmanager
async def _run(batches: str = BATCHES, **given: Any) -> AsyncIterator[Run]:
    """A manager, its hosts, and a task that has started."""
    spec = RolloutSpec(batches=batches, max_concurrency="10%", **given)
    async with new_fleet("1", heartbeat='"5s"') as fleet:
        hosts = EmulatedHosts(fleet.proxy.address, HOSTS)
        async with hosts.dialing():
            run = Run(fleet, hosts, spec)
            await run.all_online()
            await run.start()
            yield run


@pytest.mark.long
async def test_a_budget_ends_with_what_was_under_way() -> None:
    """The 54th host to end is the 11th to fail. 9 others are under way then, all of batch 4."""
    async with _run(max_failures="10%") as run:
        await _kill_in_each_batch(run)
        await run.finish(63)
        assert await run.ended() == {COMPLETED: 51, FAILED: 12, SPENT: 37}


@pytest.mark.long
async def test_of_a_strict_budget_no_more_than_one_host_too_many_fails() -> None:
    """From the 10th failure on one host is under way at a time."""
    async with _run(max_failures="10%", strict=True) as run:
        await _kill_in_each_batch(run)
        await run.finish(54)
        assert await run.ended() == {COMPLETED: 43, FAILED: 11, SPENT: 46}


async def _kill_in_each_batch(run: Run) -> None:
    """When some results of the batch are stored, and some are not."""
    for ended, point in ((2, ""), (8, "before.commit"), (25, "after.commit"), (45, "")):
        await run.finish(ended)
        await run.kill_manager(point)


@pytest.mark.long
async def test_a_hold_and_a_pause_outlive_the_manager() -> None:
    async with _run(TWO_BATCHES, hold=HoldRule.FIRST) as run:
        fleet, hosts = run.fleet, run.hosts
        await fleet.wait("a batch", lambda: hosts.begun, lambda begun: begun == CONCURRENCY)
        run.finish_busy()
        await run.held()
        await _restart(run)
        assert hosts.begun == CONCURRENCY
        assert await fleet.resume(run.task_id)
        await fleet.wait("hosts", lambda: hosts.begun, lambda begun: begun == 2 * CONCURRENCY)
        assert await fleet.pause(run.task_id)
        hosts.finish(_code(hosts.ended))
        await run.stored()
        fleet.manager.send(signal.SIGSTOP)
        run.finish_busy()
        await _restart(run)
        await run.stored()
        assert hosts.begun == 2 * CONCURRENCY
        assert await fleet.resume(run.task_id)
        await run.finish_all()
        assert await run.ended() == {COMPLETED: 80, FAILED: 20}


async def _restart(run: Run) -> None:
    """Kills the manager, and starts it; all hosts are back."""
    await run.fleet.kill(run.fleet.manager)
    await run.fleet.wait("hosts to notice", lambda: run.hosts.online, lambda online: not online)
    await run.fleet.start_manager()
    await run.all_online()


@pytest.mark.long
async def test_a_hold_expires_while_the_manager_starts() -> None:
    async with _run(TWO_BATCHES, hold=HoldRule.EACH, hold_timeout=timedelta(seconds=1)) as run:
        await run.fleet.wait("a batch", lambda: len(run.hosts.busy()) == CONCURRENCY)
        run.finish_busy()
        await run.held()
        await _restart(run)
        assert await run.ended() == {COMPLETED: 8, FAILED: 2, "skipped hold_expired": 90}

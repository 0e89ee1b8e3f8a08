"""RolloutLoop: plans the running rollouts, when something of them changes or is due."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterable

from tui_manager.domain.errors import StorageError, WrongCountersError
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.change_feed import Subscription
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.rollout import apply_decisions, connection_changes
from tui_manager.service.rollout.apply_decisions import Connections, Planned
from tui_manager.service.rollout.returned_hosts import ReturnedHosts
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import rollouts
from tui_manager.storage.views.delivery import rollout_hosts

log = logging.getLogger(__name__)
_SECOND = 1_000_000  # microseconds
_LOOK_EVERY = 60.0  # seconds, at least, while a rollout runs
_RETRY = 1.0  # seconds until the next attempt if the database cannot be written


class RolloutLoop:
    """Runs while this manager leads. Follows the change feed while a rollout runs, and costs
    nothing otherwise. What it keeps in memory it finds again in the database when it runs the next
    time."""

    def __init__(self, core: Core, dispatch: DispatchLoop, clock_watch: ClockWatch) -> None:
        self._core = core
        self._dispatch = dispatch
        self._clock_watch = clock_watch
        self._lost_after = from_timedelta(core.limits.lost_after)
        self._loaded = False
        self._running: dict[int, ReturnedHosts] = {}  # by task
        self._due: dict[int, int] = {}  # tasks that wait for a time, microseconds since 1970 UTC
        self._looked_at = core.clock.stamp()
        self._changes = Subscription()
        self._online: frozenset[int] = frozenset()  # row ids
        self._moved: set[int] = set()  # row ids of hosts that may have come or gone
        dispatch.on_not_sent = self._look_at_hosts

    def add(self, task_id: int) -> None:
        """A task with a rollout has started, or runs again."""
        if self._loaded and task_id not in self._running:
            self._follow_feed()
            self._running[task_id] = ReturnedHosts()
        self._changes.add(Changes(tasks=frozenset({task_id})))

    def add_missing(self, task_ids: Iterable[int]) -> None:
        """These tasks run with a rollout; another manager may have started them."""
        if self._loaded:
            for task_id in set(task_ids) - self._running.keys():
                self.add(task_id)

    def _follow_feed(self) -> None:
        if not self._running:
            self._core.directory.take_moved()
            self._online = self._core.directory.online_rows()
            self._core.feed.attach(self._changes)

    def _look_at_hosts(self, host_ids: Iterable[str]) -> None:
        """Commands of these hosts were not sent, perhaps because they have gone."""
        if self._running:
            entries = map(self._core.directory.get, host_ids)
            self._moved.update(entry.row.row_id for entry in entries if entry)
            self._changes.add(Changes(hosts=True))

    async def run(self) -> None:
        """Plans until cancelled."""
        try:
            while True:
                await self._wait()
                try:
                    await self.run_once()
                except StorageError as error:
                    log.error("rollouts wait for the database", extra={"error": str(error)})
                    await asyncio.sleep(_RETRY)
        finally:
            self._forget()

    def _forget(self) -> None:
        """Another manager may plan now. The next look begins with what is stored then."""
        self._core.feed.detach(self._changes)
        self._loaded, self._changes = False, Subscription()
        for kept in (self._running, self._due, self._moved, self._core.statistics.stuck_rollouts):
            kept.clear()

    async def _wait(self) -> None:
        """Until something changes or is due."""
        pause = _LOOK_EVERY if self._running else None
        if self._due:
            left = (min(self._due.values()) - self._core.clock.stamp()) / _SECOND
            pause = max(0.0, min(_LOOK_EVERY, left))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._changes.changed.wait()

    async def run_once(self) -> None:
        """Does all that the rollouts may do now.

        Raises:
            NotLeadingError: this manager does not lead.
            StorageError: the database cannot be written now; the next look does it.
        """
        changes = self._changes.take()
        try:
            if not self._loaded:
                await self._load()
            if self._running:
                await self._clock_watch.run_once()  # which moves deadlines if the clock has jumped
                await self._follow_and_plan(changes)
        except StorageError:
            self._changes.add(changes | Changes(all_tasks=True))
            raise

    async def _load(self) -> None:
        """The rollouts that run. All their hosts may have come or gone."""

        def work(tx: Transaction) -> dict[int, list[int]]:
            return {task: rollout_hosts.begun_of_task(tx, task) for task in rollouts.running(tx)}

        found = await self._core.database.read(work)
        self._loaded = True
        if found:
            self._follow_feed()
        for task_id, hosts in found.items():
            self._running[task_id] = ReturnedHosts()
            self._moved.update(hosts)

    async def _follow_and_plan(self, changes: Changes) -> None:
        clock, directory = self._core.clock, self._core.directory
        if moved := directory.take_moved():
            self._moved |= moved
            self._online = directory.online_rows()
        expected = directory.expected.seconds_left(clock.monotonic())
        connections = Connections(
            self._online,
            {row: round(left * _SECOND) for row, left in expected.items()},
            self._lost_after,
        )
        tasks = self._running.keys() & changes.tasks
        if changes.all_tasks or not changes:
            tasks = set(self._running)
        while self._moved:
            tasks |= await self._apply_connection_changes(connections)
        tasks |= self._due_tasks(clock.stamp())
        for task_id in sorted(tasks & self._running.keys()):
            await self._plan_all(task_id, connections)

    async def _plan_all(self, task_id: int, connections: Connections) -> None:
        """A rollout that cannot be planned stands still, and the others go on."""
        stuck = self._core.statistics.stuck_rollouts
        was_stuck = task_id in stuck
        try:
            while (await run_to_completion(self._plan(task_id, connections))).unfinished:
                pass
            stuck.discard(task_id)
        except WrongCountersError as error:
            self._due.pop(task_id, None)
            stuck.add(task_id)
            if not was_stuck:
                log.error("rollout stands still", extra={"task": task_id, "error": str(error)})
        if was_stuck != (task_id in stuck):
            self._core.feed.publish(Changes(manager=True))

    def _due_tasks(self, now: int) -> set[int]:
        """Tasks that have waited long enough; all that wait, if the wall clock has gone back: what
        is stored has moved with it, and these times have not."""
        went_back, self._looked_at = now < self._looked_at, now
        return {task_id for task_id, due in self._due.items() if due <= now or went_back}

    async def _apply_connection_changes(self, connections: Connections) -> set[int]:
        """The tasks of hosts that came or went, of as many as one transaction looks at."""
        moved = frozenset(itertools.islice(self._moved, apply_decisions.STEPS_A_TRANSACTION))
        now = self._core.clock.stamp()
        changed = await self._core.plan(
            lambda tx: connection_changes.apply_changes(tx, moved, connections, now)
        )
        self._moved -= moved
        for task_id in changed.tasks & self._running.keys():
            back = self._running[task_id]
            back.add(expected=changed.expected[task_id], away=changed.away[task_id])
            back.remove(changed.gone[task_id])
        return set(changed.tasks)

    async def _plan(self, task_id: int, connections: Connections) -> Planned:
        back, clock = self._running[task_id], self._core.clock
        planned = await self._core.plan(
            lambda tx: apply_decisions.plan(tx, task_id, connections, back, clock.stamp())
        )
        for event, facts in planned.events:
            log.info(event, extra={"task": task_id, **facts})
        back.add(away=planned.away)
        back.remove(planned.taken)
        self._due.pop(task_id, None)
        if planned.due is not None:
            self._due[task_id] = planned.due
        if not planned.running:
            self._remove(task_id)
        self._dispatch.wake_rows(planned.begun)
        if planned.changed:
            self._core.feed.publish(Changes(tasks=frozenset({task_id})), source=self._changes)
        return planned

    def _remove(self, task_id: int) -> None:
        del self._running[task_id]
        if not self._running:
            self._core.feed.detach(self._changes)
            self._moved.clear()

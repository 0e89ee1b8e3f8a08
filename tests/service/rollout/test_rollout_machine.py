"""Rollouts with any limits, and anything that hosts, operators, clocks and restarts do, in any
order: never more begins than is allowed, no host that is there is undeliverable, and every task
that is neither paused nor held ends."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.databases.engines import SQLITE, remove_database
from tests.support.managers.manager_parts import TurnedClock, manager_parts, spec
from tests.support.managers.rollouts import Fleet, host_names
from tests.support.memory_folder import memory_folder
from tests.support.run_length import examples
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, HoldRule, Order, RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, has_barrier
from tui_manager.domain.tasks.assign_batches import concurrency_limit, failure_budget
from tui_manager.domain.tasks.task import Task
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import host_changes

T = TypeVar("T")
HOSTS = host_names(7)
LOST_AFTER = 300.0
DELIVERY_TIMEOUT = 150
host_names_drawn = st.sampled_from(HOSTS)


@st.composite
def rollouts(draw: st.DrawFn) -> RolloutSpec:
    """Any combination that makes sense."""
    batches = draw(st.sampled_from(["", "1", "2", "1,3,rest", "50%", "2,rest"]))
    budget = draw(st.sampled_from(["", "0", "1", "2", "30%"]))
    return RolloutSpec(
        batches=batches,
        order=draw(st.sampled_from(Order)),
        delay=timedelta(seconds=draw(st.sampled_from([0, 100]))) if batches else timedelta(0),
        max_concurrency=draw(st.sampled_from(["", "1", "2", "50%"])),
        max_failures=budget,
        strict=bool(budget) and draw(st.booleans()),
        hold=draw(st.sampled_from(HoldRule)) if batches else HoldRule.NEVER,
        hold_timeout=timedelta(seconds=400),
    )


class RolloutMachine(RuleBasedStateMachine):
    """One task on seven hosts."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._kept = contextlib.ExitStack()
        self._folder = self._kept.enter_context(memory_folder("machine-"))
        self._clock = TurnedClock()
        self._held: dict[str, list[Run]] = {}
        self._host_ids: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._online: set[str] = set()
        self._maintained: set[str] = set()
        self._begun: set[str] = set()
        self._canceled: set[str] = set()  # on these hosts an operator has ended the task
        self._undeliverable: set[tuple[str, int]] = set()  # hosts with commands
        self._holds = 0
        self._stay_away: set[str] = set()  # at the end
        self._task_id = 0
        self._spec, self._in_turns = ALL_AT_ONCE, False
        self._start_manager()

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(act)

    def _start_manager(self) -> None:
        lost_after = timedelta(seconds=LOST_AFTER)
        self._context = manager_parts(self._folder, self._clock, lost_after=lost_after)
        self._fleet = Fleet(self._run(self._context.__aenter__()), held=self._held)

    def teardown(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._kept.close)
            stack.callback(self._loop.close)
            stack.callback(remove_database, self._folder)
            stack.callback(lambda: self._run(self._context.__aexit__(None, None, None)))
            if self._task_id:
                self._come_to_its_end()

    @initialize(
        rollout=rollouts(),
        offline=st.sampled_from(Offline),
        commands=st.integers(1, 2),
        absent=st.sets(host_names_drawn, max_size=2),
        stay_away=st.sets(host_names_drawn, max_size=3),
    )
    def start(
        self,
        rollout: RolloutSpec,
        offline: Offline,
        commands: int,
        absent: set[str],
        stay_away: set[str],
    ) -> None:
        self._stay_away = stay_away
        self._begin(rollout, offline, absent, *(f"step {number}" for number in range(commands)))

    def _begin(
        self,
        rollout: RolloutSpec,
        offline: Offline,
        absent: set[str],
        *commands: str | CommandSpec,
    ) -> None:
        """The task starts, while some hosts are absent."""
        self._connect(HOSTS)
        for name in absent:
            self._disconnect(name)
        tasks = self._fleet.parts.tasks
        given = spec(
            "@all",
            *commands,
            rollout=rollout,
            offline=offline,
            delivery_timeout=timedelta(seconds=DELIVERY_TIMEOUT),
        )
        self._spec, self._in_turns = rollout, rollout != ALL_AT_ONCE or has_barrier(given.commands)
        self._task_id = self._run(tasks.create_task(given))
        self._run(tasks.start_task(self._task_id))
        self._take()

    def _connect(self, names: list[str]) -> None:
        self._run(self._fleet.connect(names, self._host_ids))
        self._host_ids |= {name: self._fleet.sessions[name].host_id for name in names}
        self._online |= set(names)

    def _disconnect(self, name: str) -> None:
        self._run(self._fleet.disconnect([name]))
        self._online.discard(name)

    def _task(self) -> Task:
        return self._run(self._fleet.task(self._task_id))

    def _take(self) -> None:
        """Hosts take what they are sent; it is looked at whether that was allowed."""
        before = self._task()
        sent = self._run(self._fleet.take())
        assert not (sent and before.paused)
        assert not set(sent) & self._canceled
        self._look_for_wrong_ends()
        new = set(sent) - self._begun
        self._begun |= new
        progress = self._task().rollout
        if new and progress:
            assert not new & self._maintained
            limit = concurrency_limit(self._spec, len(HOSTS))
            assert not limit or progress.hosts_under_way <= limit
            budget = failure_budget(self._spec, len(HOSTS))
            assert budget is None or progress.hosts_failed <= budget

    def _look_for_wrong_ends(self) -> None:
        """A host that is there is not undeliverable, and a hold that is recorded has begun."""
        database = self._fleet.parts.database
        found = self._run(database.read(_read_undeliverable))
        wrong = {name for name, _ in found - self._undeliverable} & self._online
        assert not wrong - self._revoked
        self._undeliverable = found
        holds = self._run(database.read(_count_holds))
        assert holds == self._holds or self._task().hold
        self._holds = holds

    @rule(name=host_names_drawn, fails=st.booleans())
    def answer(self, name: str, fails: bool) -> None:
        if name in self._online and self._held[name]:
            self._run(self._fleet.report(name, int(fails)))
            self._take()

    @rule(name=host_names_drawn, sent_first=st.booleans())
    def go(self, name: str, sent_first: bool) -> None:
        """Its stream breaks, perhaps before the next command was sent to it."""
        if name not in self._online:
            return
        if not sent_first and self._held[name]:
            host_id = self._host_ids[name]
            self._fleet.parts.dispatcher.rooms[host_id] = 0
            self._run(self._fleet.report(name, 0))
            del self._fleet.parts.dispatcher.rooms[host_id]
        self._disconnect(name)
        self._take()

    @rule(name=host_names_drawn)
    def come(self, name: str) -> None:
        if name not in self._online | self._revoked:
            self._connect([name])
            self._take()

    @rule(seconds=st.sampled_from([1, 60, 100, 400]))
    def turn(self, seconds: int) -> None:
        self._clock.turn(seconds)
        self._run(self._fleet.parts.silence.run_once())
        self._take()

    @rule(days=st.sampled_from([-10, 10]))
    def jump(self, days: int) -> None:
        """The wall clock is set, and no time passes."""
        self._clock.instant += timedelta(days=days)
        self.turn(0)

    @rule()
    def pause(self) -> None:
        with contextlib.suppress(IllegalMoveError):
            self._run(self._fleet.parts.tasks.pause_task(self._task_id))
        self._take()

    @rule()
    def resume(self) -> None:
        task = self._task()
        legal = not task.status.ended and not task.canceling and (task.paused or task.hold)
        try:
            self._run(self._fleet.parts.tasks.resume_task(self._task_id))
        except IllegalMoveError:
            assert not legal
        else:
            assert legal
        self._take()

    @rule(back=st.sets(host_names_drawn))
    def restart(self, back: set[str]) -> None:
        """The manager is killed and started again; some hosts come back at once."""
        self._run(self._context.__aexit__(None, None, None))
        self._online.clear()
        self._start_manager()
        self._take()
        self._connect(sorted(back - self._revoked))
        self._take()

    @rule(name=host_names_drawn, begins=st.booleans())
    def maintain(self, name: str, begins: bool) -> None:
        maintenance = Maintenance("new disk", None, "ana@pts/3") if begins else None
        (self._maintained.add if begins else self._maintained.discard)(name)
        host_id = self._host_ids[name]
        self._run(
            self._fleet.parts.database.write(
                lambda tx: host_changes.set_maintenance(tx, host_id, maintenance)
            )
        )

    @precondition(lambda self: len(self._revoked) < 2)
    @rule(name=host_names_drawn, really=st.sampled_from([True, False, False, False]))
    def revoke(self, name: str, really: bool) -> None:
        if really and name not in self._revoked:
            self._run(self._fleet.parts.admission.revoke([self._host_ids[name]], "ana"))
            self._revoked.add(name)
            self._held[name].clear()
            if name in self._online:
                self._disconnect(name)
            self._take()

    @rule(really=st.sampled_from([True] + [False] * 9))
    def cancel(self, really: bool) -> None:
        if really:
            with contextlib.suppress(IllegalMoveError):
                self._run(self._fleet.parts.tasks.cancel_task(self._task_id))
            self._take()

    @rule(
        names=st.sets(host_names_drawn, min_size=1, max_size=3),
        really=st.sampled_from([True, False, False]),
    )
    def cancel_on_hosts(self, names: set[str], really: bool) -> None:
        """None of these hosts is sent anything more, and they cost no failure budget."""
        if not really:
            return
        before = self._task().rollout
        host_ids = [self._host_ids[name] for name in sorted(names)]
        try:
            self._run(self._fleet.parts.tasks.cancel_task(self._task_id, "ana", host_ids))
        except IllegalMoveError:
            return
        progress = self._task().rollout
        assert not (before and progress) or progress.hosts_failed == before.hosts_failed
        self._canceled |= names
        self._take()

    @invariant()
    def everything_holds(self) -> None:
        if not self._task_id:
            return
        task = self._task()
        progress = task.rollout
        assert (progress is not None) == self._in_turns
        if progress is None:
            return
        budget = failure_budget(self._spec, len(HOSTS))
        if self._spec.strict and budget is not None:
            assert progress.hosts_failed <= budget + 1
        assert not (task.hold and task.status.ended)

    def _come_to_its_end(self) -> None:
        """Every task that is neither paused nor held ends, also if some hosts stay away."""
        for name in self._stay_away & self._online:
            self.go(name, sent_first=True)
        for _ in range(300):
            if self._task().status.ended:
                return
            self.resume()
            known = self._online | self._revoked | self._stay_away
            self._connect([name for name in HOSTS if name not in known])
            self._take()
            for name in HOSTS:
                self.answer(name, False)
            self.turn(100)
        raise AssertionError(f"it does not end: {self._task()}")


def _read_undeliverable(tx: Transaction) -> set[tuple[str, int]]:
    """Hosts with the positions of their commands."""
    rows = tx.execute(
        "SELECT name, position FROM command_hosts JOIN hosts ON hosts.id = host "
        "WHERE reason = 'undeliverable'"
    )
    return {(row["name"], row["position"]) for row in rows}


def _count_holds(tx: Transaction) -> int:
    count: int = tx.execute("SELECT count(*) FROM audit WHERE action = 'hold_task'").fetchone()[0]
    return count


def test_rollouts_under_any_order_of_acts(engine: str) -> None:
    number = examples(30, few=5) if engine == SQLITE else examples(10, few=2)
    steps = settings(max_examples=number, stateful_step_count=40)
    run_state_machine_as_test(RolloutMachine, settings=steps)

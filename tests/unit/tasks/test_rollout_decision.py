"""What a rollout may do now: single answers, and whole rollouts in any order of events."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.run_length import examples
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.domain.tasks.rollout_decision import (
    BatchCounts,
    Begin,
    BeginBatch,
    Decision,
    EndBatch,
    HostState,
    OpenBarrier,
    ReopenBatch,
    RolloutLimits,
    RolloutState,
    SkipRest,
    Wait,
    decide,
)

BATCHES = RolloutLimits(batches=3, with_batches=True)
RUNNING = RolloutState(
    batch=1, current=BatchCounts(hosts=4, waiting=2, ended=1), waiting=8, under_way=1
)
ENDED = RolloutState(
    batch=1,
    current=BatchCounts(hosts=4, ended=4, completed=3, failed=1),
    batch_ended_at=50,
    waiting=6,
)
HELD = replace(ENDED, held_until=200)
AT_BARRIER = RolloutState(
    batch=1, current=BatchCounts(hosts=4, ended=1, at_barrier=3), barrier=2, waiting=6
)


@pytest.mark.parametrize(
    ("limits", "state", "expected"),
    [
        (BATCHES, RolloutState(0, BatchCounts(), waiting=9), BeginBatch(1)),
        (BATCHES, RUNNING, Begin(0, 2)),
        (BATCHES, replace(RUNNING, paused=True), Wait()),
        (replace(BATCHES, max_concurrency=2), RUNNING, Begin(0, 1)),
        (replace(BATCHES, max_concurrency=1), RUNNING, Wait()),
        (replace(BATCHES, max_concurrency=2), replace(RUNNING, away=1, away_back=1), Begin(1, 0)),
        (replace(BATCHES, max_failures=1, strict=True), RUNNING, Begin(0, 1)),
        (replace(BATCHES, max_failures=1, strict=True), replace(RUNNING, failed=1), Wait()),
        (replace(BATCHES, max_failures=1, strict=True), replace(RUNNING, away=1), Wait()),
        (
            replace(BATCHES, max_failures=1, strict=True),
            replace(RUNNING, failed=1, failing=1),
            Begin(0, 1),
        ),
        (replace(BATCHES, max_failures=1), replace(RUNNING, failed=1), Begin(0, 2)),
        (
            replace(BATCHES, max_failures=1),
            replace(RUNNING, failed=2),
            SkipRest(Reason.BUDGET_SPENT),
        ),
        (BATCHES, ENDED, BeginBatch(2)),
        (BATCHES, replace(ENDED, batch_ended_at=None), EndBatch(None)),
        (BATCHES, replace(ENDED, batch=3), Wait()),
        (replace(BATCHES, delay=100), ENDED, Wait(150)),
        (replace(BATCHES, delay=50), ENDED, BeginBatch(2)),
        (
            replace(BATCHES, hold=HoldRule.EACH, hold_timeout=100),
            replace(ENDED, batch_ended_at=None),
            EndBatch(200),
        ),
        (  # an operator has ended the hold already, before a lost host ran again
            replace(BATCHES, hold=HoldRule.EACH, hold_timeout=100),
            replace(ENDED, batch_ended_at=None, released=1),
            EndBatch(None),
        ),
        (
            replace(BATCHES, hold=HoldRule.FIRST, hold_timeout=100),
            replace(ENDED, batch=2, batch_ended_at=None),
            EndBatch(None),
        ),
        (
            replace(BATCHES, hold=HoldRule.EACH, hold_timeout=100),
            replace(ENDED, batch=3, batch_ended_at=None),
            EndBatch(None),
        ),
        (BATCHES, HELD, Wait(200)),
        (BATCHES, replace(HELD, held_until=100), SkipRest(Reason.HOLD_EXPIRED)),
        (BATCHES, replace(HELD, held_until=100, paused=True), Wait()),
        (BATCHES, replace(HELD, current=BatchCounts(4, ended=3)), ReopenBatch()),
        (
            BATCHES,
            replace(ENDED, current=BatchCounts(4, ended=4, failed=1)),
            SkipRest(Reason.BUDGET_SPENT),
        ),
        (
            replace(BATCHES, max_failures=9),
            replace(ENDED, current=BatchCounts(4, ended=4, failed=4)),
            BeginBatch(2),
        ),
        (
            replace(BATCHES, with_batches=False, batches=1),
            replace(ENDED, current=BatchCounts(4, ended=4, failed=4)),
            Wait(),
        ),
        (
            BATCHES,
            replace(RUNNING, skip_reason=Reason.BUDGET_SPENT),
            SkipRest(Reason.BUDGET_SPENT),
        ),
        (
            BATCHES,
            replace(RUNNING, waiting=0, skip_reason=Reason.BUDGET_SPENT, away=1, away_back=1),
            Begin(1, 0),
        ),
        (BATCHES, AT_BARRIER, OpenBarrier(2)),
        (BATCHES, replace(AT_BARRIER, paused=True), Wait()),
        (BATCHES, replace(AT_BARRIER, current=BatchCounts(hosts=4, at_barrier=3)), Wait()),
        (  # others have gone on already
            BATCHES,
            replace(AT_BARRIER, current=BatchCounts(hosts=4, at_barrier=1), open_barrier=2),
            OpenBarrier(2),
        ),
        (  # and wait at the next one
            BATCHES,
            replace(AT_BARRIER, open_barrier=2, barrier=3),
            OpenBarrier(3),
        ),
        (
            BATCHES,
            replace(
                AT_BARRIER,
                current=BatchCounts(hosts=4, at_barrier=2),
                open_barrier=2,
                barrier=3,
            ),
            Wait(),
        ),
        (
            replace(BATCHES, max_failures=0),
            replace(AT_BARRIER, failed=1),
            SkipRest(Reason.BUDGET_SPENT),
        ),
        (
            replace(BATCHES, max_failures=0),
            replace(AT_BARRIER, failed=1, waiting=0, skip_reason=Reason.BUDGET_SPENT),
            OpenBarrier(2),
        ),
    ],
)
def test_one_answer(limits: RolloutLimits, state: RolloutState, expected: Decision) -> None:
    assert decide(limits, state, 100) == expected


@dataclass
class Host:
    """A host of the model."""

    batch: int
    state: HostState = HostState.WAITING
    connected: bool = True
    failed: bool = False
    completed: bool = False
    begun: bool = False
    lost: bool = False
    step: int = 0
    barrier: int | None = None


@dataclass
class Model:
    """A rollout that does what `decide` says, with hosts that do what Hypothesis says.

    Attributes:
        steps: of each host, with a barrier before each but the first.
    """

    limits: RolloutLimits
    hosts: list[Host]
    steps: int = 1
    open_barrier: int = 0
    now: int = 1000
    batch: int = 0
    batch_ended_at: int | None = None
    held_until: int | None = None
    released: int = 0
    skip_reason: Reason = Reason.NONE
    paused: bool = False
    failures_when_begun: list[int] = field(default_factory=list)

    def count(self, *states: HostState) -> int:
        return sum(host.state in states for host in self.hosts)

    def state(self) -> RolloutState:
        current = [host for host in self.hosts if host.batch == self.batch]
        ended = HostState.ENDED
        return RolloutState(
            batch=self.batch,
            current=BatchCounts(
                hosts=len(current),
                waiting=sum(host.state is HostState.WAITING for host in current),
                ended=sum(host.state is ended for host in current),
                failed=sum(host.failed for host in current),
                completed=sum(host.completed for host in current),
                at_barrier=sum(host.state is HostState.AT_BARRIER for host in current),
            ),
            barrier=min((host.barrier for host in current if host.barrier), default=None),
            open_barrier=self.open_barrier,
            batch_ended_at=self.batch_ended_at,
            held_until=self.held_until,
            released=self.released,
            skip_reason=self.skip_reason,
            waiting=self.count(HostState.WAITING),
            expected=self.count(HostState.EXPECTED),
            under_way=self.count(HostState.UNDER_WAY),
            away=self.count(HostState.AWAY),
            failing=sum(host.failed and host.state is not ended for host in self.hosts),
            failed=sum(host.failed for host in self.hosts),
            expected_back=len(self.back(HostState.EXPECTED)),
            away_back=len(self.back(HostState.AWAY)),
            paused=self.paused,
        )

    def back(self, state: HostState) -> list[Host]:
        return [host for host in self.hosts if host.state is state and host.connected]

    def plan(self) -> int | None:
        """Does all that may be done; returns when to look again."""
        for _ in range(10 * len(self.hosts) + 100):
            decision = decide(self.limits, self.state(), self.now)
            if isinstance(decision, Wait):
                return decision.until
            self.carry_out(decision)
        raise AssertionError(f"it never waits: {decision}")

    def carry_out(self, decision: Decision) -> None:
        if isinstance(decision, BeginBatch):
            assert decision.number == self.batch + 1
            assert all(h.state is HostState.ENDED for h in self.hosts if h.batch <= self.batch)
            self.batch, self.batch_ended_at, self.held_until = decision.number, None, None
            self.open_barrier = 0
        elif isinstance(decision, EndBatch):
            self.batch_ended_at, self.held_until = self.now, decision.held_until
        elif isinstance(decision, ReopenBatch):
            self.batch_ended_at = self.held_until = None
        elif isinstance(decision, SkipRest):
            self.skip_reason, self.held_until = decision.reason, None
            for host in self.hosts:
                if host.state in (HostState.WAITING, HostState.EXPECTED):
                    host.state = HostState.ENDED
        elif isinstance(decision, OpenBarrier):
            self.open(decision.step)
        elif isinstance(decision, Begin):
            self.begin(decision)

    def open(self, step: int) -> None:
        """Two hosts leave the barrier; the next decision is about the others."""
        assert not self.paused
        current = [host for host in self.hosts if host.batch == self.batch]
        if self.open_barrier != step:
            assert {host.state for host in current} <= {HostState.AT_BARRIER, HostState.ENDED}
            assert all(host.barrier is None or host.barrier >= step for host in current)
        self.open_barrier = step
        leaving = [host for host in current if host.barrier == step][:2]
        assert leaving
        for host in leaving:
            host.state, host.barrier = HostState.AWAY, None

    def begin(self, decision: Begin) -> None:
        assert not self.paused
        for host in self.back(HostState.AWAY)[: decision.again]:
            host.state = HostState.UNDER_WAY
        new = self.back(HostState.EXPECTED) + [
            host
            for host in self.hosts
            if host.state is HostState.WAITING and host.batch == self.batch
        ]
        assert len(new) >= decision.new
        for host in new[: decision.new]:
            self.begin_host(host)
        self.check_limits()

    def begin_host(self, host: Host) -> None:
        assert self.skip_reason is Reason.NONE
        if not host.connected:
            host.state = HostState.EXPECTED
            return
        host.state, host.begun = HostState.UNDER_WAY, True
        budget = self.limits.max_failures
        assert budget is None or sum(other.failed for other in self.hosts) <= budget

    def check_limits(self) -> None:
        limits = self.limits
        if limits.max_concurrency:
            assert self.count(HostState.UNDER_WAY) <= limits.max_concurrency
        if limits.strict and limits.max_failures is not None:
            state = self.state()
            may_fail = state.under_way + state.away - state.failing
            assert may_fail + state.failed <= limits.max_failures + 1

    def ended(self) -> bool:
        return self.count(HostState.ENDED) == len(self.hosts)


limits_of_rollouts = st.builds(
    RolloutLimits,
    batches=st.just(1),
    with_batches=st.booleans(),
    delay=st.sampled_from([0, 10]),
    max_concurrency=st.integers(0, 4),
    max_failures=st.none() | st.integers(0, 4),
    strict=st.booleans(),
    hold=st.sampled_from(HoldRule),
    hold_timeout=st.sampled_from([5, 50]),
)
EVENTS = ("complete", "fail", "lose", "back", "late", "gone", "come", "pause", "resume", "turn")


@settings(max_examples=examples(400, few=80))
@given(
    limits=limits_of_rollouts,
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 15)), max_size=60),
    steps=st.integers(1, 3),
)
def test_whole_rollouts(
    limits: RolloutLimits, sizes: list[int], events: list[tuple[str, int]], steps: int
) -> None:
    hosts = [Host(batch) for batch, size in enumerate(sizes, start=1) for _ in range(size)]
    steps = 1 if limits.strict else steps  # a strict budget and a barrier exclude each other
    model = Model(replace(limits, batches=len(sizes)), hosts, steps)
    model.plan()
    for name, number in events:
        _apply(model, name, hosts[number % len(hosts)])
        model.plan()
    _come_to_its_end(model)
    if limits.strict and limits.max_failures is not None:
        assert sum(host.failed for host in hosts) <= limits.max_failures + 1


def _apply(model: Model, name: str, host: Host) -> None:
    _act(model, name) or _end(model, host, name) or _return(host, name)


def _act(model: Model, name: str) -> bool:
    """What operators and time do."""
    if name in ("pause", "resume"):
        model.paused = name == "pause"
    elif name == "turn":
        model.now += 10
    if name == "resume" and model.held_until is not None:
        model.released, model.held_until = model.batch, None
    return name in ("pause", "resume", "turn")


def _end(model: Model, host: Host, name: str) -> bool:
    """How a step of a host that is under way ends, or the host gives its place away."""
    if name not in ("complete", "fail", "lose", "gone"):
        return False
    under_way = host.state is HostState.UNDER_WAY
    host.connected = host.connected and name != "gone"
    if under_way and name == "gone":
        host.state = HostState.AWAY
    elif under_way and name == "complete" and host.step + 1 < model.steps:
        host.step += 1
        host.state, host.barrier = HostState.AT_BARRIER, host.step
    elif under_way:
        host.step = model.steps - 1  # later ones are skipped, also for a host that comes back
        host.state, host.failed = HostState.ENDED, name != "complete"
        host.completed, host.lost = name == "complete", name == "lose"
    return True


def _return(host: Host, name: str) -> bool:
    """What comes from a host that was lost."""
    if name == "come":
        host.connected = True
    elif host.lost:
        host.state = HostState.UNDER_WAY if name == "back" else HostState.ENDED
        host.failed, host.lost, host.completed = False, False, name == "late"
    return True


def _come_to_its_end(model: Model) -> None:
    """Every task that is neither paused nor held ends."""
    for _ in range(20 * len(model.hosts) + 100):
        _apply(model, "resume", model.hosts[0])
        due = model.plan()
        if model.ended():
            return
        for host in model.hosts:
            host.connected = True
            _apply(model, "complete", host)
        model.now = max(model.now, due or 0)
    raise AssertionError(f"it does not end: {model}")

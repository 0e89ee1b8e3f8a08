"""What a rollout may do now: a pure decision over the counts that are stored.

The planner of the service asks, does what the answer says, counts again, and asks again, until the
answer is to wait. Nothing else is kept, so a restarted manager continues at the same point.
Instants and durations are microseconds.
"""

from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.rollout_spec import HoldRule


class HostState(StrEnum):
    """Where a host is in a rollout."""

    WAITING = "waiting"  # its turn has not come
    EXPECTED = "expected"  # its turn has come; it waits for its connection and has not begun
    UNDER_WAY = "under_way"
    AWAY = "away"  # it has begun; its next command is not sent and waits for its connection
    AT_BARRIER = "at_barrier"  # it waits until all of its batch have come so far
    ENDED = "ended"  # all its commands have


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """What does not change while a task runs.

    Attributes:
        batches: how many there are.
        with_batches: an operator asked for them.
        delay: from the end of a batch until the next one begins.
        max_concurrency: hosts under way at one time; 0: no limit.
        max_failures: hosts that may fail; None: all.
        strict: at most as many hosts are under way as may still fail, plus one.
        hold: after which batches the task waits for an operator.
        hold_timeout: how long it waits.
    """

    batches: int
    with_batches: bool = False
    delay: int = 0
    max_concurrency: int = 0
    max_failures: int | None = None
    strict: bool = False
    hold: HoldRule = HoldRule.NEVER
    hold_timeout: int = 0

    def holds_after(self, batch: int) -> bool:
        """Whether the task waits for an operator after this batch."""
        if batch >= self.batches:
            return False
        return self.hold is HoldRule.EACH or (self.hold is HoldRule.FIRST and batch == 1)


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """The hosts of one batch.

    Attributes:
        waiting: whose turn has not come.
        completed: whose commands have all completed.
        at_barrier: that wait until all of the batch have come so far.
    """

    hosts: int = 0
    waiting: int = 0
    ended: int = 0
    failed: int = 0
    completed: int = 0
    at_barrier: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether each host has ended."""
        return self.ended == self.hosts

    @property
    def is_at_barrier(self) -> bool:
        """Whether each host that has not ended waits at a barrier."""
        return self.at_barrier > 0 and self.at_barrier + self.ended == self.hosts


@dataclass(frozen=True, slots=True)
class RolloutState:
    """Where a rollout is.

    Attributes:
        batch: the one that began last, counted from 1; 0: none has begun.
        current: the hosts of that batch.
        barrier: the first step at whose barrier hosts of that batch wait; None: none waits.
        open_barrier: the last step of that batch whose barrier was opened; 0: none.
        batch_ended_at: when the end of that batch was noticed; None: it has not ended.
        held_until: when the hold expires; None: there is no hold.
        released: the last batch whose hold an operator has ended.
        skip_reason: why no more hosts begin; NONE: hosts still begin.
        waiting, expected, under_way, away: hosts in these states.
        failing: hosts that have failed and not ended.
        failed: hosts that have failed. The triggers of the migrations count them.
        expected_back, away_back: hosts in these states that are connected again.
    """

    batch: int
    current: BatchCounts
    barrier: int | None = None
    open_barrier: int = 0
    batch_ended_at: int | None = None
    held_until: int | None = None
    released: int = 0
    skip_reason: Reason = Reason.NONE
    waiting: int = 0
    expected: int = 0
    under_way: int = 0
    away: int = 0
    failing: int = 0
    failed: int = 0
    expected_back: int = 0
    away_back: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before something changes, or before an instant."""

    until: int | None = None


@dataclass(frozen=True, slots=True)
class BeginBatch:
    """The hosts of this batch may begin."""

    number: int


@dataclass(frozen=True, slots=True)
class EndBatch:
    """Each host of the batch has ended; the task may wait for an operator then."""

    held_until: int | None


@dataclass(frozen=True, slots=True)
class ReopenBatch:
    """A host that was lost runs again, so its batch has not ended."""


@dataclass(frozen=True, slots=True)
class OpenBarrier:
    """Hosts of the batch that wait before this step wait for a place instead."""

    step: int


@dataclass(frozen=True, slots=True)
class SkipRest:
    """Hosts that have not begun never do."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Begin:
    """So many hosts may go on.

    Attributes:
        again: hosts that have begun and are connected again.
        new: further hosts; those that are connected again come before those that wait.
    """

    again: int
    new: int


Decision = Wait | BeginBatch | EndBatch | ReopenBatch | OpenBarrier | SkipRest | Begin


def decide(limits: RolloutLimits, state: RolloutState, now: int) -> Decision:
    """What a rollout may do now. Doing it changes the state, so that the next answer is another."""
    current = state.current
    if state.batch and current.has_ended != (state.batch_ended_at is not None):
        return _end_batch(limits, state, now) if current.has_ended else ReopenBatch()
    if state.paused:
        return Wait()
    if state.skip_reason is not Reason.NONE:
        if state.waiting or state.expected:
            return SkipRest(state.skip_reason)
        return _go_on(limits, state)
    if _budget_is_spent(limits, state):
        return SkipRest(Reason.BUDGET_SPENT)
    if not state.batch:
        return BeginBatch(1)
    return _after_batch(limits, state, now) if current.has_ended else _go_on(limits, state)


def _end_batch(limits: RolloutLimits, state: RolloutState, now: int) -> EndBatch:
    """A rollout of which no further host begins has nothing to hold."""
    holds = (
        limits.holds_after(state.batch)
        and state.released < state.batch
        and state.waiting > 0
        and state.skip_reason is Reason.NONE
        and not _budget_is_spent(limits, state)
        and not _all_failed(limits, state)
    )
    return EndBatch(now + limits.hold_timeout if holds else None)


def _budget_is_spent(limits: RolloutLimits, state: RolloutState) -> bool:
    return limits.max_failures is not None and state.failed > limits.max_failures


def _all_failed(limits: RolloutLimits, state: RolloutState) -> bool:
    """Whether the rollout ends because its batch has failed as a whole. A budget replaces this."""
    ends = limits.with_batches and limits.max_failures is None
    return ends and state.current.failed > 0 and not state.current.completed


def _after_batch(limits: RolloutLimits, state: RolloutState, now: int) -> Decision:
    if state.batch >= limits.batches:
        return Wait()
    if _all_failed(limits, state):
        return SkipRest(Reason.BUDGET_SPENT)
    if state.held_until is not None:
        expired = now >= state.held_until
        return SkipRest(Reason.HOLD_EXPIRED) if expired else Wait(state.held_until)
    assert state.batch_ended_at is not None
    due = state.batch_ended_at + limits.delay
    return BeginBatch(state.batch + 1) if now >= due else Wait(due)


def _go_on(limits: RolloutLimits, state: RolloutState) -> Decision:
    """The barrier opens when each host of the batch has come so far. Opening it may take several
    decisions, and hosts that have left it meanwhile do not close it again."""
    if state.barrier is not None and (
        state.barrier <= state.open_barrier or state.current.is_at_barrier
    ):
        return OpenBarrier(state.barrier)
    return _begin(limits, state)


def _begin(limits: RolloutLimits, state: RolloutState) -> Decision:
    """A host that has begun needs only a free place. If the budget of failures is strict, a new
    host needs room in it too. Hosts that are away keep their room, because they may still fail."""
    unlimited = state.away_back + state.expected_back + state.current.waiting
    places = limits.max_concurrency - state.under_way if limits.max_concurrency else unlimited
    again = max(0, min(state.away_back, places))
    new = 0
    if state.skip_reason is Reason.NONE:
        new = min(state.expected_back + state.current.waiting, places - again)
        if limits.strict and limits.max_failures is not None:
            may_fail = state.under_way + state.away - state.failing
            new = min(new, limits.max_failures + 1 - state.failed - may_fail)
    new = max(0, new)
    return Begin(again, new) if again or new else Wait()

"""What becomes of due times, decided by what is stored; Hypothesis plays restarts, pauses, jumps of
the clock and long tasks over it."""

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.run_length import examples
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import Overlap, SkipReason
from tui_manager.domain.schedules.schedule_decision import (
    ClockState,
    Decision,
    ScheduleState,
    Skipped,
    decide,
    skip_missed,
)

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HOURLY = read_cron("0 * * * *", "Europe/Berlin")
STATE = ScheduleState(HOURLY, Overlap.SKIP, 5 * MINUTE, NOON - 30 * MINUTE)
WAIT = replace(STATE, overlap=Overlap.WAIT)
RUNS = ClockState(NOON + SECOND, NOON - 8 * HOUR)


def test_nothing_is_due_before_its_time() -> None:
    assert decide(STATE, replace(RUNS, now=NOON - SECOND)) == Decision(STATE.handled_until)


@pytest.mark.parametrize("late", [timedelta(0), 5 * MINUTE])
def test_a_due_time_starts_up_to_its_misfire(late: timedelta) -> None:
    decision = decide(STATE, replace(RUNS, now=NOON + late))
    assert decision == Decision(NOON + late, start=NOON)


def test_a_due_time_that_is_missed_by_more_is_skipped() -> None:
    now = NOON + 5 * MINUTE + SECOND
    skipped = Skipped(SkipReason.MISFIRE, NOON, NOON)
    assert decide(STATE, replace(RUNS, now=now)) == Decision(now, (skipped,))


def test_what_was_missed_while_the_manager_was_stopped_is_one_row() -> None:
    off = replace(STATE, handled_until=NOON - 8 * HOUR - MINUTE)
    clock_state = ClockState(NOON - 30 * MINUTE, NOON - 31 * MINUTE)
    skipped = Skipped(SkipReason.STOPPED, NOON - 8 * HOUR, NOON - HOUR, 8)
    assert decide(off, clock_state) == Decision(clock_state.now, (skipped,))


def test_of_several_the_latest_starts_if_it_is_not_missed_by_more_than_the_misfire() -> None:
    off = replace(STATE, handled_until=NOON - 8 * HOUR - MINUTE)
    clock_state = ClockState(NOON + MINUTE, NOON + SECOND)
    skipped = Skipped(SkipReason.STOPPED, NOON - 8 * HOUR, NOON - HOUR, 8)
    assert decide(off, clock_state) == Decision(clock_state.now, (skipped,), start=NOON)


def test_what_was_missed_after_the_start_is_a_row_of_its_own() -> None:
    off = replace(STATE, handled_until=NOON - 8 * HOUR - MINUTE)
    clock_state = ClockState(NOON + 30 * MINUTE, NOON - 3 * HOUR + SECOND, was_wrong=True)
    assert decide(off, clock_state).skipped == (
        Skipped(SkipReason.STOPPED, NOON - 8 * HOUR, NOON - 3 * HOUR, 6),
        Skipped(SkipReason.CLOCK, NOON - 2 * HOUR, NOON, 3),
    )


def test_a_due_time_is_skipped_while_a_task_runs() -> None:
    decision = decide(replace(STATE, running=7), RUNS)
    assert decision == Decision(RUNS.now, (Skipped(SkipReason.OVERLAP, NOON, NOON),))


def test_a_due_time_waits_while_a_task_runs_and_one_at_most_waits() -> None:
    assert decide(replace(WAIT, running=7), RUNS) == Decision(RUNS.now, wait=NOON)
    decision = decide(replace(WAIT, running=7, waits=True), RUNS)
    assert decision == Decision(RUNS.now, (Skipped(SkipReason.OVERLAP, NOON, NOON),))


@pytest.mark.parametrize("clock_state", [RUNS, replace(RUNS, trusted=False)])
def test_what_waits_starts_when_the_task_has_ended_however_late_it_is(
    clock_state: ClockState,
) -> None:
    waits = replace(WAIT, waits=True, handled_until=NOON - 9 * HOUR)
    assert decide(waits, clock_state) == Decision(waits.handled_until, start_waiting=True)


def test_nothing_is_due_by_a_clock_that_is_not_believed_or_in_a_pause() -> None:
    nothing = Decision(STATE.handled_until)
    assert decide(STATE, replace(RUNS, trusted=False)) == nothing
    assert decide(replace(STATE, paused=True), RUNS) == nothing
    assert decide(replace(WAIT, paused=True, waits=True), RUNS) == nothing


@pytest.mark.parametrize("paused", [True, False])
def test_a_clock_that_was_days_ahead_does_not_silence_the_schedule(paused: bool) -> None:
    ahead = replace(STATE, handled_until=NOON + 40 * 24 * HOUR, paused=paused)
    assert decide(ahead, RUNS) == Decision(RUNS.now)
    assert decide(ahead, replace(RUNS, trusted=False)) == Decision(ahead.handled_until)
    a_bit = replace(STATE, handled_until=NOON + 3 * HOUR)
    assert decide(a_bit, RUNS) == Decision(a_bit.handled_until)


@dataclass
class World:
    """One schedule, whose decisions are carried out at once."""

    state: ScheduleState
    now: datetime = NOON
    started_at: datetime = NOON
    jumped: timedelta = timedelta(0)  # the wall clock is not believed while it is wrong
    clock_was_wrong: bool = False
    rows: list[tuple[datetime, datetime, int]] = field(default_factory=list)
    started: list[datetime] = field(default_factory=list)
    waiting: datetime | None = None

    def look(self) -> None:
        while self._act():
            pass

    def _act(self) -> bool:
        believed = not self.jumped
        clock_state = ClockState(self.now, self.started_at, believed, self.clock_was_wrong)
        self.clock_was_wrong = not believed
        decision = decide(self.state, clock_state)
        self.keep(decision.skipped)
        for due in filter(None, (decision.start, decision.wait)):
            self.rows.append((due, due, 1))
        if decision.wait:
            assert self.waiting is None
            self.waiting = decision.wait
        start = self.waiting if decision.start_waiting else decision.start
        if start:
            assert not self.state.running
            self.started.append(start)
        if decision.start_waiting:
            self.waiting = None
        self.state = replace(
            self.state,
            running=len(self.started) if start else self.state.running,
            waits=self.waiting is not None,
            handled_until=decision.handled_until,
        )
        return decision.start_waiting

    def keep(self, skipped: tuple[Skipped, ...]) -> None:
        self.rows += [(one.first, one.due, one.count) for one in skipped]

    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND

    def restart(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.started_at, self.clock_was_wrong = self.now, False

    def jump(self, seconds: int) -> None:
        """The wall clock is wrong from now on, and right after the next call."""
        by = -self.jumped or seconds * SECOND
        self.now, self.jumped = self.now + by, self.jumped + by

    def end_task(self, _: int) -> None:
        self.state = replace(self.state, running=0)

    def pause(self, _: int) -> None:
        if not self.state.paused:
            self.waiting = None
            self.state = replace(self.state, paused=True, waits=False)
        elif not self.jumped:
            clock_state = ClockState(self.now, self.started_at)
            self.keep(skip_missed(self.state, self.now, clock_state, SkipReason.PAUSED))
            self.state = replace(self.state, paused=False, handled_until=self.now)


steps = st.lists(
    st.tuples(
        st.sampled_from(["pass_time", "pass_time", "restart", "jump", "end_task", "pause"]),
        st.integers(1, 20_000),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=examples(400, few=80))
@given(
    steps,
    st.sampled_from(Overlap),
    st.sampled_from(["*/20 * * * *", "0 * * * *", "30 14,15 * * *"]),
    st.timedeltas(SECOND, 3 * HOUR),
)
def test_each_due_time_is_in_one_row_and_starts_at_most_one_task(
    done: list[tuple[str, int, bool]], overlap: Overlap, expression: str, misfire: timedelta
) -> None:
    cron = read_cron(expression, "Europe/Berlin")
    world = World(ScheduleState(cron, overlap, misfire, NOON))
    for name, number, looks in done:
        getattr(world, name)(number)
        if looks:
            world.look()
    if world.jumped:
        world.jump(0)
    if world.state.paused:
        world.pause(0)
    world.look()
    handled = world.state.handled_until
    rows = sorted(world.rows)
    assert sum(count for *_, count in rows) == cron.count_due(NOON, handled)
    for (_, end, _), (begin, *_) in itertools.pairwise(rows):
        assert end < begin
    assert all(cron.count_due(first - SECOND, due) == count for first, due, count in rows)
    assert len(set(world.started)) == len(world.started)
    assert cron.last_due(handled, world.now) is None

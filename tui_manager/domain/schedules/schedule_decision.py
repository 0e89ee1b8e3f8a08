"""Decides which due times of a schedule start a task, wait, or are skipped. A pure function: it
gets what is stored and the time, and changes nothing."""

from datetime import datetime, timedelta

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.schedules.cron_and_zone import Cron
from tui_manager.domain.schedules.schedule import Overlap, SkipReason

# If due times are handled up to more than this after now, the clock was ahead when they were
# handled, and is right now.
BACK_MAX = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What is stored of a schedule.

    Attributes:
        misfire: a due time that is missed by more is skipped.
        handled_until: every due time up to this instant has a row, or none was meant to have one.
        running: a task of it that has not ended; 0: none.
        waits: a due time waits until that task has ended.
        paused: nothing is due.
    """

    cron: Cron
    overlap: Overlap
    misfire: timedelta
    handled_until: datetime
    running: int = 0
    waits: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ClockState:
    """The time of a decision, and whether the clock of the manager can be trusted.

    Attributes:
        started_at: when the manager started. What was due before was missed by its stop.
        trusted: whether the clock is right, as far as the manager knows. If it is not, nothing is
            due.
        was_wrong: whether the clock was wrong at some time since the last decision.
    """

    now: datetime
    started_at: datetime
    trusted: bool = True
    was_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """Due times at which nothing runs.

    Attributes:
        first: of several; the same as `due` if it is one.
        due: the last of them.
    """

    reason: SkipReason
    first: datetime
    due: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done in one transaction.

    Attributes:
        start: the due time whose task starts now.
        wait: the due time that waits for the end of the running task.
        start_waiting: the task of the due time that has waited starts now.
    """

    handled_until: datetime
    skipped: tuple[Skipped, ...] = ()
    start: datetime | None = None
    wait: datetime | None = None
    start_waiting: bool = False


def decide(state: ScheduleState, clock_state: ClockState) -> Decision:
    """Decides about all due times up to now. At most one task starts. What waits comes first, and
    is decided on alone; then the caller asks again."""
    nothing, now = Decision(state.handled_until), clock_state.now
    if clock_state.trusted and state.handled_until > now + BACK_MAX:
        return Decision(now)
    if state.paused:
        return nothing
    if state.waits and not state.running:
        return Decision(state.handled_until, start_waiting=True)
    if not clock_state.trusted:
        return nothing
    latest = state.cron.last_due(state.handled_until, now)
    if latest is None:
        return nothing
    if now - latest > state.misfire:
        return Decision(now, skip_missed(state, now, clock_state))
    skipped = skip_missed(state, latest - _SECOND, clock_state)
    if not state.running:
        return Decision(now, skipped, start=latest)
    if state.overlap is Overlap.WAIT and not state.waits:
        return Decision(now, skipped, wait=latest)
    return Decision(now, (*skipped, Skipped(SkipReason.OVERLAP, latest, latest)))


def skip_missed(
    state: ScheduleState, until: datetime, clock_state: ClockState, reason: SkipReason | None = None
) -> tuple[Skipped, ...]:
    """Skips all due times up to an instant that were not handled: one row for those that were
    missed while the manager was stopped, one for the others.

    Args:
        reason: of all of them; None: why they were missed.
    """
    if reason:
        return _skip(state.cron, state.handled_until, until, reason)
    while_stopped = min(max(clock_state.started_at, state.handled_until), until)
    later = SkipReason.CLOCK if clock_state.was_wrong else SkipReason.MISFIRE
    return (
        *_skip(state.cron, state.handled_until, while_stopped, SkipReason.STOPPED),
        *_skip(state.cron, while_stopped, until, later),
    )


def _skip(cron: Cron, after: datetime, until: datetime, reason: SkipReason) -> tuple[Skipped, ...]:
    first, last = cron.next_due(after), cron.last_due(after, until)
    if first is None or last is None:
        return ()
    return (Skipped(reason, first, last, cron.count_due(after, until)),)

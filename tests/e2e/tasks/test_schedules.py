"""Schedules of real managers, made by the program, while the clock is shifted."""

from datetime import UTC, datetime, timedelta

from tests.e2e.managers.test_wrong_clock import DAY, WrongClock
from tests.support.programs.processes import Machine
from tui_manager.client.read_lists import newest_runs
from tui_manager.domain.schedules.schedule import ScheduleRun, SkipReason

HOUR = 3600
AHEAD = 50  # seconds from the making of a schedule until it is due
AFTER_DUE = 55  # seconds by which the clock is set, too few for a jump


def _add(machine: Machine, name: str, cron: str) -> None:
    when = ("--cron", cron, "--zone", "UTC")
    done = machine.run("schedule", "add", name, "h1", *when, "--", "true")
    assert done.code == 0, done


def _history(machine: Machine) -> list[ScheduleRun]:
    """What became of the due times, the oldest first."""
    runs = machine.ask(lambda operator: newest_runs(operator, "job", 10_000))
    return runs[::-1]


def _add_daily(machine: Machine) -> datetime:
    """Makes a schedule, and returns when it is due for the first time."""
    due = (datetime.now(UTC) + timedelta(seconds=AHEAD)).replace(microsecond=0)
    _add(machine, "job", f"{due:%-S %-M %-H} * * *")
    return due


def test_due_times_of_nights_off_are_one_row(machine: Machine) -> None:
    clock = WrongClock(machine.folder)
    serve = machine.serve(**clock.variables)
    machine.agents("h1")
    due = _add_daily(machine)
    clock.shift(AFTER_DUE)
    machine.wait_for("the task", machine.tasks, bool)
    assert serve.stop() == 0
    clock.shift(3 * DAY + HOUR)
    machine.serve("--listen", machine.address, **clock.variables)
    first, off = machine.wait_for(
        "the row of the nights off", lambda: _history(machine), lambda rows: len(rows) == 2
    )
    assert (first.due, first.task_id, first.skipped) == (due, 1, None)
    assert (off.task_id, off.skipped, off.count) == (0, SkipReason.STOPPED, 3)
    days = due + timedelta(days=1), due + timedelta(days=3)
    assert (off.first_due, off.due) == days
    assert len(machine.tasks()) == 1


def test_a_clock_that_jumps_over_a_due_time_and_back_starts_its_task_once(
    machine: Machine,
) -> None:
    clock = WrongClock(machine.folder)
    machine.serve(**clock.variables)
    machine.agents("h1")
    _add(machine, "other", "@yearly")
    due = _add_daily(machine)

    def is_believed() -> bool:
        status = machine.ask(lambda operator: operator.manager_status())
        return status.clock_waits is None

    clock.shift(HOUR)
    machine.wait_for("the jump to be seen", is_believed, lambda believed: not believed)
    # An edit would first act on all that is due.
    refused = machine.run("schedule", "edit", "other", "--misfire", "1h")
    assert (refused.code, "until the clock is back" in refused.err) == (2, True)
    assert (_history(machine), machine.tasks()) == ([], [])
    clock.shift(0)
    machine.wait_for("the clock to be believed", is_believed)
    clock.shift(AFTER_DUE)
    (run,) = machine.wait_for("the due time", lambda: _history(machine), bool)
    assert (run.due, run.task_id, run.skipped, run.count) == (due, 1, None, 1)
    assert len(machine.tasks()) == 1

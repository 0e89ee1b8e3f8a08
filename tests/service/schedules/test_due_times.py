"""What happens at due times: tasks, rows, overlaps, restarts, daylight saving, clocks that jump."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.managers.due_times import add, end, look_at, looping, problems, until
from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tests.support.managers.schedules import ANA, TASK_FILE, WITH_PARAMETER, runs, shown, turn_to
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.schedules.schedule import Overlap, TemplateUse
from tui_manager.service.schedules.schedule_loop import ScheduleLoop
from tui_manager.storage.tables.schedules import schedule_runs

HOUR, DAY = 3600.0, 24 * 3600.0
HALF, SECOND = timedelta(minutes=30), timedelta(seconds=1)
ACT = "tui_manager.service.schedules.schedule_loop.act"


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        await made.connect("web01")
        yield made


async def test_a_due_time_starts_its_task_once(parts: Parts) -> None:
    await add(parts)
    await look_at(parts, 3, 59)
    assert await runs(parts) == []
    await look_at(parts, 4)
    await parts.schedule_loop.run_once()
    assert await shown(parts) == ["04:00 task 1"]
    detail = await parts.tasks.get_task(1)
    assert (detail.task.status, detail.task.created_by) == ("running", "schedule:nightly")
    (run,) = await runs(parts)
    assert (run.decided_at, run.by_operator) == (parts.clock.instant, False)
    created, started = await parts.audited("create_task", "start_task")
    assert created.actor == started.actor == "schedule:nightly"
    schedule = (await parts.schedules.get_schedule("nightly")).schedule
    assert schedule.last == run
    assert schedule.next
    assert schedule.next.hour == 5


@pytest.mark.parametrize("held", [False, True])
async def test_a_due_time_is_skipped_while_a_task_has_not_ended(parts: Parts, held: bool) -> None:
    await add(parts)
    await look_at(parts, 4)
    if held:
        await parts.tasks.pause_task(1)
    await look_at(parts, 5)
    assert await shown(parts) == ["04:00 task 1", "05:00 overlap"]
    assert (await runs(parts))[-1].detail == "Task 1 had not ended."
    page = await parts.schedules.list_schedule_runs("nightly", Window(faults_only=True))
    assert ([run.skipped for run in page.rows], page.matching, page.total) == (["overlap"], 1, 2)
    if held:
        await parts.tasks.resume_task(1)
    await end(parts)
    await look_at(parts, 6)
    assert await shown(parts) == ["04:00 task 1", "05:00 overlap", "06:00 task 2"]


HELD = TASK_FILE + '[rollout]\nbatches = "1,rest"\nhold = "each"\n'


@pytest.mark.parametrize("overlap", list(Overlap))
async def test_a_task_that_is_held_for_days_counts_as_running(
    parts: Parts, overlap: Overlap
) -> None:
    await parts.connect("web02")
    await add(parts, overlap=overlap, task_file=HELD.replace("web01", "web0[1-2]"))
    await look_at(parts, 4)
    await end(parts)
    await parts.rollout_loop.run_once()
    assert (await parts.tasks.get_task(1)).task.hold
    await look_at(parts, 5)
    await look_at(parts, 6)
    first = "05:00 overlap" if overlap is Overlap.SKIP else "05:00 waits"
    assert await shown(parts) == ["04:00 task 1", first, "06:00 overlap"]
    await parts.tasks.cancel_task(1)
    await look_at(parts, 6, 30)
    second = first if overlap is Overlap.SKIP else "05:00 task 2"
    assert await shown(parts) == ["04:00 task 1", second, "06:00 overlap"]


async def test_the_end_of_a_task_wakes_the_loop(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager.service.schedules.schedule_loop._LOOK_EVERY", HOUR)
    await add(parts, overlap=Overlap.WAIT)
    async with looping(parts):
        turn_to(parts, 4)
        await until(parts, "04:00 task 1")
        turn_to(parts, 5)
        await until(parts, "05:00 waits")
        await end(parts)
        await until(parts, "05:00 task 2", wakes=False)


async def test_the_loop_reads_nothing_before_something_is_due(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(parts)
    monkeypatch.setattr("tui_manager.service.schedules.schedule_loop._LOOK_EVERY", 0.0)
    may_act, asked_often, looks = parts.watch.may_act, asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        await ScheduleLoop.run_once(parts.schedule_loop)

    def asked() -> bool:
        answers.append(may_act())
        if len(answers) == 50:
            asked_often.set()
        return answers[-1]

    answers: list[bool] = []
    monkeypatch.setattr(parts.watch, "may_act", asked)
    monkeypatch.setattr(parts.schedule_loop, "run_once", look)
    async with looping(parts):
        await asked_often.wait()
        assert looks <= 2
        parts.clock.instant += timedelta(hours=3)
        answers.clear()
        asked_often.clear()
        await asked_often.wait()
        assert looks <= 3
        assert await runs(parts) == []
        parts.clock.turn(DAY)
        await until(parts, "06:00 task 1", wakes=False)


async def test_a_pause_ends_the_wait_of_a_due_time(parts: Parts) -> None:
    await add(parts, overlap=Overlap.WAIT)
    await look_at(parts, 4)
    await look_at(parts, 5)
    await parts.schedules.pause_schedule("nightly", ANA)
    await end(parts)
    await look_at(parts, 6)
    assert await shown(parts) == ["04:00 task 1", "05:00 paused"]


@pytest.mark.parametrize(("minute", "last"), [(5, "11:00 task 1"), (6, None)])
async def test_a_manager_that_was_off_for_a_night(
    tmp_path: Path, minute: int, last: str | None
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await add(parts)
        await add(parts, name="weekly", cron="0 6 * * 0")
        await parts.watch._store()
    turned.instant = datetime(2026, 1, 2, 11, minute, tzinfo=UTC)
    turned.seconds = 5.0
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        await parts.schedule_loop.run_once()
        missed = "10:00 stopped 7" if last else "11:00 stopped 8"
        assert await shown(parts) == [missed, *([last] if last else [])]
        assert await runs(parts, "weekly") == []


async def test_a_manager_that_was_off_for_a_year(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await add(parts, cron="* * * * *")
        await parts.watch._store()
    turned.turn(365 * DAY)
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        assert parts.watch.untrusted  # only history waits for that
        await parts.schedule_loop.run_once()
        assert await shown(parts) == ["03:03 stopped 525599", "03:04 task 1"]


async def test_what_waits_for_an_overlap_outlives_restart_and_misfire(tmp_path: Path) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        await add(parts, overlap=Overlap.WAIT)
        await look_at(parts, 4)
        await look_at(parts, 5)
        await end(parts)
    turned.turn(1800)
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        await parts.schedule_loop.run_once()
        assert await shown(parts) == ["04:00 task 1", "05:00 task 2"]


CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
     ["03:00 +0200", "02:30 +0200"], ["01:00", "01:30", "03:00", "03:30"]),
    ("Europe/Berlin", datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
     ["02:30 +0200", "02:30 +0100"], ["02:00", "02:30", "02:00", "02:30"]),
    ("America/New_York", datetime(2026, 3, 8, 6, 0, tzinfo=UTC),
     ["03:00 -0400", "02:30 -0400"], ["01:00", "01:30", "03:00", "03:30"]),
    ("America/New_York", datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
     ["02:30 -0500", "02:30 -0500"], ["01:00", "01:30", "01:00", "01:30"]),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 14, 30, tzinfo=UTC),
     ["02:30 +1100", "02:30 +1100"], ["01:00", "01:30", "02:30", "03:00"]),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 0, tzinfo=UTC),
     ["02:30 +1030", "02:30 +1030"], ["01:00", "01:30", "01:30", "02:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "begin", "daily", "halves"), CHANGES)
async def test_each_due_time_over_a_change_of_daylight_saving_is_one_row(
    tmp_path: Path, zone: str, begin: datetime, daily: list[str], halves: list[str]
) -> None:
    """`daily` is due at 2:30, `halves` each half hour; the host is offline, so that tasks end at
    once."""
    turned = TurnedClock(instant=begin - timedelta(days=1))
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
    turned.turn(DAY - HOUR - 1)
    async with manager_parts(tmp_path, turned) as parts:
        turned.turn(HOUR)  # nobody waits for the host any more
        await add(parts, name="daily", cron="30 2 * * *", zone=zone)
        await add(parts, name="halves", cron="*/30 * * * *", zone=zone)
        turned.turn(1)
        for _ in range(5 * 6):
            await parts.schedule_loop.run_once()
            turned.turn(600)
        found = await runs(parts, "halves")
        assert [_clock(run.due, zone, "%H:%M") for run in found][:4] == halves
        assert all(run.task_id and run.count == 1 for run in found)
        assert [run.due for run in found] == [begin + n * HALF for n in range(len(found))]
        assert len(found) == 10
        await parts.schedules.delete_schedule("halves", ANA)
        for _ in range(22 * 2):
            await parts.schedule_loop.run_once()
            turned.turn(1800)
        found = await runs(parts, "daily")
        assert [_clock(run.due, zone, "%H:%M %z") for run in found] == daily
        assert all(run.task_id and run.count == 1 for run in found)


def _clock(instant: datetime, zone: str, form: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).strftime(form)


async def test_after_a_jump_nothing_is_due_until_the_clock_is_back(parts: Parts) -> None:
    """The clock jumps over a due time and back: it starts once, at its time."""
    await add(parts)
    turn_to(parts, 3, 30)
    await parts.watch.run_once()
    parts.clock.instant += timedelta(hours=1)
    await parts.schedule_loop.run_once()
    parts.clock.turn(60)
    await parts.schedule_loop.run_once()
    assert await runs(parts) == []
    parts.clock.instant -= timedelta(hours=1)
    await parts.schedule_loop.run_once()
    assert await runs(parts) == []
    await look_at(parts, 4)
    assert await shown(parts) == ["04:00 task 1"]


@pytest.mark.parametrize("accepted", [True, False])
async def test_what_was_passed_over_while_the_clock_was_not_believed_is_one_row(
    parts: Parts, accepted: bool
) -> None:
    await add(parts)
    turn_to(parts, 3, 30)
    await parts.watch.run_once()
    parts.clock.instant += timedelta(days=40)
    await parts.schedule_loop.run_once()
    if accepted:
        parts.clock.turn(33 * 60)
        await parts.schedule_loop.run_once()
        assert await runs(parts) == []
        assert await parts.watch.accept(ANA)
    else:
        parts.clock.turn(DAY + 33 * 60)
    await parts.schedule_loop.run_once()
    count = 24 * (40 if accepted else 41)
    assert await shown(parts) == [f"03:00 clock {count}", "04:00 task 1"]


async def test_a_clock_that_was_weeks_ahead_does_not_silence_a_schedule(parts: Parts) -> None:
    await add(parts, cron="@daily")
    parts.clock.instant += timedelta(days=40)
    await parts.schedule_loop.run_once()
    assert await parts.watch.accept(ANA)
    await parts.schedule_loop.run_once()
    assert await shown(parts) == ["00:00 clock 40"]
    parts.clock.instant -= timedelta(days=40)
    await parts.schedule_loop.run_once()
    assert await parts.watch.accept(ANA)
    await parts.schedule_loop.run_once()
    await look_at(parts, 0, 1, day=3)
    assert await shown(parts) == ["00:00 clock 40", "00:00 task 1"]


async def test_a_schedule_follows_the_newest_version_unless_one_is_named(parts: Parts) -> None:
    save = parts.templates.save
    await save("restart", WITH_PARAMETER, 0, ANA)
    use = TemplateUse("restart", 0, {"SERVICE": "nginx"})
    await add(parts, name="newest", template=use)
    await add(parts, name="first", template=replace(use, version=1))
    await save("restart", WITH_PARAMETER.replace("nginx", "apache"), 0, ANA)
    assert await problems(parts) == ["", ""]
    await parts.schedule_loop.run_once()
    first, newest = await problems(parts)
    assert first == ""
    assert "nginx" in newest
    await look_at(parts, 4)
    assert await shown(parts, "first") == ["04:00 task 1"]
    (run,) = await runs(parts, "newest")
    assert (run.skipped, run.detail) == ("refused", newest)
    task = (await parts.tasks.get_task(1)).task
    assert str(task.template) == "restart@1"
    await save("restart", WITH_PARAMETER + 'help = "which"\n', 0, ANA)
    await look_at(parts, 5)
    assert await problems(parts) == ["", ""]
    assert (await shown(parts, "newest"))[-1] == "05:00 task 2"
    assert str((await parts.tasks.get_task(2)).task.template) == "restart@3"


async def test_the_target_of_a_schedule_replaces_that_of_its_template(parts: Parts) -> None:
    await parts.connect("web02")
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    await add(parts, template=TemplateUse("restart", target="web02"))
    await look_at(parts, 4)
    assert (await parts.tasks.get_task(1)).task.target == "web02"


async def test_many_schedules_of_one_minute_start_in_order(parts: Parts) -> None:
    for number in range(50):
        await add(parts, name=f"job{number:02}", cron=f"{(50 - number) // 10} 4 * * *")
    await look_at(parts, 4, 5)
    page = await parts.schedules.list_schedules(Window())
    started = sorted(
        (row.last.task_id, row.last.due) for row in page.rows if row.last and row.last.task_id
    )
    assert len(started) == 50
    batches = [{due for _, due in started[begin : begin + 20]} for begin in range(0, 50, 20)]
    assert [max(batch).minute for batch in batches] == [2, 4, 5]


async def test_history_is_removed_when_it_is_old_but_not_the_newest_row(parts: Parts) -> None:
    await add(parts, cron="@daily")
    await look_at(parts, 1, day=3)
    await look_at(parts, 0, day=4)
    parts.clock.turn(31 * DAY)
    assert await shown(parts) == ["00:00 misfire", "00:00 task 1"]
    await parts.pruning.run_once()
    assert await shown(parts) == ["00:00 task 1"]


async def test_only_so_many_rows_of_a_schedule_are_kept(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_runs, "ROWS_KEPT", 2)
    for name in ("nightly", "other"):  # which take turns
        await add(parts, name=name)
    for hour in (4, 5, 6, 7):
        await look_at(parts, hour)
    for name in ("nightly", "other"):
        assert await shown(parts, name) == ["06:00 overlap", "07:00 overlap"]


async def test_after_the_clock_went_back_a_stop_is_not_blamed(parts: Parts) -> None:
    """The manager has started in February, by a clock that was wrong."""
    await add(parts, cron="@daily")
    parts.clock.instant -= timedelta(days=40)
    assert await parts.watch.accept(ANA)
    await parts.schedule_loop.run_once()
    parts.clock.turn(2 * DAY)
    await parts.schedule_loop.run_once()
    (run,) = await runs(parts)
    assert (run.skipped, run.count) == ("misfire", 2)

"""Due times at which something is wrong: tasks that cannot start, schedules that cannot be read,
killed managers, storage, changes at the same moment."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.engines import storage_failure
from tests.support.managers.due_times import add, end, look_at, looping, until
from tests.support.managers.manager_parts import Parts, TurnedClock, manager_parts
from tests.support.managers.schedules import ANA, TASK_FILE, hourly, runs, shown, turn_to
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.schedules.schedule import Overlap, ScheduleSpec, TemplateUse
from tui_manager.domain.task_files.task_file import TaskFile, read_task_file
from tui_manager.service.schedules import make_task
from tui_manager.service.schedules.handle_due_times import HandledDueTimes, handle_due_times
from tui_manager.service.schedules.make_task import ScheduledTask, TaskMaker
from tui_manager.service.schedules.schedule_loop import ScheduleLoop
from tui_manager.service.tasks.start_task import TaskStarter
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.schedules import schedules
from tui_manager.storage.tables.schedules.schedules import NewSchedule, ScheduleRow

ACT = "tui_manager.service.schedules.schedule_loop.handle_due_times"


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        await made.connect("web01")
        yield made


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"task_file": TASK_FILE.replace("web01", "web09")}, "web09"),
        ({"task_file": TASK_FILE.replace("web01", "@offline")}, "@offline"),
    ],
)
async def test_a_task_that_cannot_start_is_a_row_with_the_reason(
    parts: Parts, given: dict[str, Any], sentence: str
) -> None:
    await add(parts, **given)
    await look_at(parts, 4)
    (run,) = await runs(parts)
    assert (run.skipped, run.task_id) == ("refused", 0)
    assert sentence in run.detail
    assert (await parts.tasks.list_tasks(Window())).rows == []
    assert await parts.audited("create_task", "start_task") == []


GONE = "UPDATE schedules SET zone = 'US/Gone' WHERE name = 'nightly'"


async def test_a_schedule_that_cannot_be_read_stops_no_other(parts: Parts) -> None:
    """Its zone was removed from the list of this machine."""
    await add(parts)
    await add(parts, name="other")
    await parts.database.write(lambda tx: tx.execute(GONE))
    detail = await parts.schedules.get_schedule("nightly")
    assert detail.due == ()
    assert "'US/Gone'" in detail.schedule.problem
    async with looping(parts):
        turn_to(parts, 4)
        await until(parts, "04:00 refused")
        await until(parts, "04:00 task 1", name="other")
        turn_to(parts, 5)
        await until(parts, "05:00 overlap", name="other")
        assert await shown(parts, "other") == ["04:00 task 1", "05:00 overlap"]
    (run,) = await runs(parts)
    assert "'US/Gone'" in run.detail
    schedule = (await parts.schedules.get_schedule("nightly")).schedule
    assert (schedule.problem, schedule.next) == (run.detail, None)


async def test_a_schedule_that_cannot_be_read_can_be_edited_and_deleted(parts: Parts) -> None:
    await add(parts)
    await add(parts, name="other")
    await look_at(parts, 3, 30)
    await parts.schedules.pause_schedule("nightly", ANA)
    await parts.database.write(lambda tx: tx.execute(GONE))
    await look_at(parts, 4)
    await parts.schedules.edit_schedule(hourly("other", cron="5 * * * *"), 1, ANA)
    with pytest.raises(InvalidInputError, match="US/Gone"):
        await parts.schedules.resume_schedule("nightly", ANA)
    edited = await parts.schedules.edit_schedule(hourly(), 1, ANA)
    assert edited.problem == ""
    await parts.schedules.resume_schedule("nightly", ANA)
    await parts.database.write(lambda tx: tx.execute(GONE))
    await parts.schedules.delete_schedule("nightly", ANA)
    assert (await parts.schedules.list_schedules(Window())).total == 1


async def test_what_waits_is_refused_if_the_schedule_cannot_be_read(parts: Parts) -> None:
    await add(parts, overlap=Overlap.WAIT)
    await look_at(parts, 4)
    await look_at(parts, 5)
    await parts.database.write(lambda tx: tx.execute(GONE))
    await end(parts)
    await look_at(parts, 5, 30)
    assert await shown(parts) == ["04:00 task 1", "05:00 refused"]


async def test_large_tasks_that_are_due_at_once_are_made_and_written_one_by_one(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all of them are in memory at the same time. Their template is read once."""
    reads, made = 0, 0
    read, make, write = read_task_file, TaskMaker.try_to_make, ScheduleLoop._write

    def reading(*args: Any) -> TaskFile:
        nonlocal reads
        reads += 1
        return read(*args)

    async def makes(maker: TaskMaker, spec: ScheduleSpec) -> ScheduledTask:
        nonlocal made
        made += 1
        assert made == 1
        return await make(maker, spec)

    async def writes(loop: ScheduleLoop, row: ScheduleRow, task: ScheduledTask) -> HandledDueTimes:
        nonlocal made
        handled = await write(loop, row, task)
        made -= 1
        return handled

    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    names = [f"job{number}" for number in range(5)]
    for name in names:
        await add(parts, name=name, template=TemplateUse("restart"))
    monkeypatch.setattr(make_task, "_SMALL", 1)
    monkeypatch.setattr(make_task, "read_task_file", reading)
    monkeypatch.setattr(TaskMaker, "try_to_make", makes)
    monkeypatch.setattr(ScheduleLoop, "_write", writes)
    await look_at(parts, 4)
    assert [(await shown(parts, name))[0][:10] for name in names] == ["04:00 task"] * 5
    assert reads == 1
    monkeypatch.setattr(TaskMaker, "try_to_make", make)
    await parts.templates.save("restart", TASK_FILE.replace("true", "false"), 0, ANA)
    await look_at(parts, 4, 30)
    assert reads == 2


@pytest.mark.sqlite("the disk of a server is not known")
async def test_too_little_disk_is_a_reason(tmp_path: Path) -> None:
    async with manager_parts(tmp_path, free_disk=1 << 62) as parts:
        await parts.connect("web01")
        await add(parts)
        await look_at(parts, 4)
        (run,) = await runs(parts)
        assert run.skipped == "refused"
        assert "no task starts below" in run.detail
        assert (await parts.tasks.list_tasks(Window())).rows == []


def broken(function: Any, error: Exception) -> Any:
    """A function that does what another does, and then fails."""

    def fails(*given: Any) -> None:
        function(*given)
        raise error

    return fails


async def test_a_manager_that_is_killed_before_the_commit_starts_the_task_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        await add(parts)
        with monkeypatch.context() as patched:
            error = storage_failure("disk I/O error")
            patched.setattr(ACT, broken(handle_due_times, error))
            with pytest.raises(StorageError):
                await look_at(parts, 4)
        assert await runs(parts) == []
    turned.turn(60)
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01")
        await parts.schedule_loop.run_once()
        assert _without_numbers(await shown(parts)) == ["04:00 task"]
        assert len(await parts.send()) == 1


def _without_numbers(lines: list[str]) -> list[str]:
    """On PostgreSQL a transaction that fails uses up the numbers of its tasks."""
    return [re.sub(r"task \d+", "task", line) for line in lines]


async def test_a_manager_that_is_killed_after_the_commit_has_started_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = TurnedClock()
    async with manager_parts(tmp_path, turned) as parts:
        opened = await parts.connect("web01")
        await add(parts)
        with monkeypatch.context() as patched:
            patched.setattr(TaskStarter, "announce", broken(TaskStarter.announce, KeyError()))
            with pytest.raises(KeyError):
                await look_at(parts, 4)
    turned.turn(60)
    async with manager_parts(tmp_path, turned) as parts:
        await parts.connect("web01", host_id=opened.host_id)
        parts.hosts.session_ready(opened.host_id)
        await parts.schedule_loop.run_once()
        assert await shown(parts) == ["04:00 task 1"]
        assert len(await parts.send()) == 1


@pytest.mark.parametrize(("minute", "expected"), [(5, "task"), (6, "misfire")])
async def test_trouble_of_the_storage_is_waited_out(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, minute: int, expected: str
) -> None:
    await add(parts)
    with monkeypatch.context() as patched:
        error = storage_failure("database or disk is full")
        patched.setattr(ACT, broken(handle_due_times, error))
        for second in range(3):
            turn_to(parts, 4, 0, second)
            with pytest.raises(StorageError):
                await parts.schedule_loop.run_once()
    await look_at(parts, 4, minute)
    assert _without_numbers(await shown(parts)) == [f"04:00 {expected}"]


async def test_a_template_that_is_saved_just_then_is_the_one_that_starts(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    await add(parts, template=TemplateUse("restart"))
    make = TaskMaker.try_to_make

    async def makes(maker: TaskMaker, spec: ScheduleSpec) -> ScheduledTask:
        made = await make(maker, spec)
        monkeypatch.undo()
        await parts.templates.save("restart", TASK_FILE.replace("true", "false"), 0, ANA)
        return made

    await parts.schedule_loop.run_once()
    turn_to(parts, 4)
    monkeypatch.setattr(TaskMaker, "try_to_make", makes)
    await parts.schedule_loop.run_once()
    assert await shown(parts) == ["04:00 task 1"]
    detail = await parts.tasks.get_task(1)
    assert (str(detail.task.template), detail.commands[0].spec.text) == ("restart@2", "false")


async def test_an_edit_just_then_starts_what_it_says(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(parts)
    make = TaskMaker.try_to_make
    spec = hourly(task_file=TASK_FILE.replace("true", "false"))

    async def makes(maker: TaskMaker, old: ScheduleSpec) -> ScheduledTask:
        made = await make(maker, old)
        monkeypatch.undo()
        new = NewSchedule(spec, "web01", 0)

        def edits(tx: Transaction) -> None:
            schedules.edit(
                tx, schedules.get(tx, "nightly"), new, parts.clock.instant - timedelta(seconds=1)
            )

        await parts.database.write(edits)
        return made

    turn_to(parts, 4)
    monkeypatch.setattr(TaskMaker, "try_to_make", makes)
    await parts.schedule_loop.run_once()
    assert await shown(parts) == ["04:00 task 1"]
    assert (await parts.tasks.get_task(1)).commands[0].spec.text == "false"

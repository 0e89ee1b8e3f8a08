"""What operators do with schedules: add, edit, list, pause, resume, run and delete."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts
from tests.support.managers.schedules import (
    ANA,
    TASK_FILE,
    WITH_PARAMETER,
    end_task,
    hourly,
    runs,
    shown,
    turn_to,
)
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.schedules.schedule import Overlap, ScheduleSpec, TemplateUse
from tui_manager.service.schedules.make_task import ScheduledTask, TaskMaker


async def names(parts: Parts, **window: object) -> list[str]:
    page = await parts.schedules.list_schedules(Window(**window))  # type: ignore[arg-type]
    return [row.spec.name for row in page.rows]


async def test_a_new_schedule_is_due_from_now_on(parts: Parts) -> None:
    spec = hourly(overlap=Overlap.WAIT, cron="0  */6 * * *", zone="Europe/Berlin")
    added = await parts.schedules.add_schedule(spec, ANA)
    assert added.created_by == ANA
    assert (added.revision, added.paused, added.last, added.problem) == (1, False, None, "")
    detail = await parts.schedules.get_schedule("nightly")
    assert detail.schedule == added
    assert added.spec.cron == "0 */6 * * *"
    assert [f"{due:%d %H}" for due in detail.due] == ["02 05", "02 11", "02 17", "02 23", "03 05"]
    assert added.next == detail.due[0]


async def test_the_same_request_adds_a_schedule_once(parts: Parts) -> None:
    request = new_request_id()
    first = await parts.schedules.add_schedule(hourly(), ANA, request)
    assert await parts.schedules.add_schedule(hourly(), ANA, request) == first
    with pytest.raises(IllegalMoveError, match="nightly, which is another"):
        await parts.schedules.add_schedule(hourly("other"), ANA, request)
    assert await names(parts) == ["nightly"]
    assert len(await parts.audited("add_schedule")) == 1


async def test_two_schedules_cannot_have_one_name(parts: Parts) -> None:
    await parts.schedules.add_schedule(hourly(), ANA)
    with pytest.raises(IllegalMoveError, match="a schedule nightly already"):
        await parts.schedules.add_schedule(hourly(cron="@daily"), ANA)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "../x"}, "name"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 31 4,6 *"}, "cron"),
        ({"zone": "Mars/Phobos"}, "zone"),
        ({"task_file": ""}, "template"),
        ({"template": TemplateUse("restart")}, "template"),
        ({"template": TemplateUse("../x")}, "template"),
        ({"task_file": WITH_PARAMETER}, "param"),
        ({"task_file": TASK_FILE + '[params.KEY]\ntype = "secret"\n'}, "param"),
        ({"task_file": '[[steps]]\nrun = "x"'}, "target"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused_when_it_is_added_and_edited(
    parts: Parts, wrong: dict[str, Any], field: str
) -> None:
    await parts.schedules.add_schedule(hourly(), ANA)
    spec = hourly(**({"name": "other"} | wrong))
    with pytest.raises(InvalidInputError) as refused:
        await parts.schedules.add_schedule(spec, ANA)
    assert refused.value.field == field
    if "name" not in wrong:
        with pytest.raises(InvalidInputError):
            await parts.schedules.edit_schedule(hourly(**wrong), 1, ANA)
    assert await names(parts) == ["nightly"]


async def test_a_template_that_is_deleted_just_then_gets_no_schedule(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    await parts.schedules.add_schedule(hourly(), ANA)
    spec, make = hourly(template=TemplateUse("restart")), TaskMaker.make

    async def makes(maker: TaskMaker, spec: ScheduleSpec) -> ScheduledTask:
        made = await make(maker, spec)
        await parts.templates.delete("restart", ANA)
        return made

    monkeypatch.setattr(TaskMaker, "make", makes)
    with pytest.raises(InvalidInputError, match="no template restart"):
        await parts.schedules.edit_schedule(spec, 1, ANA)
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    with pytest.raises(InvalidInputError, match="no template restart"):
        await parts.schedules.add_schedule(replace(spec, name="other"), ANA)
    assert await names(parts) == ["nightly"]


async def test_a_version_that_is_deleted_just_then_gets_no_schedule(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template is there again, but not this version of it."""
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    spec, make = hourly(template=TemplateUse("restart", version=1)), TaskMaker.make

    async def makes(maker: TaskMaker, spec: ScheduleSpec) -> ScheduledTask:
        made = await make(maker, spec)
        await parts.templates.delete("restart", ANA)
        await parts.templates.save("restart", TASK_FILE, 0, ANA)
        return made

    monkeypatch.setattr(TaskMaker, "make", makes)
    with pytest.raises(InvalidInputError, match="no version 1 of the template restart"):
        await parts.schedules.add_schedule(spec, ANA)
    assert await names(parts) == []


async def test_an_edit_keeps_history_and_pause_and_needs_the_revision(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 4)
    await parts.schedule_loop.run_once()
    await parts.schedules.pause_schedule("nightly", ANA)
    turn_to(parts, 6, 30)
    edited = await parts.schedules.edit_schedule(hourly(cron="15 * * * *"), 1, ANA)
    assert (edited.revision, edited.paused, edited.next) == (2, True, None)
    with pytest.raises(IllegalMoveError, match="revision 2, not 1"):
        await parts.schedules.edit_schedule(hourly(), 1, ANA)
    assert await shown(parts) == ["04:00 task 1", "06:00 paused 2"]
    turn_to(parts, 7, 20)
    await parts.schedules.resume_schedule("nightly", ANA)
    assert await shown(parts) == ["04:00 task 1", "06:00 paused 2", "07:15 paused"]


async def test_the_audit_says_what_an_edit_changed(parts: Parts) -> None:
    await parts.templates.save("restart", WITH_PARAMETER, 0, ANA)
    await parts.schedules.add_schedule(hourly(), ANA)
    use = TemplateUse("restart", 1, {"SERVICE": "nginx"}, "@all")
    spec = hourly(template=use, overlap=Overlap.WAIT)
    await parts.schedules.edit_schedule(spec, 1, ANA)
    (added,), (edited,) = await parts.audited("add_schedule"), await parts.audited("edit_schedule")
    assert added.detail == {
        "schedule": "nightly",
        "cron": "0 * * * *",
        "zone": "UTC",
        "target": "web01",
        "overlap": "skip",
        "misfire": "300 s",
        "revision": "1",
    }
    assert edited.detail == {
        **added.detail,
        "template": "restart@1",
        "parameters": "SERVICE",
        "target": "@all",
        "overlap": "wait",
        "revision": "2",
    }


async def test_what_is_due_when_it_is_edited_follows_the_old_description(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 4)
    edited = await parts.schedules.edit_schedule(hourly(cron="0 5 * * *"), 1, ANA)
    assert await shown(parts) == ["04:00 task 1"]
    assert edited.next
    assert f"{edited.next:%d %H:%M}" == "02 05:00"


async def test_an_edit_that_is_cancelled_while_it_looks_takes_no_work_from_the_loop(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.templates.save("restart", TASK_FILE, 0, ANA)
    await parts.schedules.add_schedule(hourly(template=TemplateUse("restart")), ANA)
    await parts.schedules.add_schedule(hourly("other"), ANA)
    await parts.schedule_loop.run_once()
    await parts.templates.save("restart", WITH_PARAMETER, 0, ANA)
    looks = asyncio.Event()

    async def stops(maker: TaskMaker, spec: ScheduleSpec) -> ScheduledTask:
        looks.set()
        return await asyncio.Future()

    with monkeypatch.context() as patched:
        patched.setattr(TaskMaker, "try_to_make", stops)
        editing = asyncio.create_task(
            parts.schedules.edit_schedule(hourly("other", cron="5 * * * *"), 1, ANA)
        )
        await looks.wait()
        editing.cancel()
        await asyncio.wait([editing])
    await parts.schedule_loop.run_once()
    schedule = (await parts.schedules.get_schedule("nightly")).schedule
    assert "SERVICE" in schedule.problem


async def test_an_edit_after_the_clock_went_back_repeats_no_due_time(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    turn_to(parts, 6)
    await parts.schedule_loop.run_once()
    parts.clock.instant -= timedelta(hours=2)
    assert await parts.watch.accept(ANA)
    edited = await parts.schedules.edit_schedule(hourly(cron="*/30 * * * *"), 1, ANA)
    assert edited.next
    assert f"{edited.next:%H:%M}" == "06:30"


async def test_a_clock_that_is_not_believed_loses_no_due_time(parts: Parts) -> None:
    await parts.connect("web01")
    for name in ("nightly", "other"):
        await parts.schedules.add_schedule(hourly(name), ANA)
    await parts.schedules.pause_schedule("nightly", ANA)
    parts.clock.instant += timedelta(hours=12)
    acts = (
        parts.schedules.add_schedule(hourly("third"), ANA),
        parts.schedules.edit_schedule(hourly("other", cron="30 * * * *"), 1, ANA),
        parts.schedules.resume_schedule("nightly", ANA),
    )
    for act in acts:
        with pytest.raises(IllegalMoveError, match="tui-manager clock accept"):
            await act
    parts.clock.instant -= timedelta(hours=12)
    await parts.schedules.resume_schedule("nightly", ANA)
    turn_to(parts, 4)
    await parts.schedule_loop.run_once()
    for name in ("nightly", "other"):
        (run,) = await runs(parts, name)
        assert (run.due, bool(run.task_id)) == (parts.clock.instant, True)


async def test_while_the_clock_is_not_believed_a_schedule_is_paused_run_and_deleted(
    parts: Parts,
) -> None:
    await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    parts.clock.instant += timedelta(hours=12)
    await parts.schedules.pause_schedule("nightly", ANA)
    assert await parts.schedules.run_schedule("nightly", ANA) == 1
    await parts.schedules.delete_schedule("nightly", ANA)


async def test_the_due_times_of_a_pause_are_one_row(parts: Parts) -> None:
    await parts.schedules.add_schedule(hourly(), ANA)
    await parts.schedules.pause_schedule("nightly", ANA)
    assert (await parts.schedules.get_schedule("nightly")).due == ()
    with pytest.raises(IllegalMoveError, match="paused already"):
        await parts.schedules.pause_schedule("nightly", ANA)
    turn_to(parts, 9)
    await parts.schedule_loop.run_once()
    assert await runs(parts) == []
    await parts.schedules.resume_schedule("nightly", ANA)
    (run,) = await runs(parts)
    assert (run.skipped, run.count, run.task_id) == ("paused", 6, 0)
    assert run.first_due
    assert (run.first_due.hour, run.due.hour) == (4, 9)
    with pytest.raises(IllegalMoveError, match="not paused"):
        await parts.schedules.resume_schedule("nightly", ANA)


async def test_lists_by_name_and_by_next_and_with_filters(parts: Parts) -> None:
    for name, cron in (
        ("b", "0 7 * * *"),
        ("a", "0 9 * * *"),
        ("c", "0 5 * * *"),
        ("d", "@hourly"),
    ):
        await parts.schedules.add_schedule(hourly(name, cron=cron), ANA)
    await parts.schedules.pause_schedule("d", ANA)
    assert await names(parts) == ["a", "b", "c", "d"]
    assert await names(parts, descending=True) == ["d", "c", "b", "a"]
    assert await names(parts, sort="next") == ["c", "b", "a", "d"]
    assert await names(parts, sort="next", descending=True) == ["a", "b", "c", "d"]
    assert await names(parts, text="@HOUR") == ["d"]
    assert await names(parts, text="cron=@hour* state=paused by=ana") == ["d"]
    assert await names(parts, text="target=web01 !/^[abc]$/ paused") == ["d"]
    with pytest.raises(InvalidInputError, match="A list of schedules has no key 'host'; it has"):
        await names(parts, text="host=web01")
    assert await names(parts, text="WEB01") == ["a", "b", "c", "d"]
    assert await names(parts, faults_only=True) == []
    turn_to(parts, 5)
    await parts.schedule_loop.run_once()  # there is no host
    assert await names(parts, faults_only=True) == ["c"]
    page = await parts.schedules.list_schedules(Window(limit=1, offset=9, text="b"))
    assert (page.rows, page.matching, page.total) == ([], 4, 4)
    with pytest.raises(InvalidInputError):
        await names(parts, sort="cron")


async def test_an_operator_starts_it_now_also_while_it_is_paused(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    await parts.schedules.pause_schedule("nightly", ANA)
    request = new_request_id()
    task_id = await parts.schedules.run_schedule("nightly", ANA, request)
    assert await parts.schedules.run_schedule("nightly", ANA, request) == task_id
    with pytest.raises(IllegalMoveError, match=f"its task {task_id} has not ended"):
        await parts.schedules.run_schedule("nightly", ANA)
    (run,) = await runs(parts)
    assert (run.by_operator, run.task_id, run.due) == (True, task_id, parts.clock.instant)
    assert (await parts.tasks.get_task(task_id)).task.created_by == "schedule:nightly"
    (entry,) = await parts.audited("run_schedule")
    assert (entry.actor, entry.task_id) == (ANA, task_id)
    await end_task(parts, host.host_id)
    assert await parts.schedules.run_schedule("nightly", ANA) == task_id + 1


async def test_a_start_that_cannot_be_leaves_nothing(parts: Parts) -> None:
    await parts.schedules.add_schedule(hourly(), ANA)
    with pytest.raises(InvalidInputError) as refused:
        await parts.schedules.run_schedule("nightly", ANA)
    assert refused.value.field == "target"
    assert await runs(parts) == []
    assert (await parts.tasks.list_tasks(Window())).rows == []


async def test_a_delete_takes_the_history_and_leaves_the_tasks(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.schedules.add_schedule(hourly(), ANA)
    task_id = await parts.schedules.run_schedule("nightly", ANA)
    await parts.schedules.delete_schedule("nightly", ANA)
    assert await names(parts) == []
    assert (await parts.tasks.get_task(task_id)).task.status == "running"
    with pytest.raises(NotFoundError):
        await parts.schedules.get_schedule("nightly")
    with pytest.raises(NotFoundError):
        await parts.schedules.delete_schedule("nightly", ANA)
    await parts.schedules.add_schedule(hourly(), ANA)
    assert await runs(parts) == []
    assert await parts.schedules.run_schedule("nightly", ANA) == task_id + 1
    assert [entry.action for entry in await parts.audited()][1:] == [
        "add_schedule", "create_task", "start_task", "run_schedule", "delete_schedule",
        "add_schedule", "create_task", "start_task", "run_schedule",
    ]  # fmt: skip


async def test_the_preview_of_a_cron_expression(parts: Parts) -> None:
    dues = await parts.schedules.preview_schedule("0 12 * * *", "America/New_York", 2)
    assert [f"{due:%d %H:%M}" for due in dues] == ["02 17:00", "03 17:00"]
    for cron, zone, count in (("x", "UTC", 5), ("@daily", "x", 5), ("@daily", "UTC", 21)):
        with pytest.raises(InvalidInputError):
            await parts.schedules.preview_schedule(cron, zone, count)

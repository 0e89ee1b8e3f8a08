"""What the manager's status says of all tasks and schedules."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, failed
from tests.support.managers.schedules import ANA, hourly
from tests.support.waiting import wait_until
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.status import Stream
from tui_manager.domain.tasks.task_map import SUMMED_TASKS, TaskSummary
from tui_manager.service.tasks import work_summary
from tui_manager.service.tasks.work_summary import midnight


async def test_tasks_that_failed_before_midnight_are_not_counted(parts: Parts) -> None:
    host = await parts.connect("web01")

    async def fail() -> None:
        task_id = await parts.started("web01", "false")
        await parts.send()
        (row,) = await parts.rows(task_id)
        await parts.report(host.host_id, failed(row.execution_id))

    await fail()
    await fail()
    await parts.started("web01", "true")
    work = await parts.tasks.work_summary()
    assert (work.running, work.failed_today) == (1, 2)
    until_midnight = midnight(parts.clock.instant) + timedelta(days=1) - parts.clock.instant
    parts.clock.turn(until_midnight.total_seconds())
    assert (await parts.tasks.work_summary()).failed_today == 0
    await fail()
    assert (await parts.tasks.work_summary()).failed_today == 1


async def test_a_summary_of_tasks_says_why_they_failed_and_how_far_they_are(parts: Parts) -> None:
    hosts = [await parts.connect(name) for name in ("web01", "web02")]
    task_id = await parts.started("web01,web02", "work")
    other = await parts.started("web01", "true")
    await parts.send()
    rows = {row.host: row for row in await parts.rows(task_id)}
    await parts.report(hosts[0].host_id, failed(rows["web01"].execution_id, 3))
    working = rows["web02"].execution_id
    await parts.report(hosts[1].host_id, Started(working, timedelta(0)))
    await parts.report(hosts[1].host_id, Output(working, Stream.STDOUT, 0, b"41%\n"))
    found = await parts.tasks.overview.summaries((task_id, other, 999))
    (group,) = found[task_id].failures
    assert (group.exit_code, group.hosts, group.names) == (3, 1, "web01")
    assert found[task_id].percent == 41
    assert found[other] == found[999] == TaskSummary()
    with pytest.raises(InvalidInputError) as refused:
        await parts.tasks.overview.summaries(range(SUMMED_TASKS + 1))
    assert refused.value.field == "task_ids"


def test_a_day_begins_in_the_zone_of_the_machine() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    began = midnight(now)
    assert now - timedelta(days=1) < began <= now
    local = began.astimezone()
    assert (local.hour, local.minute) == (0, 0)


async def test_schedules_are_read_again_only_after_one_has_changed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.schedules.add_schedule(hourly("nightly"), ANA)
    assert (await parts.tasks.work_summary()).blocked == ()
    update = "UPDATE schedules SET problem = 'There is no template backup.'"
    await parts.database.write(lambda tx: tx.execute(update).close())
    assert (await parts.tasks.work_summary()).blocked == ()
    await parts.schedules.add_schedule(hourly("weekly"), ANA)
    with monkeypatch.context() as broken:

        async def read(*_: object) -> None:
            raise StorageError("The disk is full.")

        broken.setattr(type(parts.database), "read", read)
        with pytest.raises(StorageError):
            await parts.tasks.work_summary()
    (schedule,) = (await parts.tasks.work_summary()).blocked
    assert schedule.spec.name == "nightly"
    await parts.schedules.pause_schedule("nightly", ANA)
    assert (await parts.tasks.work_summary()).blocked == ()


async def test_while_the_database_is_away_the_newest_summary_stays(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status says that it is away, and so must be answered, and soon."""
    await parts.connect("web01")
    await parts.started("web01", "true")
    before = await parts.tasks.work_summary()
    asked: list[object] = []

    async def fail(work: object) -> None:
        asked.append(work)
        raise StorageError("away")

    with monkeypatch.context() as patched:
        patched.setattr(parts.database, "read", fail)
        with pytest.raises(StorageError):  # nobody knows yet
            await parts.tasks.work_summary()
        parts.statistics.record_transaction(1.0, "away")
        assert await parts.tasks.work_summary() == before
        assert await parts.tasks.work_summary() == before
        assert len(asked) == 1
    parts.clock.turn(60)
    parts.statistics.record_transaction(0.1, "")
    await parts.started("web01", "true")
    assert (await parts.tasks.work_summary()).running == 2


async def test_while_the_database_does_not_answer_the_newest_summary_stays(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if its server takes what is asked, and answers nothing: nobody says that it is away."""
    await parts.connect("web01")
    await parts.started("web01", "true")
    before = await parts.tasks.work_summary()
    await parts.started("web01", "true")
    monkeypatch.setattr(work_summary, "_PATIENCE", 0.0)
    answers, asked, read = asyncio.Event(), [], parts.database.read

    async def wait(work: Any) -> Any:
        asked.append(work)
        await answers.wait()
        return await read(work)

    async def running() -> int:
        return (await parts.tasks.work_summary()).running

    with monkeypatch.context() as patched:
        patched.setattr(parts.database, "read", wait)
        assert await parts.tasks.work_summary() == before
        assert await parts.tasks.work_summary() == before
        assert len(asked) == 1
    answers.set()
    monkeypatch.setattr(work_summary, "_PATIENCE", None)
    await wait_until(running, lambda number: number == 2)

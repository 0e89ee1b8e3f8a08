"""A task that one call makes and starts: whole or not at all, and once for each request id."""

import asyncio

import pytest

from tests.support.managers.manager_parts import Parts, result, spec
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, StorageError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus


async def test_a_task_is_made_and_started(parts: Parts) -> None:
    host = await parts.connect("web01")
    made = await parts.tasks.start_new_task(spec("web01", "uptime"), "ana")
    assert made.left_out == ()
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.tasks.get_task_status(made.task_id) is TaskStatus.COMPLETED
    assert len(await parts.audited("create_task")) == 1
    (started,) = await parts.audited("start_task")
    assert (started.task_id, started.actor) == (made.task_id, "ana")


async def test_a_task_without_hosts_is_not_stored(parts: Parts) -> None:
    await parts.connect("web01")
    with pytest.raises(InvalidInputError, match="Not known: web02") as caught:
        await parts.tasks.start_new_task(spec("web01,web02"), "ana", new_request_id())
    assert caught.value.field == "target"
    await _nothing_stored(parts)


async def test_a_task_for_which_the_disk_is_too_full_is_not_stored(parts: Parts) -> None:
    await parts.connect("web01")
    object.__setattr__(parts.limits, "free_disk", 1 << 62)  # below which no task starts
    try:
        await parts.tasks.start_new_task(spec("web01"), "ana")
    except StorageError:
        await _nothing_stored(parts)
    else:  # the disk of the database is that of another machine
        assert parts.core.database.folder is None


async def _nothing_stored(parts: Parts) -> None:
    assert (await parts.tasks.list_tasks(Window())).total == 0
    assert await parts.audited("create_task", "start_task") == []
    assert await parts.send() == []


@pytest.mark.each_engine
async def test_requests_at_the_same_time_start_one_task(parts: Parts) -> None:
    await parts.connect("web01")
    request = new_request_id()
    made = await asyncio.gather(
        *(parts.tasks.start_new_task(spec("web01"), "ana", request) for _ in range(8))
    )
    assert made == [made[0]] * 8
    assert len(await parts.send()) == 1
    assert len(await parts.audited("create_task")) == 1
    assert len(await parts.audited("start_task")) == 1


async def test_a_repeat_is_answered_when_the_hosts_are_gone(parts: Parts) -> None:
    host = await parts.connect("web01")
    request = new_request_id()
    made = await parts.tasks.start_new_task(spec("web01"), "ana", request)
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, result(run.execution_id))
    await parts.admission.revoke(["web01"], "ana")
    assert await parts.tasks.start_new_task(spec("web01"), "ana", request) == made


async def test_a_task_that_the_request_has_made_before_is_started(parts: Parts) -> None:
    await parts.connect("web01")
    request = new_request_id()
    task_id = await parts.tasks.create_task(spec("web01"), request)
    made = await parts.tasks.start_new_task(spec("web01"), "ana", request)
    assert made.task_id == task_id
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING


async def test_a_request_of_a_task_that_another_one_started_is_refused(parts: Parts) -> None:
    await parts.connect("web01")
    request = new_request_id()
    task_id = await parts.tasks.create_task(spec("web01"), request)
    await parts.tasks.start_task(task_id, "ana", new_request_id())
    with pytest.raises(IllegalMoveError, match="it is running already"):
        await parts.tasks.start_new_task(spec("web01"), "ana", request)


async def test_a_request_of_another_task_is_refused(parts: Parts) -> None:
    await parts.connect("web01")
    request = new_request_id()
    await parts.tasks.start_new_task(spec("web01", "uptime"), "ana", request)
    with pytest.raises(IllegalMoveError, match="which is another"):
        await parts.tasks.start_new_task(spec("web01", "date"), "ana", request)
    assert len(await parts.audited("create_task")) == 1


async def test_without_a_request_id_each_call_makes_a_task(parts: Parts) -> None:
    await parts.connect("web01")
    first, second = [await parts.tasks.start_new_task(spec("web01")) for _ in range(2)]
    assert first.task_id != second.task_id

"""A create or a start with the request id of an earlier one is done once."""

import asyncio

import pytest

from tests.support.managers.manager_parts import Parts, result, spec
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.ids import check_request_id, new_request_id
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus


async def test_a_repeated_create_is_the_same_task(parts: Parts) -> None:
    wanted, request = spec("web01", "uptime"), new_request_id()
    first = await parts.tasks.create_task(wanted, request)
    assert await parts.tasks.create_task(wanted, request.upper()) == first
    assert (await parts.tasks.list_tasks(Window())).total == 1
    assert len(await parts.audited("create_task")) == 1


@pytest.mark.each_engine
async def test_requests_at_the_same_time_make_one_task(parts: Parts) -> None:
    request = new_request_id()
    made = await asyncio.gather(
        *(parts.tasks.create_task(spec("web01", "uptime"), request) for _ in range(8))
    )
    assert made == [made[0]] * 8


async def test_without_a_request_id_each_create_makes_a_task(parts: Parts) -> None:
    first, second = [await parts.tasks.create_task(spec("web01")) for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("other", [spec("web02", "uptime"), spec("web01", "uptime", "date")])
async def test_a_request_id_of_another_task_is_refused(parts: Parts, other: object) -> None:
    request = new_request_id()
    task_id = await parts.tasks.create_task(spec("web01", "uptime"), request)
    with pytest.raises(IllegalMoveError, match=f"{request} has made task {task_id}, which is ano"):
        await parts.tasks.create_task(other, request)  # type: ignore[arg-type]


async def test_a_repeated_start_starts_nothing_more(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    request = new_request_id()
    await parts.tasks.start_task(task_id, "ana", request)
    await parts.tasks.start_task(task_id, "ana", request)
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, result(run.execution_id))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED
    object.__setattr__(parts.limits, "free_disk", 1 << 62)  # below which no task starts
    await parts.tasks.start_task(task_id, "ana", request)  # also when it has ended
    assert await parts.send() == []
    assert len(await parts.rows(task_id)) == 1
    assert len(await parts.audited("start_task")) == 1


@pytest.mark.parametrize("first", ["", new_request_id()])
@pytest.mark.parametrize("second", ["", new_request_id()])
async def test_another_start_of_a_running_task_is_refused(
    parts: Parts, first: str, second: str
) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.tasks.start_task(task_id, "ana", first)
    with pytest.raises(IllegalMoveError, match="it is running already"):
        await parts.tasks.start_task(task_id, "ana", second)


async def test_a_start_that_failed_can_be_asked_for_again(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(spec("web01"))
    request = new_request_id()
    with pytest.raises(InvalidInputError):
        await parts.tasks.start_task(task_id, "ana", request)
    await parts.connect("web01")
    await parts.tasks.start_task(task_id, "ana", request)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING


@pytest.mark.parametrize(
    "odd", ["1", "x" * 500, f"{new_request_id()}\n", f"{{{new_request_id()}}}"]
)
async def test_a_request_id_is_a_uuid(parts: Parts, odd: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a UUID"):
        await parts.tasks.create_task(spec("web01"), odd)
    with pytest.raises(InvalidInputError, match="is not a UUID"):
        await parts.tasks.start_task(1, "ana", odd)
    made = {new_request_id() for _ in range(100)}
    assert len(made) == 100
    assert all(check_request_id(request) == request for request in made)

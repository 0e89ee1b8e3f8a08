"""`follow_task`: in the process, over the socket, and through the operator of another loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.operator.recording import CHUNKS, PROGRESS, STATUS, RecordingOperator
from tui_manager.domain.errors import (
    InvalidInputError,
    NotFoundError,
    StorageError,
    UnreachableError,
)
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Counts
from tui_manager.operator.api import Operator
from tui_manager.operator.cross_thread import CrossThreadOperator
from tui_manager.operator.output_calls import NewOutput, StorageTrouble, TaskEvent
from tui_manager.operator.socket.client.client import connect
from tui_manager.operator.socket.server.server import serve_operator

TASK = 7
WAITING = replace(PROGRESS, counts=Counts(2, pending=2))
RUNNING = replace(PROGRESS, counts=Counts(2, pending=1, running=1))
ENDED = replace(PROGRESS, status=TaskStatus.COMPLETED, counts=Counts(2, completed=2))
OF_TASK = Changes(tasks=frozenset({TASK}))


class Told(RecordingOperator):
    """Tells what a test puts into its lists. After each progress, the task has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.coming: asyncio.Queue[Changes] = asyncio.Queue()
        self.progress: list[Any] = [RUNNING, ENDED]
        self.output: list[Any] = [()]
        self.changes = self._coming
        self.answers["get_task_progress"] = self._progress
        self.answers["follow_output"] = self._output

    async def _coming(self) -> AsyncIterator[Changes]:
        while True:
            yield await self.coming.get()

    async def _progress(self) -> Any:
        self.coming.put_nowait(OF_TASK)
        return _next(self.progress)

    async def _output(self) -> Any:
        return _next(self.output)


def _next(answers: list[Any]) -> Any:
    """The next of the answers, the last of them again and again."""
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, BaseException):
        raise answer
    return answer


@asynccontextmanager
async def in_process(told: Told, _: Path) -> AsyncIterator[Operator]:
    yield told


@asynccontextmanager
async def over_the_socket(told: Told, state_dir: Path) -> AsyncIterator[Operator]:
    async with serve_operator(told, state_dir), connect(state_dir) as client:
        yield client


@asynccontextmanager
async def from_another_loop(told: Told, _: Path) -> AsyncIterator[Operator]:
    yield CrossThreadOperator(told, asyncio.get_running_loop())


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(params=[in_process, over_the_socket, from_another_loop])
async def operator(
    request: pytest.FixtureRequest, told: Told, state_dir: Path
) -> AsyncIterator[Operator]:
    async with request.param(told, state_dir) as opened:
        yield opened


async def events_of(operator: Operator, **wanted: Any) -> list[TaskEvent]:
    async with aclosing(operator.follow_task(TASK, **wanted)) as events:
        return [event async for event in events]


async def test_output_comes_before_the_progress_that_was_read_first(
    operator: Operator, told: Told
) -> None:
    told.output = [CHUNKS[:1], (), CHUNKS[1:], ()]
    events = await events_of(operator)
    assert events == [NewOutput(CHUNKS[:1]), RUNNING, NewOutput(CHUNKS[1:]), ENDED]
    read = [call[:4] for call in told.calls if call[0] == "follow_output"]
    assert read == [("follow_output", TASK, position, "") for position in (0, 3, 3, 4)]
    await told.until_watching(0)


async def test_what_has_not_begun_has_no_output(operator: Operator, told: Told) -> None:
    told.progress = [WAITING, ENDED]
    assert await events_of(operator) == [WAITING, ENDED]
    assert [call[0] for call in told.calls] == [
        "get_task_progress",
        "get_task_progress",
        "follow_output",
    ]


async def test_output_of_one_host_behind_a_position(operator: Operator, told: Told) -> None:
    assert await events_of(operator, after=5, host_id="h-1") == [RUNNING, ENDED]
    assert ("follow_output", TASK, 5, "h-1", 1 << 20, 0, "") in told.calls


async def test_output_may_be_left_out(operator: Operator, told: Told) -> None:
    assert await events_of(operator, output=False) == [RUNNING, ENDED]
    assert {call[0] for call in told.calls} == {"get_task_progress"}


async def test_a_change_of_another_task_asks_for_nothing(operator: Operator, told: Told) -> None:
    async with aclosing(operator.follow_task(TASK)) as events:
        told.coming.put_nowait(Changes(tasks=frozenset({TASK + 1}), hosts=True))
        assert await anext(events) == RUNNING
        assert await anext(events) == ENDED
    assert [call[0] for call in told.calls].count("get_task_progress") == 2


async def test_trouble_with_the_database_is_told_once_and_waited_for(
    operator: Operator, told: Told
) -> None:
    told.progress = [StorageError("full"), StorageError("full"), RUNNING, ENDED]
    told.answers["manager_status"] = STATUS
    for _ in range(3):
        told.coming.put_nowait(Changes(manager=True))
    events = await events_of(operator)
    assert events[0] == StorageTrouble("full")
    assert [event for event in events if not isinstance(event, StorageTrouble)] == [RUNNING, ENDED]


async def test_trouble_of_the_manager_is_told_when_it_begins_and_when_it_is_over(
    operator: Operator, told: Told
) -> None:
    well = replace(STATUS, health=replace(STATUS.health, storage_error=""))
    found = [STATUS, STATUS, well]
    told.progress = [RUNNING, RUNNING, RUNNING, ENDED]

    async def status() -> Any:
        told.coming.put_nowait(OF_TASK)
        return found.pop(0)

    async def progress() -> Any:
        if found:
            told.coming.put_nowait(Changes(manager=True))
        return _next(told.progress)

    told.answers["manager_status"], told.answers["get_task_progress"] = status, progress
    events = await events_of(operator)
    assert [event for event in events if isinstance(event, StorageTrouble)] == [
        StorageTrouble("full"),
        StorageTrouble(""),
    ]
    assert events[-1] == ENDED


async def test_a_task_that_there_is_not(operator: Operator, told: Told) -> None:
    told.progress = [NotFoundError("There is no task 7.")]
    with pytest.raises(NotFoundError, match=r"There is no task 7\."):
        await events_of(operator)
    await told.until_watching(0)


async def test_who_stops_reading_leaves_nothing_behind(operator: Operator, told: Told) -> None:
    told.progress = [RUNNING]
    async with aclosing(operator.follow_task(TASK)) as events:
        assert await anext(events) == RUNNING
        await told.until_watching(1)
    await told.until_watching(0)


async def test_a_manager_that_ends_is_unreachable(told: Told, state_dir: Path) -> None:
    told.answers["get_task_progress"] = WAITING  # and nothing changes any more
    async with connect_to_served(told, state_dir) as (client, end):
        events = client.follow_task(TASK)
        assert await anext(events) == WAITING
        end.set()
        with pytest.raises(UnreachableError):
            await anext(events)


async def test_a_manager_that_ends_does_not_send_all_output_first(
    told: Told, state_dir: Path
) -> None:
    told.output = [CHUNKS]  # without end
    async with connect_to_served(told, state_dir) as (client, end):
        events = client.follow_task(TASK)
        assert await anext(events) == NewOutput(CHUNKS)
        end.set()
        with pytest.raises(UnreachableError, match=r"The manager ends\."):
            _ = [event async for event in events]


@asynccontextmanager
async def connect_to_served(
    told: Told, state_dir: Path
) -> AsyncIterator[tuple[Operator, asyncio.Event]]:
    """A client, and what ends the server before the client."""
    end, serving = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with serve_operator(told, state_dir):
            serving.set()
            await end.wait()

    server = asyncio.create_task(serve())
    await serving.wait()
    async with connect(state_dir) as client:
        yield client, end
    await server


async def test_what_cannot_be_sent_is_wrong_input(told: Told, state_dir: Path) -> None:
    async with over_the_socket(told, state_dir) as client:
        with pytest.raises(InvalidInputError, match="cannot be sent"):
            await anext(client.follow_task(2**70))
    assert told.calls == []

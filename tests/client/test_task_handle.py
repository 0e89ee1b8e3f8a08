"""Tasks of a script: started, followed, waited for, repeated."""

import asyncio
import gc

import pytest

from tests.cli.fake import FakeOperator
from tui_manager.client import (
    CommandHostStatus,
    CommandSpec,
    IllegalMoveError,
    InvalidInputError,
    Manager,
    NotFoundError,
    OutputLine,
    Reason,
    StorageError,
    Stream,
    TaskHandle,
    TaskSpec,
    TaskStatus,
    UnreachableError,
)
from tui_manager.domain.manager.changes import Changes

FAILED = CommandHostStatus.FAILED


@pytest.fixture
def operator() -> FakeOperator:
    """A manager with two hosts."""
    return FakeOperator("web01", "web02")


@pytest.fixture
async def task(operator: FakeOperator) -> TaskHandle:
    """A task that runs on both."""
    return await Manager(operator).run("@all", "uptime")


async def lines_of(task: TaskHandle, host: str = "", stream: Stream | None = None) -> list[str]:
    """The output as text."""
    return [f"{line.host}: {line.text}" async for line in task.output(host, stream=stream)]


async def test_lines_come_while_the_task_runs(operator: FakeOperator, task: TaskHandle) -> None:
    operator.say("web01", "one\ntw")
    lines = task.output()
    assert await anext(lines) == OutputLine("web01", "one", Stream.STDOUT, 0, "1/0/web01")
    coming = asyncio.ensure_future(anext(lines))
    await operator.a_moment()
    assert not coming.done()
    operator.say("web02", "bad\n", Stream.STDERR)
    assert await coming == OutputLine("web02", "bad", Stream.STDERR, 0, "1/0/web02")
    operator.say("web01", "o")
    operator.end_on("web01")
    operator.end_on("web02")
    assert [line.text async for line in lines] == ["two"]


async def test_output_is_not_asked_for_before_a_command_has_begun(operator: FakeOperator) -> None:
    task = await Manager(operator).create(TaskSpec("@all", (CommandSpec("uptime"),)))
    lines = task.output()
    coming = asyncio.ensure_future(anext(lines))
    while "get_task_progress" not in operator.calls:
        await operator.a_moment()
    await operator.a_moment()
    assert "follow_output" not in operator.calls
    await task.start()
    operator.say("web02", "one\n")
    assert (await coming).text == "one"
    operator.end_on("web01")
    operator.end_on("web02")
    assert [line async for line in lines] == []


async def test_the_output_of_one_host_and_of_one_stream(
    operator: FakeOperator, task: TaskHandle
) -> None:
    for host in ("web01", "web02"):
        operator.say(host, "out\n")
        operator.say(host, "err\n", Stream.STDERR)
        operator.end_on(host)
    assert await lines_of(task, "web02") == ["web02: out", "web02: err"]
    assert await lines_of(task, stream=Stream.STDERR) == ["web01: err", "web02: err"]
    with pytest.raises(NotFoundError, match="has no host 'web03'"):
        await lines_of(task, "web03")


async def test_chunks_go_on_after_a_position(operator: FakeOperator, task: TaskHandle) -> None:
    for text in ("a", "b", "c"):
        operator.say("web01", text)
    first = await anext(task.chunks())
    operator.end_on("web01")
    operator.end_on("web02")
    left = [chunk.data async for chunk in task.chunks(after=first.position)]
    assert left == [b"b", b"c"]


async def test_a_loop_that_is_left_closes_the_watch(
    operator: FakeOperator, task: TaskHandle
) -> None:
    operator.say("web01", "one\ntwo\n")
    async for _ in task.output():
        break
    gc.collect()
    for _ in range(5):
        await operator.a_moment()
    assert not operator._watchers


async def test_the_end_of_a_task(operator: FakeOperator, task: TaskHandle) -> None:
    waiting = asyncio.ensure_future(task.wait())
    operator.end_on("web01")
    await operator.a_moment()
    assert not waiting.done()
    operator.end_on("web02", FAILED, Reason.EXIT_CODE, exit_code=3)
    result = await waiting
    assert (result.status, result.completed) == (TaskStatus.FAILED, False)
    assert (result.counts.completed, result.counts.failed) == (1, 1)
    assert [row.host for row in result.rows] == ["web01", "web02"]
    assert [(row.host, row.exit_code) for row in result.not_completed] == [("web02", 3)]
    assert await task.wait() == result  # it can be asked again


async def test_waiting_goes_on_after_the_manager_was_lost(
    operator: FakeOperator, task: TaskHandle
) -> None:
    waiting = asyncio.ensure_future(task.wait())
    await operator.a_moment()
    operator.end()
    with pytest.raises(UnreachableError):
        await waiting
    operator.revive()
    operator.end_on("web01")
    operator.end_on("web02")
    assert (await task.wait()).completed


async def test_waiting_outlasts_a_database_in_trouble(
    operator: FakeOperator, task: TaskHandle
) -> None:
    operator.failure = StorageError("The disk is full.")
    waiting = asyncio.ensure_future(task.wait())
    for _ in range(5):
        await operator.a_moment()
    assert not waiting.done()
    operator.failure = None
    operator.end_on("web01")
    operator.end_on("web02")
    operator.publish(Changes(manager=True))
    assert (await waiting).completed


async def test_a_task_that_there_is_not(operator: FakeOperator) -> None:
    task = Manager(operator).task(62)
    assert repr(task) == "<TaskHandle 62>"
    for call in (task.wait, task.status, task.progress, task.detail, task.cancel, task.result):
        with pytest.raises(NotFoundError):
            await call()


async def test_a_cancel_of_one_host(operator: FakeOperator, task: TaskHandle) -> None:
    with pytest.raises(NotFoundError, match="has no host 'db01'"):
        await task.cancel("db01")
    with pytest.raises(IllegalMoveError):
        await task.resume()
    await task.pause()
    assert (await task.progress()).paused
    await task.resume()
    await task.cancel()
    assert await task.status() is TaskStatus.CANCELED


async def test_a_task_is_run_again_where_it_failed(
    operator: FakeOperator, task: TaskHandle
) -> None:
    operator.end_on("web01")
    operator.end_on("web02", FAILED, Reason.EXIT_CODE, exit_code=3)
    with pytest.raises(InvalidInputError, match="'fialed' is no class of hosts; there are"):
        await task.rerun("fialed")
    with pytest.raises(InvalidInputError, match="hosts = 'web01': expected a list of names"):
        await task.rerun(hosts="web01")
    again = await task.rerun()
    assert (again.task_id, await again.status()) == (2, TaskStatus.RUNNING)
    assert [row.host async for row in again.rows()] == ["web02"]
    whole = await task.rerun("failed", "completed")
    assert [row.host async for row in whole.rows(0)] == ["web01", "web02"]
    one = await task.rerun(hosts=["web01"])
    assert [row.host async for row in one.rows()] == ["web01"]

"""Scripts and inputs on their way from an operator to agents: whole, read from the database a few
times, and a bounded number of bytes at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, dial
from tests.support.waiting import wait_until
from tui_manager import run_manager as running_manager
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.script_and_stdin import (
    CONTENT_LENGTH,
    CONTENTS_LENGTH,
    Content,
    content_of,
)
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.operator.socket.client.client import connect
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.service.dispatch import command_contents
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database
from tui_manager.storage.tables.tasks import command_contents as table
from tui_manager.transport.sessions.large_commands import LargeCommands

FEATURES = ("script", "stdin")
SCRIPT = content_of(b"#!/bin/sh\n".ljust(CONTENT_LENGTH, b"\xff"))
STDIN = content_of((bytes(range(256)) * 4096)[:CONTENT_LENGTH])
LARGEST = CommandSpec(
    "",
    script=SCRIPT,
    arguments=tuple("x" * 131_000 for _ in range(4)),
    stdin=STDIN,
    environment={f"V{number}": "y" * 130_000 for number in range(4)},
)


@pytest.fixture
def heartbeat() -> timedelta:
    """A host that says nothing for three of them is silent."""
    return timedelta(seconds=60)


@pytest.fixture
async def manager(tmp_path: Path, heartbeat: timedelta) -> AsyncIterator[RunningManager]:
    settings = Settings(
        state_dir=tmp_path,
        listen="127.0.0.1:0",
        insecure=True,
        free_disk=0,
        heartbeat=heartbeat,
    )
    async with run_manager(settings) as running:
        yield running
    assert check_database(tmp_path / DATABASE).findings == ()


@pytest.fixture
async def operator(manager: RunningManager, tmp_path: Path) -> AsyncIterator[Operator]:
    """Over the socket."""
    async with connect(tmp_path) as connected:
        yield connected


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The executions for which contents were read from the database."""
    read: list[str] = []
    real = table.contents_of_execution

    def noted(tx: Any, execution_id: str) -> Any:
        read.append(execution_id)
        return real(tx, execution_id)

    monkeypatch.setattr(command_contents, "contents_of_execution", noted)
    return read


async def started(operator: Operator, *commands: CommandSpec) -> int:
    task_id = await operator.create_task(TaskSpec("@all", commands))
    await operator.start_task(task_id)
    return task_id


async def rows(operator: Operator, task_id: int) -> list[CommandHost]:
    return list((await operator.list_command_hosts(task_id, Window(sort="host"))).rows)


def completed(run: pb.RunCommand) -> pb.Result:
    return pb.Result(execution_id=run.execution_id, status=pb.RESULT_STATUS_COMPLETED, exit_code=0)


async def agents(stack: AsyncExitStack, manager: RunningManager, count: int) -> list[AgentStream]:
    dialed = []
    for number in range(count):
        agent = await stack.enter_async_context(dial(manager.address))
        await agent.hello(f"web{number:02}", features=FEATURES)
        dialed.append(agent)
    return dialed


async def test_the_largest_command_arrives_whole(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        task_id = await started(operator, LARGEST, CommandSpec("true"))
        run = (await agent.read_until("run_command")).run_command
        assert (run.script, run.stdin) == (SCRIPT.data, STDIN.data)
        assert run.command == ""
        assert tuple(run.arguments) == LARGEST.arguments
        assert dict(run.environment) == LARGEST.environment
        await agent.report(results=[completed(run)])
        run = (await agent.read_until("run_command")).run_command
        assert run.command == "true"
        assert not run.HasField("script")
        assert not run.HasField("stdin")
        assert not run.arguments
        await agent.report(results=[completed(run)])
        await agent.read_until("acknowledge")
    assert await operator.get_task_status(task_id) is TaskStatus.COMPLETED
    (shown, _) = (await operator.get_task(task_id)).commands
    assert shown.spec == LARGEST
    assert [content.data for content in shown.spec.contents.values()] == [None, None]


async def test_empty_stdin_is_not_no_stdin(manager: RunningManager, operator: Operator) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        await started(operator, CommandSpec("cat", stdin=content_of(b"")))
        run = (await agent.read_until("run_command")).run_command
        assert (run.HasField("stdin"), run.stdin) == (True, b"")


async def test_a_task_of_16_mib_is_created_over_the_socket(operator: Operator) -> None:
    most = (replace(LARGEST, arguments=(), environment={}),) * (CONTENTS_LENGTH // CONTENT_LENGTH)
    most = most[: len(most) // 2]
    task_id = await operator.create_task(TaskSpec("@all", most))
    assert len((await operator.get_task(task_id)).commands) == len(most)
    with pytest.raises(InvalidInputError, match="at most 16777216 are allowed") as caught:
        await operator.create_task(TaskSpec("@all", (*most, CommandSpec("", script=SCRIPT))))
    assert caught.value.field == "script"


async def test_a_hash_without_bytes_is_refused_over_the_socket(operator: Operator) -> None:
    """Who knows the hash of a script of another task has not got its bytes by it."""
    await operator.create_task(TaskSpec("@all", (CommandSpec("", script=SCRIPT),)))
    without = Content(SCRIPT.size, SCRIPT.sha256)
    with pytest.raises(InvalidInputError, match="bytes of the script are missing"):
        await operator.create_task(TaskSpec("@all", (CommandSpec("", script=without),)))


async def test_all_hosts_of_a_task_share_what_was_read_once(
    manager: RunningManager, operator: Operator, reads: list[str]
) -> None:
    async with AsyncExitStack() as stack:
        dialed = await agents(stack, manager, 20)
        await started(operator, CommandSpec("", script=SCRIPT, stdin=STDIN))
        for agent in dialed:
            run = (await agent.read_until("run_command")).run_command
            assert (run.script, run.stdin) == (SCRIPT.data, STDIN.data)
    assert len(reads) == 1


async def test_what_is_kept_is_bounded(
    manager: RunningManager,
    operator: Operator,
    reads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_contents, "KEPT_BYTES", 2 * CONTENT_LENGTH)
    scripts = [content_of(b"#!/bin/sh %d\n" % n + bytes(CONTENT_LENGTH - 20)) for n in range(3)]
    read_again = []
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        for number in (0, 1, 0, 2, 0, 1):
            before = len(reads)
            await started(operator, CommandSpec("", script=scripts[number]))
            run = (await agent.read_until("run_command")).run_command
            assert run.script == scripts[number].data
            read_again.append(len(reads) > before)
    assert read_again == [True, True, False, True, False, True]  # 1 was used longest ago


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM command_contents WHERE kind = 'stdin'",
        "UPDATE command_contents SET data = CAST('#!/bin/false' AS BLOB) WHERE kind = 'script'",
    ],
    ids=["lost", "changed"],
)
async def test_a_command_whose_script_is_damaged_fails_and_is_not_sent(
    manager: RunningManager, operator: Operator, tmp_path: Path, damage: str
) -> None:
    command = CommandSpec("", script=SCRIPT, stdin=STDIN)
    damaged = await operator.create_task(TaskSpec("@all", (command, CommandSpec("true"))))
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as database:
        stored = database.execute("SELECT * FROM command_contents").fetchall()
        database.execute(damage)
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        await operator.start_task(damaged)
        await wait_until(
            lambda: operator.get_task_status(damaged), lambda status: status is TaskStatus.FAILED
        )
        await started(operator, CommandSpec("uptime"))
        assert (await agent.read_until("run_command")).run_command.command == "uptime"
    first, second = await rows(operator, damaged)
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.UNDELIVERABLE)
    assert "does not hold its script or its stdin as they were stored" in first.detail
    assert second.status is CommandHostStatus.SKIPPED
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as database:
        database.executemany("REPLACE INTO command_contents VALUES (?, ?, ?, ?)", stored)


async def test_a_script_waits_for_a_database_that_cannot_be_read(
    manager: RunningManager, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = table.contents_of_execution, iter(range(2))

    def failing(tx: Any, execution_id: str) -> Any:
        if next(failures, None) is not None:
            raise StorageError("The database cannot be read.")
        return real(tx, execution_id)

    monkeypatch.setattr(command_contents, "contents_of_execution", failing)
    monkeypatch.setattr(command_contents, "_RETRY", 0.01)
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES)
        await started(operator, CommandSpec("", script=SCRIPT))
        assert (await agent.read_until("run_command")).run_command.script == SCRIPT.data


@pytest.fixture
def write_timeout() -> float:
    return 60.0


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch, write_timeout: float) -> Callable[[], int]:
    """All sessions together may write one script at a time; how many bytes they write now."""
    made: list[LargeCommands] = []

    def make(contents: Any, monotonic: Callable[[], float]) -> LargeCommands:
        made.append(
            LargeCommands(contents, monotonic, budget=CONTENT_LENGTH + 1000, timeout=write_timeout)
        )
        return made[-1]

    monkeypatch.setattr(running_manager, "LargeCommands", make)
    return lambda: made[0].used


@pytest.mark.parametrize("heartbeat", [timedelta(seconds=0.5)])
async def test_an_agent_that_reads_nothing_holds_up_others_only_until_it_is_silent(
    small_budget: Callable[[], int], manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as stalled, dial(manager.address) as other:
        await stalled.hello("web01", features=FEATURES)
        task_id = await started(operator, CommandSpec("", script=SCRIPT))
        await wait_until(_value(small_budget), lambda used: used > 0)
        await other.hello("web02", features=FEATURES)
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(_beat(other))
            await started(operator, CommandSpec("", script=SCRIPT))
            run = (await other.read_until("run_command")).run_command
            beating.cancel()
        assert run.script == SCRIPT.data
        assert (await rows(operator, task_id))[0].status is CommandHostStatus.PENDING
    await wait_until(_value(small_budget), lambda used: used == 0)


@pytest.mark.parametrize("heartbeat", [timedelta(seconds=2)])
@pytest.mark.parametrize("write_timeout", [0.5])
async def test_an_agent_that_reports_and_reads_nothing_does_not_hold_up_others(
    small_budget: Callable[[], int], manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as stalled, dial(manager.address) as other:
        await stalled.hello("web01", features=FEATURES)
        await started(operator, CommandSpec("", script=SCRIPT))
        await wait_until(_value(small_budget), lambda used: used > 0)
        await other.hello("web02", features=FEATURES)
        async with asyncio.TaskGroup() as group:
            beats = [group.create_task(_beat(agent)) for agent in (stalled, other)]
            await started(operator, CommandSpec("", script=SCRIPT))
            run = (await other.read_until("run_command")).run_command
            for beat in beats:
                beat.cancel()
        assert run.script == SCRIPT.data
        await wait_until(_value(small_budget), lambda used: used == 0)


async def test_a_script_that_did_not_arrive_is_sent_again(
    small_budget: Callable[[], int], manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        host_id = (await agent.hello("web01", features=FEATURES)).welcome.host_id
        task_id = await started(operator, CommandSpec("", script=SCRIPT), CommandSpec("true"))
        await wait_until(_value(small_budget), lambda used: used > 0)
    (sent, _) = await rows(operator, task_id)
    async with dial(manager.address) as agent:
        await agent.hello("web01", host_id=host_id, features=FEATURES)
        run = (await agent.read_until("run_command")).run_command
        assert (run.execution_id, run.script) == (sent.execution_id, SCRIPT.data)
        await agent.report(results=[completed(run)])
        run = (await agent.read_until("run_command")).run_command
        assert run.command == "true"
    await wait_until(_value(small_budget), lambda used: used == 0)


async def _beat(agent: AgentStream) -> None:
    """Sends the heartbeats of an agent."""
    while True:
        await agent.report()
        await asyncio.sleep(0.1)


def _value(read: Callable[[], int]) -> Callable[[], Any]:
    async def value() -> int:
        return read()

    return value

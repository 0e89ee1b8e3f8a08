"""Copies: what agents ask for comes from the store, behind everything else."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, dial
from tests.support.agents.file_agent import FEATURES, ask, pull, read_part, upload
from tests.support.file_sets import make_set
from tests.support.waiting import wait_until
from tui_manager import run_manager as running_manager
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FileSetPart, Transfer
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database
from tui_manager.transport.sessions.file_parts import REQUESTS_MAX, FileShare

DATA, MANIFEST = FileSetPart.DATA, FileSetPart.MANIFEST
MADE = make_set({b"app.conf": os.urandom(700_000), b"zeros": bytes(600_000), b"empty": b""})
COPY = CommandSpec("", copy=CopySpec(MADE.files, "/etc/app/", mode=0o640, owner="app"))
SIZE = MADE.files.size


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[RunningManager]:
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as running:
        yield running
    assert check_database(tmp_path / DATABASE).findings == ()


@pytest.fixture
def operator(manager: RunningManager) -> Operator:
    return manager.operator


async def started(operator: Operator, *commands: CommandSpec, target: str = "@all") -> int:
    task_id = await operator.create_task(TaskSpec(target, commands))
    await operator.start_task(task_id)
    return task_id


async def row(operator: Operator, task_id: int) -> CommandHost:
    (found, *_) = (await operator.list_command_hosts(task_id, Window(sort="host"))).rows
    return found


async def begin(operator: Operator, agent: AgentStream) -> tuple[int, str]:
    """(task_id, execution_id) of a copy that an agent has been sent."""
    await upload(operator, MADE)
    await agent.hello("web01", features=FEATURES)
    task_id = await started(operator, COPY)
    run = (await agent.read_until("run_command")).run_command
    await agent.report(started=[pb.Started(execution_id=run.execution_id)])
    await agent.read_until("acknowledge")
    return task_id, run.execution_id


async def test_an_agent_asks_for_all_of_a_copy(manager: RunningManager, operator: Operator) -> None:
    async with dial(manager.address) as agent:
        await upload(operator, MADE)
        await agent.hello("web01", features=FEATURES)
        task_id = await started(operator, COPY)
        run = (await agent.read_until("run_command")).run_command
        files = run.copy.files
        assert files.sha256.hex() == MADE.files.sha256
        assert (files.manifest_size, files.size) == (len(MADE.manifest), SIZE)
        assert (run.copy.to, run.copy.mode, run.copy.owner) == ("/etc/app/", 0o640, "app")
        execution_id = run.execution_id
        assert await pull(agent, execution_id, MANIFEST, 0, len(MADE.manifest)) == MADE.manifest
        assert await pull(agent, execution_id, DATA, 5, SIZE - 5) == MADE.data[5:]
        did = pb.Transfer(
            bytes=SIZE, files=3, unchanged_files=1, received_bytes=SIZE - 5, sha256=files.sha256
        )
        ended = pb.Result(
            execution_id=execution_id, status=pb.RESULT_STATUS_COMPLETED, exit_code=0, transfer=did
        )
        await agent.report(results=[ended])
        await agent.read_until("acknowledge")
        assert await operator.get_task_status(task_id) is TaskStatus.COMPLETED
        expected = Transfer(SIZE, 3, 1, SIZE - 5, MADE.files.sha256)
        assert (await row(operator, task_id)).transfer == expected
        await ask(agent, execution_id, DATA, 0, 1)
        assert "is not under way" in (await read_part(agent)).problem


async def test_requests_are_answered_in_order_however_many(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        step = SIZE // 100
        for number in range(100):
            await ask(agent, execution_id, DATA, number * step, step)
        came = b""
        while len(came) < 100 * step:
            answer = await read_part(agent)
            assert answer.offset == len(came)
            came += answer.data or bytes(answer.zeros)
        assert came == MADE.data[: 100 * step]


async def test_a_new_session_answers_nothing_of_the_old_one(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        for _ in range(50):
            await ask(agent, execution_id, DATA, 0, SIZE)
        await read_part(agent)
    held = pb.HeldExecution(execution_id=execution_id, state=pb.EXECUTION_STATE_RUNNING)
    async with dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES, executions=[held])
        resume = (await agent.read_until("resume")).resume
        assert resume.action == pb.RESUME_ACTION_GO_ON
        assert await pull(agent, execution_id, DATA, 400_000, 1000) == MADE.data[400_000:401_000]


async def test_a_restarted_manager_answers_from_any_byte(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as manager, dial(manager.address) as agent:
        _, execution_id = await begin(manager.operator, agent)
        await pull(agent, execution_id, DATA, 0, 1000)
    held = pb.HeldExecution(execution_id=execution_id, state=pb.EXECUTION_STATE_RUNNING)
    async with run_manager(settings) as manager, dial(manager.address) as agent:
        await agent.hello("web01", features=FEATURES, executions=[held])
        assert await pull(agent, execution_id, DATA, 1000, 1000) == MADE.data[1000:2000]


async def test_a_canceled_copy_gets_a_problem_and_no_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        task_id, execution_id = await begin(operator, agent)
        await pull(agent, execution_id, DATA, 0, 10)
        await operator.cancel_task(task_id)
        await agent.read_until("cancel_command")
        for _ in range(3):
            await ask(agent, execution_id, DATA, 10, 10)
            assert "was cancelled" in (await read_part(agent)).problem
        ended = pb.Result(execution_id=execution_id, status=pb.RESULT_STATUS_CANCELED)
        await agent.report(results=[ended])
        await agent.read_until("acknowledge")
        assert await violations(operator) == []
        assert (await row(operator, task_id)).transfer is None


async def violations(operator: Operator) -> list[str]:
    page = await operator.list_audit(Window(limit=100))
    return [str(entry.detail) for entry in page.rows if entry.action == "violation"]


async def disconnected(agent: AgentStream) -> pb.Disconnect:
    return (await agent.read_until("disconnect")).disconnect


async def test_unknown_executions_get_a_problem(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        await begin(operator, agent)
        await ask(agent, "00000000-0000-4000-8000-00000000dead", DATA, 0, 10)
        answer = await read_part(agent)
        assert "does not know the execution" in answer.problem
        assert answer.execution_id.endswith("dead")


@pytest.mark.parametrize("part", list(FileSetPart))
async def test_bytes_outside_of_the_set_are_a_violation(
    manager: RunningManager, operator: Operator, part: FileSetPart
) -> None:
    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        size = MADE.files.sizes[part]
        assert await pull(agent, execution_id, part, size - 1, 1) == MADE.part(part)[-1:]
        await ask(agent, execution_id, part, size - 1, 2)
        told = await disconnected(agent)
        assert told.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
        assert "were asked for, which has" in told.detail


async def test_too_many_requests_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        for _ in range(REQUESTS_MAX + 20):
            await ask(agent, execution_id, DATA, 0, SIZE)
        told = await disconnected(agent)
        assert f"More than {REQUESTS_MAX} requests" in told.detail


async def test_another_hosts_files_are_a_violation(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as agent, dial(manager.address) as other:
        _, execution_id = await begin(operator, agent)
        await other.hello("web02", features=FEATURES)
        await ask(other, execution_id, DATA, 0, 10)
        assert "another host's" in (await disconnected(other)).detail
        assert await pull(agent, execution_id, DATA, 0, 10) == MADE.data[:10]


async def test_commands_and_acknowledgements_are_not_held_up(
    manager: RunningManager, operator: Operator
) -> None:
    """The agent has asked for 300 MB and reads nothing for a while: what the manager has to say
    meanwhile comes behind the few parts that were on their way, and before all others."""

    async def sent() -> bool:
        return (await row(operator, task_id)).sent_at is not None

    async def ended() -> bool:
        return await operator.get_task_status(task_id) is TaskStatus.COMPLETED

    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        for _ in range(REQUESTS_MAX - 10):
            await ask(agent, execution_id, DATA, 0, SIZE)
        await read_part(agent)
        task_id = await started(operator, CommandSpec("true"))
        await wait_until(sent, bool)
        came, message = await read_past_parts(agent, "run_command")
        assert came <= 4 * PART_LENGTH
        second = message.run_command.execution_id
        completed = pb.RESULT_STATUS_COMPLETED
        result = pb.Result(execution_id=second, status=completed, exit_code=0)
        await agent.report(results=[result])
        await wait_until(ended, bool)
        came, _ = await read_past_parts(agent, "acknowledge")
        assert came <= 4 * PART_LENGTH


async def read_past_parts(agent: AgentStream, kind: str) -> tuple[int, pb.ManagerMessage]:
    """The next message of a kind, and how many bytes of files came before it."""
    came = 0
    while not (message := await agent.read()).HasField(kind):  # type: ignore[arg-type]
        came += len(message.file_part.data) + message.file_part.zeros
    return came, message


async def test_progress_is_shown(manager: RunningManager, operator: Operator) -> None:
    async def transfer() -> Transfer | None:
        return (await row(operator, task_id)).transfer

    async with dial(manager.address) as agent:
        task_id, execution_id = await begin(operator, agent)
        for size, files in ((10, 0), (800_000, 1)):
            said = pb.TransferProgress(execution_id=execution_id, bytes=size, files=files)
            await agent.report(transfers=[said])
            await wait_until(transfer, lambda shown: shown == Transfer(size, files))  # noqa: B023


async def test_an_agent_that_reads_nothing_is_not_ended_for_it(
    manager: RunningManager, operator: Operator
) -> None:
    async with dial(manager.address) as stalled, dial(manager.address) as other:
        _, execution_id = await begin(operator, stalled)
        for _ in range(REQUESTS_MAX):
            await ask(stalled, execution_id, DATA, 0, SIZE)
        await other.hello("web02", features=FEATURES)
        await started(operator, COPY, target="web02")
        run = (await other.read_until("run_command")).run_command
        assert await pull(other, run.execution_id, DATA, 0, SIZE) == MADE.data
        assert await pull(other, run.execution_id, DATA, 0, SIZE) == MADE.data
        await read_part(stalled)
        assert await violations(operator) == []


async def test_an_agent_that_reports_and_reads_nothing_does_not_hold_up_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(source: Any, on_written: Any, monotonic: Any) -> FileShare:
        return FileShare(source, on_written, monotonic, 4 * PART_LENGTH, timeout=0.2)

    monkeypatch.setattr(running_manager, "FileShare", make)
    settings = Settings(
        state_dir=tmp_path,
        listen="127.0.0.1:0",
        insecure=True,
        free_disk=0,
        heartbeat=timedelta(seconds=2),
    )
    async with (
        run_manager(settings) as manager,
        dial(manager.address) as stalled,
        dial(manager.address) as other,
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
    ):
        _, execution_id = await begin(manager.operator, stalled)
        for _ in range(REQUESTS_MAX):
            await ask(stalled, execution_id, DATA, 0, SIZE)
        await other.hello("web02", features=FEATURES)
        beats = [group.create_task(_beat(agent)) for agent in (stalled, other)]
        await started(manager.operator, COPY, target="web02")
        execution_id = (await other.read_until("run_command")).run_command.execution_id
        for _ in range(20):  # the other one stalls meanwhile
            assert await pull(other, execution_id, DATA, 0, SIZE) == MADE.data
        for beat in beats:
            beat.cancel()


async def _beat(agent: AgentStream) -> None:
    """Sends the heartbeats of an agent until its session ends."""
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while True:
            await agent.report()
            await asyncio.sleep(0.1)


async def test_sent_bytes_are_counted(manager: RunningManager, operator: Operator) -> None:
    async def rate() -> float:
        return (await operator.manager_status()).health.files_sent_per_second

    async with dial(manager.address) as agent:
        _, execution_id = await begin(operator, agent)
        await pull(agent, execution_id, DATA, 0, SIZE)
        await wait_until(rate, lambda found: found > SIZE / 10)

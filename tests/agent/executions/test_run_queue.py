"""Capacity, order and cancels of commands that wait on the host."""

import os
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import MISBEHAVE, Gate
from tests.agent.fake_manager import FakeManager
from tests.agent.in_process import InProcess


@pytest.fixture
async def narrow(tmp_path: Path, manager: FakeManager) -> AsyncIterator[AgentProcess]:
    """An agent that runs one command at a time."""
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, "--capacity=1")
    await manager.wait_for(lambda: manager.reports)
    yield agent
    await agent.close()


async def all_arrived(manager: FakeManager) -> None:
    """The agent has handled everything that was sent before."""
    barrier = "5e1b1f0e-7a43-4c3c-a41c-6bb51a7c4b10"
    manager.cancel(barrier)
    await manager.result(barrier)


async def started(manager: FakeManager, execution_id: str) -> None:
    await manager.wait_for(lambda: manager.stored(execution_id).starts)


async def test_the_highest_priority_first_then_in_order(
    manager: FakeManager, narrow: AgentProcess, gate: Gate, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    first = manager.run(f"cat {gate}")
    await started(manager, first)
    waiting = [
        manager.run(f"echo {name} >> {order}", priority=priority)
        for name, priority in (("a", 0), ("b", 0), ("low", -1), ("high", 7))
    ]
    await all_arrived(manager)
    gate.open()
    for execution_id in waiting:
        await manager.result(execution_id)
    assert order.read_text().split() == ["high", "a", "b", "low"]


async def test_cancel_of_a_waiting_command_is_proof_that_it_never_started(
    manager: FakeManager, narrow: AgentProcess, gate: Gate
) -> None:
    await started(manager, manager.run(f"cat {gate}"))
    for mode in (wire.CANCEL_MODE_KILL, wire.CANCEL_MODE_ONLY_IF_NOT_STARTED):
        waiting = manager.run("echo ran")
        manager.cancel(waiting, mode)
        result = await manager.result(waiting)
        assert result.status == wire.RESULT_STATUS_CANCELED
        assert not result.HasField("duration")
    gate.open()


async def test_recall_leaves_a_running_command_alone(
    manager: FakeManager, narrow: AgentProcess, gate: Gate
) -> None:
    running = manager.run(f"cat {gate}")
    await started(manager, running)
    manager.cancel(running, wire.CANCEL_MODE_ONLY_IF_NOT_STARTED)
    await all_arrived(manager)
    gate.open()
    assert (await manager.result(running)).status == wire.RESULT_STATUS_COMPLETED


async def test_what_waits_too_long_is_undeliverable(
    manager: FakeManager, narrow: AgentProcess, gate: Gate
) -> None:
    limit = Duration()
    limit.FromTimedelta(timedelta(milliseconds=50))
    await started(manager, manager.run(f"cat {gate}"))
    result = await manager.result(manager.run("echo ran", start_before=limit))
    assert result.status == wire.RESULT_STATUS_FAILED
    assert result.reason == wire.RESULT_REASON_UNDELIVERABLE
    gate.open()


async def test_what_comes_too_late_is_undeliverable_though_nobody_waits(
    manager: FakeManager, narrow: AgentProcess
) -> None:
    result = await manager.result(manager.run("echo ran", start_before=Duration()))
    assert result.reason == wire.RESULT_REASON_UNDELIVERABLE
    assert not result.HasField("duration")
    assert (await manager.result(manager.run("true"))).exit_code == 0


async def test_what_was_accepted_starts_after_a_restart(
    manager: FakeManager, narrow: AgentProcess, gate: Gate
) -> None:
    running = manager.run(f"cat {gate}")
    await started(manager, running)
    waiting = manager.run("echo $WORD", environment={"WORD": "kept"})
    await all_arrived(manager)
    await narrow.kill()
    await narrow.start(manager, "--capacity=1")
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    states = {held.execution_id: held.state for held in manager.hellos[1].executions}
    assert states[waiting] == wire.EXECUTION_STATE_ACCEPTED
    assert states[running] == wire.EXECUTION_STATE_RUNNING
    before = len(manager.reports)
    await manager.wait_for(lambda: len(manager.reports) > before)
    vitals = manager.reports[before].vitals
    assert (vitals.running, vitals.queued) == (1, 1)
    gate.open()
    await manager.result(waiting)
    assert manager.stored(waiting).stdout == b"kept\n"


async def test_a_background_process_holds_no_capacity(
    manager: FakeManager, narrow: AgentProcess, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    leaking = manager.run(f"{MISBEHAVE} leak_the_pipe {flag}")
    assert (await manager.result(leaking)).exit_code == 0
    daemon = manager.stored(leaking).stdout.split()[0].decode()
    assert (await manager.result(manager.run(f"kill -0 {daemon}"))).exit_code == 0
    flag.touch()


async def test_what_is_not_built_is_refused(manager: FakeManager, narrow: AgentProcess) -> None:
    result = await manager.result(manager.run("true", pty=True))
    assert result.reason == wire.RESULT_REASON_REJECTED
    assert "pty" in result.detail


async def test_an_id_that_would_leave_the_journal_is_left_alone(
    manager: FakeManager, narrow: AgentProcess, tmp_path: Path
) -> None:
    manager.run("true", execution_id="../../evil")
    manager.cancel("..")
    assert (await manager.result(manager.run("true"))).exit_code == 0
    assert not any("evil" in names for _, names, _ in os.walk(tmp_path))


async def test_an_execution_that_ended_before_its_start_uses_no_capacity(tmp_path: Path) -> None:
    agent = InProcess(tmp_path, capacity=1)
    await agent.run(str(uuid.uuid4()), "true")
    execution = agent.executions.queue.pop_ready()
    assert execution is not None
    execution.order = None
    await agent.executions._runner._start(execution)
    assert agent.executions.queue.running == 0
    agent.close()

"""Agent and supervisor are killed at any moment, and what they report then is true."""

import asyncio
import os
import signal
from pathlib import Path

from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import MISBEHAVE, Gate
from tests.agent.fake_manager import FakeManager


def folder_of(agent: AgentProcess, manager: FakeManager, execution_id: str) -> Path:
    return agent.state_dir / "managers" / manager.manager_id / "executions" / execution_id


def supervisor_of(agent: AgentProcess, manager: FakeManager, execution_id: str) -> int:
    folder = folder_of(agent, manager, execution_id)
    return int(record.read(str(folder / record.CLAIM))["pid"])


async def gone(pid: int) -> None:
    """Until a process that is no child of ours has ended."""
    pidfd = os.pidfd_open(pid)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)


async def begun(manager: FakeManager, execution_id: str, word: bytes = b"ready") -> None:
    await manager.wait_for(lambda: word in manager.stored(execution_id).stdout)


async def test_a_result_from_while_the_agent_was_away(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; echo late; exit 7")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    await agent.kill()
    gate.open()
    await gone(supervisor)
    await agent.start(manager)
    assert (await manager.result(execution_id)).exit_code == 7
    assert manager.stored(execution_id).stdout == b"ready\nlate\n"
    assert manager.hellos[1].executions[0].state == wire.EXECUTION_STATE_ENDED
    assert manager.hellos[1].executions[0].has_result


async def test_a_killed_supervisor_interrupts_and_leaves_nothing(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = manager.run(f"{MISBEHAVE} escape")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    assert len(processes.find(execution_id, supervisor)) >= 2
    os.kill(supervisor, signal.SIGKILL)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_FAILED
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert "processes were killed" in result.detail
    assert result.HasField("duration")
    assert processes.find(execution_id, 0) == {}
    manager.run("echo again", execution_id=execution_id)
    await manager.wait_for(lambda: len(manager.stored(execution_id).results) == 2)
    assert b"again" not in manager.stored(execution_id).stdout


async def test_agent_and_supervisor_killed(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run("echo ready; sleep 600")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    await agent.kill()
    os.kill(supervisor, signal.SIGKILL)
    await agent.start(manager)
    result = await manager.result(execution_id)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert [total.stored for total in result.totals] == [len("ready\n"), 0]
    assert processes.find(execution_id, 0) == {}


async def test_handed_over_but_never_claimed_is_interrupted(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}")
    await begun(manager, execution_id)
    await agent.kill()
    lost = "11111111-2222-4333-8444-555555555555"
    folder = folder_of(agent, manager, lost)
    folder.mkdir()
    (folder / record.STARTING).write_bytes(record.encode({"command": "echo ran"}))
    await agent.start(manager)
    result = await manager.result(lost)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert not result.HasField("duration")
    gate.open()
    assert (await manager.result(execution_id)).exit_code == 0


async def test_the_host_was_restarted_under_it(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run("echo ready; sleep 600")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    await agent.kill()
    os.kill(supervisor, signal.SIGKILL)
    folder = folder_of(agent, manager, execution_id)
    started = record.encode({"at": 10**18, "boot_id": "an earlier one"})
    record.write(str(folder), record.CLAIM, started)
    await agent.start(manager)
    result = await manager.result(execution_id)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert result.HasField("duration")
    assert result.duration.ToSeconds() < 60


async def test_cancel_reaches_a_supervisor_of_an_earlier_agent(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = manager.run("echo ready; sleep 600")
    await begun(manager, execution_id)
    await agent.kill()
    manager.verdicts[execution_id] = wire.RESUME_ACTION_CANCEL
    await agent.start(manager)
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
    assert processes.find(execution_id, 0) == {}


async def test_an_adopted_supervisor_that_dies_is_noticed(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = manager.run("echo ready; sleep 600")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    await agent.kill()
    await agent.start(manager)
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    os.kill(supervisor, signal.SIGKILL)
    assert (await manager.result(execution_id)).reason == wire.RESULT_REASON_INTERRUPTED


async def test_bytes_that_are_gone_are_a_counted_gap(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; echo more")
    await begun(manager, execution_id)
    await agent.terminate()
    supervisor = supervisor_of(agent, manager, execution_id)
    manager.executions.clear()  # a restored database
    gate.open()
    await gone(supervisor)
    os.truncate(folder_of(agent, manager, execution_id) / record.STDOUT, 3)
    await agent.start(manager)
    assert (await manager.result(execution_id)).exit_code == 0
    stored = manager.stored(execution_id)
    assert stored.stdout == b"rea" + bytes(len("dy\nmore\n"))
    assert stored.gaps == len("dy\nmore\n")

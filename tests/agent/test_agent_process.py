"""The installed agent against a manager: one stream, commands, output, results, restarts."""

import stat
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.fake_manager import FakeManager
from tests.support.waiting import wait_until


def seconds(number: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=number))
    return duration


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def executions_of(agent: AgentProcess) -> list[Path]:
    return list(agent.state_dir.glob("managers/*/executions/*"))


async def test_says_who_it_is(manager: FakeManager, agent: AgentProcess) -> None:
    hello = manager.hellos[0]
    assert hello.protocol_version == 1
    assert (hello.manager_id, hello.host_id) == ("", "")
    assert hello.journal_id
    assert hello.boot_id
    assert hello.instance_id
    assert hello.hostname
    assert hello.capacity == 5
    assert manager.reports[0].vitals.memory_total > 0


async def test_a_short_command_can_cost_a_single_report(
    manager: FakeManager, agent: AgentProcess
) -> None:
    """Once in ten tries, because a busy machine may take a break in the middle."""
    for _ in range(10):
        before = len(manager.reports)
        execution_id = manager.run("echo out; echo err >&2")
        await manager.result(execution_id)
        whole = manager.reports[before]
        if whole.started and len(whole.output) == 2 and whole.results:
            return
    raise AssertionError(f"it always took more: {manager.reports[-3:]}")


async def test_runs_a_command(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run("echo out; echo err >&2; exit 3")
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_FAILED
    assert result.reason == wire.RESULT_REASON_EXIT_CODE
    assert result.exit_code == 3
    assert result.HasField("duration")
    stored = manager.stored(execution_id)
    assert stored.stdout == b"out\n"
    assert bytes(stored.streams[wire.STREAM_STDERR]) == b"err\n"
    assert stored.starts == 1


async def test_a_command_sees_a_sane_environment(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run("env; pwd; umask; echo $0", environment={"COLOUR": "bl ue=1"})
    await manager.result(execution_id)
    output = manager.stored(execution_id).stdout.decode()
    assert "COLOUR=bl ue=1\n" in output
    assert f"TUI_MANAGER_EXECUTION_ID={execution_id}\n" in output
    assert f"\n{Path.home()}\n" in output
    assert "PATH=" in output
    assert "OWN_SECRET" not in output


async def test_an_acknowledged_execution_leaves_no_files(
    manager: FakeManager, agent: AgentProcess
) -> None:
    first = manager.run("echo secret; exit 0")
    await manager.result(first)

    async def left() -> list[Path]:
        return executions_of(agent)

    await wait_until(left, lambda folders: not folders)
    assert stat.S_IMODE(agent.state_dir.stat().st_mode) == 0o700


async def test_the_same_id_again_is_answered_and_not_run(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    traces = tmp_path / "traces"
    execution_id = manager.run(f"echo x >> {traces}; echo output")
    await manager.result(execution_id)
    manager.run(f"echo x >> {traces}", execution_id=execution_id)
    await manager.wait_for(lambda: len(manager.stored(execution_id).results) == 2)
    assert traces.read_text() == "x\n"
    assert manager.stored(execution_id).results[1].exit_code == 0


async def test_cancel_kills_the_tree(manager: FakeManager, agent: AgentProcess) -> None:
    execution_id = manager.run("sleep 600 & setsid sleep 600 & echo $! ready; wait")
    await manager.wait_for(lambda: b"ready" in manager.stored(execution_id).stdout)
    manager.cancel(execution_id)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_CANCELED
    assert not result.kill_incomplete
    pid = int(manager.stored(execution_id).stdout.split()[0])
    assert not is_alive(pid)


async def test_cancel_of_what_never_arrived_leaves_a_tombstone(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
    manager.cancel(execution_id)
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
    manager.run("echo never", execution_id=execution_id)
    await manager.wait_for(lambda: len(manager.stored(execution_id).results) == 2)
    assert manager.stored(execution_id).stdout == b""


async def test_sigterm_leaves_commands_running(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo begin; cat {gate}; echo end")
    await manager.wait_for(lambda: manager.stored(execution_id).stdout)
    status, _ = await agent.terminate()
    assert status == 0
    await manager.wait_for(lambda: manager.closed_politely)
    await agent.start(manager)
    gate.open()
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert manager.stored(execution_id).stdout == b"begin\nend\n"
    assert manager.hellos[1].manager_id == manager.manager_id
    assert manager.hellos[1].journal_id == manager.hellos[0].journal_id


async def test_a_killed_agent_goes_on_at_the_byte(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"seq 1 100000; cat {gate}; seq 100001 200000")
    await manager.wait_for(lambda: manager.stored(execution_id).size > 100_000)
    await agent.kill()
    await agent.start(manager)
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    gate.open()
    result = await manager.result(execution_id)
    assert result.exit_code == 0
    expected = "".join(f"{number}\n" for number in range(1, 200_001)).encode()
    assert manager.stored(execution_id).stdout == expected
    assert [held.execution_id for held in manager.hellos[1].executions] == [execution_id]


async def test_the_window_bounds_what_is_under_way(
    manager: FakeManager, agent: AgentProcess
) -> None:
    window = 100_000
    settings = wire.Settings(output_window=window, heartbeat=seconds(5))
    manager.send(settings=settings)
    manager.acknowledges = False
    execution_id = manager.run("head -c 300000 /dev/zero")
    await manager.wait_for(lambda: manager.stored(execution_id).size >= window)
    await manager.result(manager.run("true"))
    stored = manager.stored(execution_id)
    assert stored.size == window
    manager.acknowledges = True
    manager.acknowledge_output(execution_id)
    await manager.result(execution_id)
    assert stored.size == 300_000
    assert stored.most_under_way <= window

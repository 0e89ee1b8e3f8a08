"""Files of an earlier agent that the disk fails to read."""

import asyncio
import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tui_manager_agent.executions import recovery, runner
from tui_manager_agent.journal import read_failures
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent import faults
from tests.agent.in_process import InProcess
from tests.agent.live_executions import LiveExecutions


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the pauses between two checks."""
    for room in (runner, recovery):
        monkeypatch.setattr(room, "CHECK_EVERY", 0.01)


async def test_an_order_that_cannot_be_read_has_failed_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, next_one = str(uuid.uuid4()), str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.run(lost, "touch ran")
    before.close()
    with monkeypatch.context() as disk:
        disk.setattr(record, "read_sealed", faults.broken)
        after = LiveExecutions(tmp_path)
    await after.resume(lost, wire.RESUME_ACTION_GO_ON)
    result = await after.result(lost)
    assert result.reason == wire.RESULT_REASON_SPAWN_FAILED
    assert "its order cannot be read: Input/output error" in result.detail
    await after.run(next_one, "true")
    assert (await after.result(next_one)).exit_code == 0
    await after.stop()


async def test_a_claimed_order_is_not_taken_for_one_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = LiveExecutions(tmp_path)
    await asyncio.sleep(0)  # it serves
    execution_id = await before.start("sleep 600")
    supervisor = before.supervisor_of(execution_id)
    await before.stop()
    os.kill(supervisor, signal.SIGKILL)
    with monkeypatch.context() as host:
        host.setattr(ExecutionFolder, "order", faults.too_many_files)
        after = LiveExecutions(tmp_path)
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    result = await after.result(execution_id)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert "of its processes were killed" in result.detail
    assert processes.find(execution_id, 0) == {}
    await after.stop()


async def test_what_could_be_read_again_has_its_time_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = LiveExecutions(tmp_path)
    await asyncio.sleep(0)  # it serves
    execution_id = await agent.start("sleep 600")
    (folder,) = tmp_path.glob(f"managers/*/executions/{execution_id}")
    looks, recover_result = 0, ExecutionFolder.recover_result

    def fail_now_and_then(spool: ExecutionFolder) -> None:
        nonlocal looks
        looks += 1
        if looks % 2 and looks < 8:
            faults.broken()
        recover_result(spool)
        if looks < 8:
            faults.too_many_files()

    monkeypatch.setattr(ExecutionFolder, "recover_result", fail_now_and_then)
    monkeypatch.setattr(read_failures, "GONE_AFTER", 0)
    os.kill(ExecutionFolder(folder).supervisor_pid(), signal.SIGKILL)
    result = await agent.result(execution_id)
    assert "its supervisor died" in result.detail
    await agent.stop()
    agent.end_commands()


async def test_what_a_broken_disk_hides_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.run(execution_id, "true")
    before.close()
    (folder,) = tmp_path.glob(f"managers/*/executions/{execution_id}")
    stat = Path.stat

    def stat_others(path: Path, **how: bool) -> os.stat_result:
        return faults.broken() if path.parent == folder else stat(path, **how)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "stat", stat_others)
        disk.setattr(record, "read_sealed", faults.broken)
        InProcess(tmp_path).close()
    after = LiveExecutions(tmp_path)
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    assert (await after.result(execution_id)).exit_code == 0
    await after.stop()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
async def test_what_is_no_execution_takes_no_place(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    before = InProcess(tmp_path)
    await before.run(str(uuid.uuid4()), "true")
    before.close()
    (executions,) = tmp_path.glob("managers/*/executions")
    make(executions / ".DS_Store")
    after = InProcess(tmp_path)
    assert len(after.executions.begin_session()) == 1
    after.close()


async def test_a_result_that_a_broken_disk_keeps_is_given_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = LiveExecutions(tmp_path)
    await asyncio.sleep(0)  # it serves
    lost = await agent.start("sleep 600")
    (folder,) = tmp_path.glob(f"managers/*/executions/{lost}")
    looks, looked_again, read = 0, asyncio.Event(), record.read

    def read_others(path: str) -> Any:
        nonlocal looks
        if path != f"{folder}/{record.RESULT}":
            return read(path)
        looks += 1
        if looks > 5:
            looked_again.set()
        return faults.broken()

    monkeypatch.setattr(record, "read", read_others)
    monkeypatch.setattr(read_failures, "GONE_AFTER", 1 << 62)
    os.kill(ExecutionFolder(folder).supervisor_pid(), signal.SIGKILL)
    await looked_again.wait()
    assert lost not in agent.results
    monkeypatch.setattr(read_failures, "GONE_AFTER", 0)
    result = await agent.result(lost)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert "what it left cannot be read: Input/output error" in result.detail
    await agent.stop()
    agent.end_commands()

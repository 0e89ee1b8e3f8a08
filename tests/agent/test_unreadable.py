"""What an earlier agent left and the disk does not give again."""

import asyncio
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from tui_manager_agent import burials, running, unreadable
from tui_manager_agent.spool import Spool
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent import faults
from tests.agent.in_process import InProcess
from tests.agent.working import Working


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two looks."""
    for room in (running, burials):
        monkeypatch.setattr(room, "LOOK", 0.01)


async def test_an_order_that_cannot_be_read_has_failed_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, next_one = str(uuid.uuid4()), str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.run(lost, "touch ran")
    before.close()
    with monkeypatch.context() as disk:
        disk.setattr(record, "read_whole", faults.broken)
        after = Working(tmp_path)
    await after.resume(lost, wire.RESUME_ACTION_GO_ON)
    result = await after.result(lost)
    assert result.reason == wire.RESULT_REASON_SPAWN_FAILED
    assert "its order cannot be read: Input/output error" in result.detail
    await after.run(next_one, "true")
    assert (await after.result(next_one)).exit_code == 0
    await after.stop()


async def test_a_result_that_a_broken_disk_keeps_is_given_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Working(tmp_path)
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
    monkeypatch.setattr(unreadable, "GONE_AFTER", 1 << 62)
    os.kill(Spool(folder).supervisor_pid(), signal.SIGKILL)
    await looked_again.wait()
    assert lost not in agent.results
    monkeypatch.setattr(unreadable, "GONE_AFTER", 0)
    result = await agent.result(lost)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert "what it left cannot be read: Input/output error" in result.detail
    await agent.stop()
    agent.end_commands()

"""Spools that the manager does not acknowledge have a limit of size and of age."""

import asyncio
import os
import time
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions import execution_requests
from tui_manager_agent.journal.acknowledged import KEEP
from tui_manager_agent.journal.execution_folder import UNKNOWN, ExecutionFolder
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.in_process import InProcess
from tests.support.waiting import GIVE_UP


def ended(state_dir: Path, size: int, ago: int = 0) -> ExecutionFolder:
    """An execution that ended `ago` seconds ago without an agent, with `size` bytes of output."""
    spool = ExecutionFolder(state_dir / "managers" / "manager" / "executions" / str(uuid.uuid4()))
    spool.folder.mkdir(parents=True)
    (spool.folder / "stdout").write_bytes(b"x" * size)
    spool.write_result(
        Result(
            status="completed",
            ended=1,
            boot_id="an earlier one",
            exit_code=0,
            stored={"stdout": size},
        )
    )
    then = time.time() - ago
    os.utime(spool.folder / "result", (then, then))
    return spool


async def reported_by(agent: InProcess) -> dict[str, tuple[int, int]]:
    """Reported bytes and missing bytes of each execution with a result, after Resume."""
    for held in agent.executions.begin_session():
        await agent.resume(held.execution_id, wire.RESUME_ACTION_GO_ON)
    report = agent.outbox.report()
    sizes = {result.execution_id: (0, 0) for result in report.results}
    for part in report.output:
        data, gap = sizes[part.execution_id]
        sizes[part.execution_id] = data + len(part.data), gap + part.gap
    return sizes


async def test_past_the_limit_the_oldest_output_is_a_gap_and_its_result_stays(
    tmp_path: Path,
) -> None:
    old, middle, young = [ended(tmp_path, 400, ago) for ago in (9, 5, 1)]
    agent = InProcess(tmp_path, spool_limit=1000)
    assert await reported_by(agent) == {
        old.folder.name: (0, 400),
        middle.folder.name: (400, 0),
        young.folder.name: (400, 0),
    }
    agent.close()
    again = InProcess(tmp_path, spool_limit=1000)
    assert [spool.output_size() for spool in (old, middle, young)] == [0, 400, 400]
    again.close()


async def test_what_was_acknowledged_takes_no_room(tmp_path: Path) -> None:
    first, second = ended(tmp_path, 400, 9), ended(tmp_path, 400, 5)
    agent = InProcess(tmp_path, spool_limit=1000)
    await agent.acknowledge(first.folder.name)
    third = ended(tmp_path, 400)
    agent.executions._recovery.restore(agent.executions._held.add(third.folder.name))
    assert (second.output_size(), third.output_size()) == (400, 400)
    agent.close()


async def test_what_ended_last_keeps_its_output_however_large(tmp_path: Path) -> None:
    large, small = ended(tmp_path, 4000, 1), ended(tmp_path, 4, 5)
    agent = InProcess(tmp_path, spool_limit=1000)
    assert (small.output_size(), large.output_size()) == (0, 4000)
    agent.close()


async def test_what_is_unknown_for_too_long_goes_while_the_agent_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_requests, "EXPIRE_EVERY", 0.01)
    old, young = ended(tmp_path, 4), ended(tmp_path, 4)
    agent = InProcess(tmp_path)
    for spool in (old, young):
        await agent.resume(spool.folder.name, wire.RESUME_ACTION_UNKNOWN)
    then = time.time() - KEEP - 24 * 3600
    os.utime(old.folder / UNKNOWN, (then, then))
    removed = asyncio.Event()
    remove = ExecutionFolder.remove
    loop = asyncio.get_running_loop()

    def watched(spool: ExecutionFolder) -> None:
        remove(spool)
        loop.call_soon_threadsafe(removed.set)

    monkeypatch.setattr(ExecutionFolder, "remove", watched)
    working = asyncio.create_task(agent.executions.serve())
    async with asyncio.timeout(GIVE_UP):
        await removed.wait()
    assert (old.folder.exists(), young.folder.exists()) == (False, True)
    assert [held.execution_id for held in agent.executions.begin_session()] == [young.folder.name]
    working.cancel()
    await asyncio.wait((working,))
    agent.close()

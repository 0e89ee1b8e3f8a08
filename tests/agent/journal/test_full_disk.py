"""A full disk: results that were reported stay true, and the agent goes on."""

import asyncio
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.executions import recovery
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import claim, record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.faults import full
from tests.agent.in_process import InProcess
from tests.agent.orders import order


async def test_what_was_proven_canceled_does_not_run_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.run(execution_id, "echo ran")
    with monkeypatch.context() as disk:
        disk.setattr(record, "write_all", full)
        await before.cancel(execution_id)
        (result,) = before.outbox.report().results
        assert result.status == wire.RESULT_STATUS_CANCELED
        await before.acknowledge(execution_id)
        before.close()
    after = InProcess(tmp_path)
    (held,) = after.executions.begin_session()
    assert held.state == wire.EXECUTION_STATE_STARTING
    assert after.executions.queue.queued == 0
    after.close()


async def test_what_could_not_be_compacted_is_answered_and_compacted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = str(uuid.uuid4())
    agent = InProcess(tmp_path)
    await agent.run(execution_id, "echo ran")
    with monkeypatch.context() as disk:
        disk.setattr(record, "write_all", full)
        await agent.cancel(execution_id)
        await agent.acknowledge(execution_id)
    await agent.run(execution_id, "echo ran")
    (result,) = agent.outbox.report().results
    assert result.status == wire.RESULT_STATUS_CANCELED
    await agent.resume(execution_id, wire.RESUME_ACTION_STORED)
    assert agent.executions.begin_session() == []
    agent.close()
    assert list(tmp_path.glob("managers/*/executions/*")) == []


def test_an_order_that_was_withdrawn_keeps_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    spool.accept(order(**{"env:PASSWORD": "hunter2"}))
    monkeypatch.setattr(record, "write_all", full)
    with pytest.raises(OSError, match="No space left"):
        spool.write_result(Result(status="canceled"))
    assert [p.name for p in spool.folder.iterdir() if b"hunter2" in p.read_bytes()] == []


async def test_a_start_that_cannot_be_prevented_now_is_prevented_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "CHECK_EVERY", 0.01)
    execution_id = str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.run(execution_id, "echo ran")
    before.close()
    (folder,) = tmp_path.glob("managers/*/executions/*")
    ExecutionFolder(folder).mark_starting()
    agent = InProcess(tmp_path)
    await agent.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    assert agent.outbox.report().results == []
    refusals = iter([full])
    prevent_start = claim.prevent_start
    monkeypatch.setattr(
        claim, "prevent_start", lambda folder: next(refusals, prevent_start)(folder)
    )
    working = asyncio.create_task(agent.executions.serve())
    news = asyncio.create_task(agent.outbox.wait())
    await asyncio.wait((working, news), return_when=asyncio.FIRST_COMPLETED)
    assert not working.done()
    assert agent.outbox.report().results[0].reason == wire.RESULT_REASON_INTERRUPTED
    assert next(refusals, None) is None
    working.cancel()
    await asyncio.wait((working,))
    agent.close()

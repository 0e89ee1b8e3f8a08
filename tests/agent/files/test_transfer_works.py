"""What becomes of a transfer whose work does not do as it should."""

import asyncio
import os
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_agent.executions.transfers import transfer_thread, transfers
from tui_manager_agent.executions.transfers.file_messages import from_file_set
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.journal.transfer_records import CopyOrder, Transferred
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.fake_files import FakeSet
from tests.agent.in_process import InProcess
from tests.agent.live_executions import LiveExecutions
from tests.agent.orders import order
from tests.support.waiting import GIVE_UP

FILES = FakeSet.of({"a": b"one"})
ORDER = replace(order(command=""), transfer=CopyOrder(from_file_set(FILES.message), "/nowhere/"))


ENDS = {
    "canceled": wire.RESULT_STATUS_CANCELED,
    "timeout": wire.RESULT_STATUS_TIMEOUT,
}


def folder_in(tmp_path: Path) -> tuple[str, ExecutionFolder]:
    """An execution of an agent that does not run, and its folder."""
    InProcess(tmp_path / "state").close()
    execution_id = str(uuid.uuid4())
    (executions,) = tmp_path.glob("state/managers/*/executions")
    return execution_id, ExecutionFolder(executions / execution_id)


class FakeWork:
    """A work that blocks until the test lets it go on."""

    def __init__(self) -> None:
        self.bytes = self.files = 0
        self.runs, self.released, self.discarded = (threading.Event() for _ in range(3))
        self.error: Exception | None = None
        self.leaves = False
        self.may_discard = threading.Event()
        self.may_discard.set()
        self.stop = StopSignal()

    def __call__(self, *arguments: object) -> "FakeWork":
        assert isinstance(arguments[-1], StopSignal)
        self.stop = arguments[-1]
        return self

    def run(self) -> Transferred:
        self.runs.set()
        self.released.wait(GIVE_UP)
        if self.error:
            raise self.error
        self.stop.check()
        return Transferred(
            sha256=bytes(32),
            manifest_sha256=bytes(32),
            bytes=3,
            files=1,
            unchanged_files=0,
            received_bytes=3,
        )

    def discard(self) -> None:
        self.may_discard.wait(GIVE_UP)
        self.discarded.set()
        if self.leaves:
            raise OSError(5, "Input/output error", "/srv/a.part")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWork]:
    work = FakeWork()
    monkeypatch.setattr(transfers, "CopyWork", work)
    yield work
    work.released.set()
    work.may_discard.set()


@pytest.fixture
async def agent(tmp_path: Path, work: FakeWork) -> AsyncIterator[LiveExecutions]:
    agent = LiveExecutions(tmp_path / "state")
    yield agent
    await agent.stop()


async def begin(agent: LiveExecutions, work: FakeWork, *, limit: Duration | None = None) -> str:
    execution_id = str(uuid.uuid4())
    copy = wire.CopyFiles(files=FILES.message, to="/nowhere/")
    run = wire.RunCommand(
        execution_id=execution_id, copy=copy, timeout=limit, kill_grace=Duration()
    )
    await agent.executions.run(run)
    assert await asyncio.to_thread(work.runs.wait, GIVE_UP)
    return execution_id


async def test_canceled_is_said_only_once_the_work_has_ended(
    agent: LiveExecutions, work: FakeWork
) -> None:
    execution_id = await begin(agent, work)
    await agent.cancel(execution_id)
    assert work.stop.is_set
    await agent.result(await agent.start("true"))  # others go on
    assert execution_id not in agent.results
    work.released.set()
    assert (await agent.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
    assert work.discarded.is_set()


async def test_a_work_that_is_done_before_its_cancel_has_completed(
    agent: LiveExecutions, work: FakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopSignal, "check", lambda _: None)
    execution_id = await begin(agent, work)
    await agent.cancel(execution_id)
    work.released.set()
    result = await agent.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert result.transfer.received_bytes == 3


async def test_a_fault_in_a_work_ends_it_alone(agent: LiveExecutions, work: FakeWork) -> None:
    execution_id = await begin(agent, work)
    work.error = KeyError("what nobody thought of")
    work.released.set()
    result = await agent.result(execution_id)
    assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
    assert "KeyError" in result.detail
    assert work.discarded.is_set()
    assert (await agent.result(await agent.start("true"))).exit_code == 0
    assert agent.executions.queue.running == 0


async def test_a_disk_that_fails_the_agent_ends_it(agent: LiveExecutions, work: FakeWork) -> None:
    execution_id = await begin(agent, work)
    work.error = OSError(28, "No space left on device")
    work.released.set()
    result = await agent.result(execution_id)
    assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
    assert result.detail == "The agent cannot use its own folder: No space left on device."
    assert work.discarded.is_set()


async def test_what_cannot_be_removed_is_named(agent: LiveExecutions, work: FakeWork) -> None:
    work.leaves = True
    execution_id = await begin(agent, work)
    await agent.cancel(execution_id)
    work.released.set()
    result = await agent.result(execution_id)
    assert result.status == wire.RESULT_STATUS_CANCELED
    assert "/srv/a.part" in result.detail


async def test_an_agent_that_ends_waits_for_no_work_that_hangs(
    tmp_path: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "STOP_WITHIN", 0)
    agent = LiveExecutions(tmp_path / "state")
    execution_id = await begin(agent, work)
    await agent.stop()
    assert work.stop.is_set
    assert not work.discarded.is_set()
    (folder,) = tmp_path.glob(f"state/managers/*/executions/{execution_id}")
    assert not (folder / "result").exists()


# --------------------------------------------------------------------- a file system that hangs


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_thread, "END_WITHIN", 0)
    monkeypatch.setattr(transfers, "PROGRESS_EVERY", 0.01)


@pytest.mark.parametrize("end", ["canceled", "timeout"])
async def test_a_work_that_hangs_does_not_keep_its_end_waiting(
    agent: LiveExecutions, work: FakeWork, no_grace: None, end: str
) -> None:
    limit = Duration(nanos=500_000_000) if end == "timeout" else None
    execution_id = await begin(agent, work, limit=limit)
    if end == "canceled":
        await agent.cancel(execution_id)
    result = await agent.result(execution_id)
    assert (result.status, result.reason) == (ENDS[end], wire.RESULT_REASON_UNSPECIFIED)
    assert result.kill_incomplete
    assert "does not answer" in result.detail
    assert f".tui-manager.{execution_id}.*.part" in result.detail
    assert result.HasField("duration")
    assert work.stop.is_set
    assert not work.discarded.is_set()
    assert agent.executions.queue.running == 0
    work.released.set()  # what it has left is removed once it ends after all
    assert await asyncio.to_thread(work.discarded.wait, GIVE_UP)
    assert (await agent.result(await agent.start("true"))).exit_code == 0


async def test_what_hangs_while_it_is_removed_ends_too(
    agent: LiveExecutions, work: FakeWork, no_grace: None
) -> None:
    work.may_discard.clear()
    work.error = TransferError("The disk is full.")
    execution_id = await begin(agent, work)
    work.released.set()
    result = await agent.result(execution_id)
    assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
    assert result.kill_incomplete
    assert result.detail.startswith("The disk is full. The file system does not answer")
    assert agent.executions.queue.running == 0


@pytest.mark.parametrize("state", ["accepted", "starting", "begun", "draft"])
async def test_a_kill_at_any_step_does_not_end_it(
    tmp_path: Path, work: FakeWork, state: str
) -> None:
    execution_id, folder = folder_in(tmp_path)
    folder.accept(ORDER)
    if state != "accepted":
        folder.mark_starting()
    if state in ("begun", "draft"):
        folder.begin_transfer("an earlier boot")
    if state == "draft":
        (folder.folder / "result.draft").write_bytes(b"status=failed")
    work.released.set()
    agent = LiveExecutions(tmp_path / "state")
    try:
        await agent.resume(execution_id, wire.RESUME_ACTION_GO_ON)
        assert (await agent.result(execution_id)).status == wire.RESULT_STATUS_COMPLETED
        assert os.listdir(folder.folder) == [record.RESULT]
    finally:
        await agent.stop()


async def test_a_kill_behind_its_result_changes_nothing(tmp_path: Path, work: FakeWork) -> None:
    execution_id, folder = folder_in(tmp_path)
    folder.accept(ORDER)
    folder.mark_starting()
    folder.begin_transfer("an earlier boot")
    record.write(str(folder.folder), record.RESULT, Result(status="canceled").encode())
    agent = LiveExecutions(tmp_path / "state")
    try:
        await agent.resume(execution_id, wire.RESUME_ACTION_GO_ON)
        assert (await agent.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
        assert not work.runs.is_set()
    finally:
        await agent.stop()


async def test_an_order_that_cannot_be_read_ends_it(tmp_path: Path, work: FakeWork) -> None:
    execution_id, folder = folder_in(tmp_path)
    folder.accept(ORDER)
    folder.mark_starting()
    os.truncate(folder.folder / record.STARTING, 20)
    agent = LiveExecutions(tmp_path / "state")
    try:
        await agent.resume(execution_id, wire.RESUME_ACTION_GO_ON)
        result = await agent.result(execution_id)
        assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
        assert result.detail.startswith("its order cannot be read")
        assert not work.runs.is_set()
    finally:
        await agent.stop()


async def test_the_next_agent_runs_it_again(tmp_path: Path, work: FakeWork) -> None:
    agent = LiveExecutions(tmp_path / "state")
    execution_id = await begin(agent, work)
    work.released.set()
    await agent.stop()
    work.runs.clear()
    agent = LiveExecutions(tmp_path / "state")
    try:
        assert execution_id in {held.execution_id for held in agent.executions.begin_session()}
        await agent.resume(execution_id, wire.RESUME_ACTION_GO_ON)
        assert (await agent.result(execution_id)).status == wire.RESULT_STATUS_COMPLETED
    finally:
        await agent.stop()

"""A failure of the files or the supervisor of one execution does not affect others."""

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tui_manager_agent.executions import outbox, recovery, runner
from tui_manager_agent.executions.execution import Execution
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.journal import read_failures
from tui_manager_agent.journal.acknowledged import Acknowledged
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import claim, record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_agent.supervisor.processes.processes import Process
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent import faults
from tests.agent.conftest import Gate
from tests.agent.in_process import InProcess
from tests.agent.live_executions import LiveExecutions


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveExecutions]:
    for room in (runner, recovery):
        monkeypatch.setattr(room, "CHECK_EVERY", 0.01)
    agent = LiveExecutions(tmp_path)
    await asyncio.sleep(0)  # it serves
    yield agent
    await agent.stop()
    monkeypatch.undo()
    agent.end_commands()


@pytest.mark.parametrize(
    ("room", "name", "fault"),
    [
        (ExecutionFolder, "set_mark", faults.full),
        (record, "read", faults.too_many_files),
        (claim, "is_locked", faults.broken),
        (Process, "send", faults.forbidden),
    ],
)
async def test_a_cancel_that_cannot_be_passed_on_is_passed_on_later(
    agent: LiveExecutions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    room: object,
    name: str,
    fault: Callable[..., NoReturn],
) -> None:
    unlucky, lucky = [await agent.start("sleep 600") for _ in range(2)]
    said = f"not canceled, again later: execution_id={unlucky}"
    monkeypatch.setattr(
        room, name, faults.until(lambda: caplog.text.count(said) > 1, fault, getattr(room, name))
    )
    await agent.cancel(unlucky)
    assert (await agent.result(unlucky)).status == wire.RESULT_STATUS_CANCELED
    assert lucky not in agent.results
    await agent.cancel(lucky)
    assert (await agent.result(lucky)).status == wire.RESULT_STATUS_CANCELED


@pytest.mark.parametrize(
    ("room", "name", "fault"),
    [
        (record, "read", faults.too_many_files),
        (claim, "is_locked", faults.broken),
        (recovery, "kill_remaining_processes", faults.too_many_files),
    ],
)
async def test_a_dead_supervisor_that_cannot_be_looked_after_is_looked_after_later(
    agent: LiveExecutions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    room: object,
    name: str,
    fault: Callable[..., NoReturn],
) -> None:
    unlucky, lucky = [await agent.start("sleep 600") for _ in range(2)]
    supervisor = agent.supervisor_of(unlucky)
    said = f"not ended, again later: execution_id={unlucky}"
    monkeypatch.setattr(
        room, name, faults.until(lambda: caplog.text.count(said) > 1, fault, getattr(room, name))
    )
    os.kill(supervisor, signal.SIGKILL)
    assert (await agent.result(unlucky)).reason == wire.RESULT_REASON_INTERRUPTED
    assert processes.find(unlucky, 0) == {}
    await agent.cancel(lucky)
    assert (await agent.result(lucky)).status == wire.RESULT_STATUS_CANCELED


async def test_a_result_that_cannot_be_read_now_is_not_taken_for_none(
    agent: LiveExecutions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gate: Gate,
) -> None:
    execution_id = await agent.start(f"cat {gate}; exit 7")
    read = record.read

    def read_no_result(path: str) -> dict[str, str]:
        if path.endswith(record.RESULT) and os.path.exists(path) and not caplog.text:
            faults.too_many_files()
        return read(path)

    monkeypatch.setattr(record, "read", read_no_result)
    caplog.set_level(logging.ERROR)
    gate.open()
    assert (await agent.result(execution_id)).exit_code == 7
    assert f"not ended, again later: execution_id={execution_id}" in caplog.text


@pytest.mark.parametrize(
    ("name", "action"),
    [("set_mark", wire.RESUME_ACTION_UNKNOWN), ("clear_mark", wire.RESUME_ACTION_GO_ON)],
)
async def test_a_resume_whose_mark_cannot_be_changed_is_obeyed(
    agent: LiveExecutions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    action: wire.ResumeAction.ValueType,
) -> None:
    execution_id = await agent.start("echo ready; sleep 600")
    agent.executions.begin_session()
    agent.output.clear()
    with monkeypatch.context() as host:
        host.setattr(ExecutionFolder, name, faults.broken)
        await agent.resume(execution_id, action)
    assert execution_id in caplog.text
    if action == wire.RESUME_ACTION_UNKNOWN:
        assert agent.outbox.report().ByteSize() == 0
    else:
        await agent.until(lambda: agent.output.get(execution_id) == b"ready\n")


async def test_output_that_cannot_be_read_is_read_later_and_keeps_nobody_waiting(
    agent: LiveExecutions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gate: Gate,
) -> None:
    monkeypatch.setattr(outbox, "RETRY_AFTER", 0.01)
    unlucky = await agent.start(f"cat {gate}; printf unlucky")
    can_read, read = asyncio.Event(), ExecutionFolder.read

    def read_others(spool: ExecutionFolder, *what: Any) -> bytes:
        if spool.folder.name == unlucky and not can_read.is_set():
            faults.broken()
        return read(spool, *what)

    monkeypatch.setattr(ExecutionFolder, "read", read_others)
    gate.open()
    await agent.until(
        lambda: f"output not read, again later: execution_id={unlucky}" in caplog.text
    )
    lucky = await agent.start("printf lucky")
    assert (await agent.result(lucky)).exit_code == 0
    assert unlucky not in agent.results
    can_read.set()
    assert (await agent.result(unlucky)).exit_code == 0
    assert agent.output == {lucky: b"lucky", unlucky: b"unlucky"}


async def test_output_that_a_broken_disk_keeps_is_a_counted_gap_in_the_end(
    agent: LiveExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(read_failures, "GONE_AFTER", 1)
    execution_id, looked_at, put = str(uuid.uuid4()), list[str](), Outbox.add

    def note(self: Outbox, held: Execution) -> None:
        looked_at.append(held.id)
        put(self, held)

    monkeypatch.setattr(Outbox, "add", note)
    with monkeypatch.context() as disk:
        disk.setattr(ExecutionFolder, "read", faults.broken)
        await agent.run(execution_id, "printf lost")
        await agent.result(execution_id)
    assert agent.gaps == {execution_id: len("lost")}
    await agent.result(await agent.start("printf lucky"))  # the last retry is due meanwhile
    looked_at.clear()
    await agent.result(await agent.start("printf lucky"))
    assert execution_id not in looked_at


async def test_output_for_which_there_is_no_descriptor_is_never_given_up(
    agent: LiveExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(read_failures, "GONE_AFTER", 0)
    execution_id, looks, read = str(uuid.uuid4()), 0, ExecutionFolder.read

    def read_in_the_end(spool: ExecutionFolder, *what: Any) -> bytes:
        nonlocal looks
        looks += 1
        if looks < 5:
            faults.too_many_files()
        return read(spool, *what)

    monkeypatch.setattr(ExecutionFolder, "read", read_in_the_end)
    await agent.run(execution_id, "printf kept")
    await agent.result(execution_id)
    assert agent.output == {execution_id: b"kept"}
    assert agent.gaps.total() == 0


async def test_a_repeat_is_answered_though_the_disk_keeps_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    execution_id = str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.cancel(execution_id)
    await before.acknowledge(execution_id)
    before.close()
    after = InProcess(tmp_path)
    monkeypatch.setattr(Acknowledged, "_line_at", faults.broken)
    await after.run(execution_id, "echo never")
    (result,) = after.outbox.report().results
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert "no longer says" in result.detail
    assert f"journal unreadable: execution_id={execution_id}" in caplog.text
    after.close()


async def test_one_that_cannot_be_looked_at_does_not_keep_an_agent_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for room in (runner, recovery):
        monkeypatch.setattr(room, "CHECK_EVERY", 0.01)
    before = LiveExecutions(tmp_path)
    await asyncio.sleep(0)  # it serves
    execution_id = await before.start("sleep 600")
    await before.stop()
    not_ended = f"not ended, again later: execution_id={execution_id}"
    monkeypatch.setattr(
        claim,
        "is_locked",
        faults.until(lambda: not_ended in caplog.text, faults.broken, claim.is_locked),
    )
    after = LiveExecutions(tmp_path)
    assert f"supervisor not checked: execution_id={execution_id}" in caplog.text
    await after.resume(execution_id, wire.RESUME_ACTION_CANCEL)
    assert (await after.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
    await after.stop()

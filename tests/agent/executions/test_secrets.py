"""Secrets of commands are in the journal of a host until the start, and nowhere after it."""

import asyncio
import errno
import os
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_agent.executions import recovery
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.fake_manager import FakeManager
from tests.agent.in_process import InProcess
from tests.support.files import files_below

VALUE = f"secret-{uuid.uuid4()}"
SECRET = {"environment": {"TOKEN": VALUE}, "secret_names": ["TOKEN"]}


def found_in(folder: Path) -> list[str]:
    """Files that hold the secret."""
    return [
        str(path.relative_to(folder))
        for path, data in files_below(folder)
        if VALUE.encode() in data
    ]


def told_to(manager: FakeManager) -> bool:
    """Whether anything that the agent said holds the secret."""
    return VALUE in f"{manager.hellos} {manager.reports}"


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_command_has_it_and_nothing_else_does(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    text = f'test -n "$TOKEN" && printf %s "$TOKEN" | wc -c; cat {gate}'
    execution_id = manager.run(text, **SECRET)
    await manager.wait_for(lambda: manager.stored(execution_id).stdout)
    assert manager.stored(execution_id).stdout.strip() == str(len(VALUE)).encode()
    assert found_in(agent.state_dir) == []
    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(VALUE.encode() in line for line in words)
    (folder,) = agent.state_dir.glob(f"managers/*/executions/{execution_id}")
    pid = ExecutionFolder(folder).supervisor_pid()
    assert VALUE.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    gate.open()
    await manager.result(execution_id)
    _, errors = await agent.terminate()
    assert found_in(agent.state_dir) == []
    assert VALUE not in errors
    assert not told_to(manager)


async def test_what_waits_is_in_a_private_file_alone_and_gone_when_it_is_canceled(
    manager: FakeManager, gate: Gate, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path / "state")
    before = os.umask(0)
    try:
        await agent.start(manager, "--capacity=1", "--log-level=debug")
    finally:
        os.umask(before)
    await manager.wait_for(lambda: manager.reports)
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    waiting = manager.run("true", **SECRET)
    late = Duration()
    late.FromTimedelta(timedelta(milliseconds=300))
    expiring = manager.run("true", start_before=late, **SECRET)
    await manager.result(expiring)
    (file,) = found_in(agent.state_dir)
    assert file.endswith(f"{waiting}/accepted")
    assert (agent.state_dir / file).stat().st_mode & 0o777 == 0o600
    assert (agent.state_dir / file).parent.stat().st_mode & 0o777 == 0o700
    manager.cancel(waiting)
    await manager.result(waiting)
    assert found_in(agent.state_dir) == []
    gate.open()
    await manager.result(running)
    _, errors = await agent.terminate()
    assert VALUE not in errors
    assert not told_to(manager)


async def test_a_refused_one_never_reaches_the_disk(manager: FakeManager, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[allow.x]\ncommands = "x"\n')
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy}")
    await manager.wait_for(lambda: manager.reports)
    for fields in (SECRET, {**SECRET, "run_as_user": "no-such-user"}, {**SECRET, "pty": True}):
        result = await manager.result(manager.run("true", **fields))
        assert result.reason == wire.RESULT_REASON_REJECTED
        assert VALUE not in result.detail
    assert found_in(agent.state_dir) == []
    await agent.close()


async def test_one_that_cannot_start_leaves_it_nowhere(
    manager: FakeManager, agent: AgentProcess
) -> None:
    for command, cwd in (("true", "/no/such"), ("true " + "x" * 200_000, "")):
        result = await manager.result(manager.run(command, cwd=cwd, **SECRET))
        assert result.reason == wire.RESULT_REASON_SPAWN_FAILED
        assert VALUE not in result.detail
    assert found_in(agent.state_dir) == []
    assert not told_to(manager)


async def test_a_crash_between_journal_and_start_leaves_it_until_the_agent_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "CHECK_EVERY", 0.01)
    execution_id = str(uuid.uuid4())
    before = InProcess(tmp_path)
    await before.executions.run(
        wire.RunCommand(execution_id=execution_id, command="true", environment={"TOKEN": VALUE})
    )
    before.close()
    (folder,) = tmp_path.glob("managers/*/executions/*")
    ExecutionFolder(folder).mark_starting()
    assert found_in(tmp_path) == [str((folder / "starting").relative_to(tmp_path))]
    after = InProcess(tmp_path)
    (held,) = after.executions.begin_session()
    assert VALUE not in str(held)
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    assert after.outbox.report().results == []
    working = asyncio.create_task(after.executions.serve())
    await after.outbox.wait()
    (result,) = after.outbox.report().results
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert found_in(tmp_path) == []
    working.cancel()
    await asyncio.wait((working,))
    after.close()


async def test_a_full_disk_keeps_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = InProcess(tmp_path)
    execution_id = str(uuid.uuid4())

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data)
        full()

    with monkeypatch.context() as disk:
        disk.setattr(record, "write_all", half)
        message = wire.RunCommand(
            execution_id=execution_id, command="true", environment={"TOKEN": VALUE}
        )
        await agent.executions.run(message)
    (result,) = agent.outbox.report().results
    assert result.reason == wire.RESULT_REASON_SPAWN_FAILED
    assert found_in(tmp_path) == []
    agent.close()

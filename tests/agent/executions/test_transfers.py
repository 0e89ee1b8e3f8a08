"""Copies and fetches of the agent as a process: started, stopped and killed at any moment."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.executions.test_restart import folder_of
from tests.agent.fake_files import FakeSet
from tests.agent.fake_manager import FakeManager

MIB = 1024 * 1024


def some_bytes(size: int) -> bytes:
    """Not the same anywhere, and none of them zero."""
    count = size // 16
    return b"%015d\n" * count % tuple(range(count))


BIG = FakeSet.of({"big": some_bytes(8 * MIB)})
SMALL = FakeSet.of({"a": b"one", "folder/": b"", "folder/b": b"two", "folder/c": b""})


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".tui-manager*")]


@pytest.fixture
def to(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


async def half_done(manager: FakeManager, execution_id: str) -> None:
    """The agent has a half of BIG, and waits for the rest."""
    await manager.wait_for(
        lambda: any(
            progress.execution_id == execution_id and progress.bytes >= manager.files.limit
            for report in manager.reports
            for progress in report.transfers
        )
    )


async def begun(manager: FakeManager, to: Path, **more: object) -> str:
    """A copy of BIG that waits in its middle; its id."""
    manager.files.limit = 4 * MIB
    execution_id = manager.copy(BIG, f"{to}/", **more)
    await half_done(manager, execution_id)
    return execution_id


# --------------------------------------------------------------------------------- from end to end


async def test_files_are_copied(manager: FakeManager, agent: AgentProcess, to: Path) -> None:
    execution_id = manager.copy(SMALL, f"{to}/")
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert {path: (to / path).read_bytes() for path in SMALL.contents()} == SMALL.contents()
    done = result.transfer
    assert (done.bytes, done.files, done.unchanged_files, done.received_bytes) == (6, 3, 0, 6)
    assert done.sha256 == done.manifest_sha256 == SMALL.message.sha256
    assert result.HasField("duration")
    assert manager.stored(execution_id).starts == 1
    assert left_behind(to) == []


async def test_the_second_time_all_is_unchanged(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    await manager.result(manager.copy(SMALL, f"{to}/"))
    asked = manager.files.requested
    done = (await manager.result(manager.copy(SMALL, f"{to}/"))).transfer
    assert (done.files, done.unchanged_files, done.received_bytes) == (3, 3, 0)
    assert manager.files.requested == asked


async def test_the_same_id_again_is_answered_from_the_journal(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = manager.copy(SMALL, f"{to}/")
    await manager.result(execution_id)
    (to / "a").unlink()
    manager.copy(SMALL, f"{to}/", execution_id=execution_id)
    await manager.wait_for(lambda: len(manager.stored(execution_id).results) == 2)
    first, second = manager.stored(execution_id).results
    assert first.transfer == second.transfer
    assert not (to / "a").exists()


async def test_files_are_fetched(manager: FakeManager, agent: AgentProcess, to: Path) -> None:
    (to / "log").write_bytes(some_bytes(5 * MIB))
    (to / "empty").touch()
    execution_id = manager.fetch(str(to / "log"), str(to / "empty"))
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED, result
    received = manager.files.received[execution_id]
    assert received.stored
    assert received.as_set.contents() == {
        str(to / "log")[1:]: some_bytes(5 * MIB),
        str(to / "empty")[1:]: b"",
    }
    assert (result.transfer.files, result.transfer.bytes) == (2, 5 * MIB)
    assert result.transfer.manifest_sha256 == received.found.sha256


async def test_what_it_does_not_need_is_not_written_down(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to, environment={"TOKEN": "a secret"})
    folder = folder_of(agent, manager, execution_id)
    assert all(b"a secret" not in path.read_bytes() for path in folder.iterdir())
    manager.cancel(execution_id)
    await manager.result(execution_id)


async def test_hello_says_that_this_agent_copies_files(
    manager: FakeManager, agent: AgentProcess
) -> None:
    assert "files" in manager.hellos[0].features


async def test_a_command_is_not_held_up(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    assert (await manager.result(manager.run("echo hello"))).exit_code == 0
    manager.cancel(execution_id)
    await manager.result(execution_id)


async def test_a_transfer_holds_a_place(manager: FakeManager, tmp_path: Path, to: Path) -> None:
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, "--capacity=1")
    try:
        await manager.wait_for(lambda: manager.reports)
        execution_id = await begun(manager, to)
        command = manager.run("echo hello")
        late = manager.copy(SMALL, f"{to}/late/", start_before=Duration(nanos=1))
        result = await manager.result(late)
        assert result.reason == wire.RESULT_REASON_UNDELIVERABLE
        assert not manager.stored(command).starts
        manager.cancel(execution_id)
        assert (await manager.result(command)).exit_code == 0
        assert not (to / "late").exists()
    finally:
        await agent.close()


# ---------------------------------------------------------------------------------------- the ends


async def test_a_cancel_is_proof_that_nothing_is_written_any_more(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    (partial,) = left_behind(to)
    assert execution_id in partial
    manager.cancel(execution_id)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_CANCELED
    assert result.HasField("duration")
    assert not result.HasField("transfer")
    assert os.listdir(to) == []


async def test_a_recall_leaves_a_running_copy_alone(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    manager.cancel(execution_id, wire.CANCEL_MODE_ONLY_IF_NOT_STARTED)
    await manager.result(manager.run("true"))
    assert left_behind(to)
    manager.cancel(execution_id)
    await manager.result(execution_id)


async def test_a_timeout_ends_a_copy(manager: FakeManager, agent: AgentProcess, to: Path) -> None:
    manager.files.answers = False
    timeout = Duration()
    timeout.FromTimedelta(timedelta(seconds=0.2))
    result = await manager.result(manager.copy(BIG, f"{to}/", timeout=timeout))
    assert result.status == wire.RESULT_STATUS_TIMEOUT
    assert os.listdir(to) == []


async def test_a_fetch_is_canceled(manager: FakeManager, agent: AgentProcess, to: Path) -> None:
    (to / "log").write_bytes(b"hello")
    manager.files.stores = False
    execution_id = manager.fetch(str(to / "log"))
    await manager.wait_for(lambda: execution_id in manager.files.received)
    manager.cancel(execution_id)
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_CANCELED


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (wire.RunCommand(copy=wire.CopyFiles(to="relative")), "not absolute"),
        (wire.RunCommand(copy=wire.CopyFiles(to="/a\0b")), "NUL"),
        (wire.RunCommand(copy=wire.CopyFiles(to="/a")), "list of files"),
        (wire.RunCommand(copy=wire.CopyFiles(to="/a", files=SMALL.message, mode=1 << 20)), "mode"),
        (wire.RunCommand(copy=wire.CopyFiles(to="/a"), command="true"), "something to run"),
        (wire.RunCommand(copy=wire.CopyFiles(to="/a"), script=b"#!/bin/sh"), "something to run"),
        (wire.RunCommand(copy=wire.CopyFiles(), fetch=wire.FetchFiles()), "something to run"),
        (wire.RunCommand(fetch=wire.FetchFiles()), "names no file"),
        (wire.RunCommand(fetch=wire.FetchFiles(paths=["/a", "b"])), "not absolute"),
    ],
)
async def test_an_order_that_makes_no_sense_is_rejected(
    manager: FakeManager, agent: AgentProcess, request_: wire.RunCommand, words: str
) -> None:
    request_.execution_id = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
    manager.send(run_command=request_)
    result = await manager.result(request_.execution_id)
    assert result.reason == wire.RESULT_REASON_REJECTED
    assert words in result.detail


# ----------------------------------------------------------------- what the manager should not say


@pytest.mark.parametrize(
    "part",
    [
        wire.FilePart(part=wire.FILE_SET_PART_DATA, offset=0, data=b"again"),
        wire.FilePart(part=wire.FILE_SET_PART_MANIFEST, offset=4 * MIB, data=b"x"),
        wire.FilePart(part=wire.FILE_SET_PART_DATA, offset=4 * MIB, zeros=1 << 60),
        wire.FilePart(part=wire.FILE_SET_PART_DATA, offset=4 * MIB),
        wire.FilePart(offset=4 * MIB, problem="The files are gone."),
    ],
)
async def test_a_part_that_was_not_asked_for_ends_the_copy(
    manager: FakeManager, agent: AgentProcess, to: Path, part: wire.FilePart
) -> None:
    part.execution_id = execution_id = await begun(manager, to)
    manager.send(file_part=part)
    result = await manager.result(execution_id)
    assert result.reason == wire.RESULT_REASON_TRANSFER_FAILED
    words = part.problem or "The manager has sent bytes"
    assert words in result.detail
    assert os.listdir(to) == []


async def test_messages_about_what_is_no_transfer_change_nothing(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    command = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(command).starts)
    for execution_id in (command, "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1", "no id"):
        manager.send(file_part=wire.FilePart(execution_id=execution_id, data=b"x"))
        manager.send(files_stored=wire.FilesStored(execution_id=execution_id))
        manager.send(file_request=wire.FileRequest(execution_id=execution_id, length=1))
    await manager.wait_for(lambda: len(manager.files.problems) == 3)
    gate.open()
    assert (await manager.result(command)).exit_code == 0
    assert len(manager.hellos) == 1


async def test_another_manifest_than_was_announced_ends_the_copy(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = "0d2d4b62-93c8-4d2f-9f5e-0a2b6ad6a0b1"
    other = FakeSet.of({"z": b"one", "folder/": b"", "folder/b": b"two", "folder/c": b""})
    manager.files.add(execution_id, other)
    copy = wire.CopyFiles(files=SMALL.message, to=f"{to}/")
    manager.run("", execution_id=execution_id, copy=copy)
    result = await manager.result(execution_id)
    assert "another list of files" in result.detail
    assert os.listdir(to) == []


async def test_it_waits_while_its_folder_is_away(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    executions = folder_of(agent, manager, execution_id).parent
    executions.rename(executions.with_name("away"))
    manager.files.limit = 1 << 62
    manager.hang_up()
    await agent.says("its folder is away")
    assert not manager.stored(execution_id).results
    executions.with_name("away").rename(executions)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert (to / "big").read_bytes() == BIG.data
    assert left_behind(to) == []


# ----------------------------------------------------------------------------- breaks and restarts


@pytest.mark.parametrize("end", ["kill", "terminate", "hang_up"])
async def test_a_copy_goes_on_at_the_byte(
    manager: FakeManager, agent: AgentProcess, to: Path, end: str
) -> None:
    execution_id = await begun(manager, to)
    if end == "hang_up":
        manager.hang_up()
    else:
        await getattr(agent, end)()
        assert len(left_behind(to)) == 1
    manager.files.limit = 1 << 62
    manager.files.requests.clear()
    if end != "hang_up":
        await agent.start(manager)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert (to / "big").read_bytes() == BIG.data
    assert manager.hellos[1].executions[0].execution_id == execution_id
    assert not manager.hellos[1].executions[0].has_result
    first = manager.files.requests[0]
    assert (first.part, first.offset) == (wire.FILE_SET_PART_DATA, 4 * MIB)
    done = result.transfer
    assert (done.files, done.unchanged_files, done.received_bytes) == (1, 0, 8 * MIB)
    assert left_behind(to) == []


async def test_a_fetch_goes_on_after_a_kill(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    (to / "log").write_bytes(some_bytes(5 * MIB))
    manager.files.stores = False
    execution_id = manager.fetch(str(to / "log"))
    await manager.wait_for(lambda: execution_id in manager.files.received)
    await agent.kill()
    manager.files.stores = True
    await agent.start(manager)
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_COMPLETED
    received = manager.files.received[execution_id].as_set
    assert received.contents() == {str(to / "log")[1:]: some_bytes(5 * MIB)}


async def test_a_cancel_that_comes_before_a_kill_holds(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    await agent.kill()
    (folder_of(agent, manager, execution_id) / record.CANCEL).touch()
    manager.files.requests.clear()
    await agent.start(manager)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_CANCELED
    assert manager.files.requests == []
    assert os.listdir(to) == []


async def test_a_cancel_from_while_the_agent_was_away(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    await agent.kill()
    manager.verdicts[execution_id] = wire.RESUME_ACTION_CANCEL
    await agent.start(manager)
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_CANCELED
    assert os.listdir(to) == []


async def test_time_that_was_over_while_no_agent_ran(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    timeout = Duration()
    timeout.FromTimedelta(timedelta(seconds=60))
    execution_id = await begun(manager, to, timeout=timeout)
    await agent.kill()
    path = folder_of(agent, manager, execution_id) / record.TRANSFER
    entries = record.read(str(path))
    began = int(entries["at"]) - 100 * 10**9
    path.write_bytes(record.encode({**entries, "at": began}))
    manager.files.requests.clear()
    await agent.start(manager)
    result = await manager.result(execution_id)
    assert result.status == wire.RESULT_STATUS_TIMEOUT
    assert result.duration.ToSeconds() >= 100
    assert manager.files.requests == []
    assert os.listdir(to) == []


async def test_what_the_manager_does_not_know_asks_for_nothing(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    execution_id = await begun(manager, to)
    await agent.kill()
    manager.verdicts[execution_id] = wire.RESUME_ACTION_UNKNOWN
    manager.files.requests.clear()
    await agent.start(manager)
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    assert (await manager.result(manager.run("true"))).exit_code == 0
    assert manager.files.requests == []
    assert left_behind(to)
    del manager.verdicts[execution_id]
    manager.files.limit = 1 << 62
    manager.hang_up()
    assert (await manager.result(execution_id)).status == wire.RESULT_STATUS_COMPLETED


async def test_a_policy_that_forbids_now_what_it_allowed(
    manager: FakeManager, tmp_path: Path, to: Path
) -> None:
    policy = tmp_path / "policy.toml"
    allowed = f'[files]\nwrite = ["{to}/"]\n'
    policy.write_text(allowed)
    policy.chmod(0o600)
    agent = AgentProcess(tmp_path / "state")
    try:
        await agent.start(manager, f"--policy={policy}")
        await manager.wait_for(lambda: manager.reports)
        execution_id = await begun(manager, to)
        await agent.kill()
        policy.write_text(allowed.replace(str(to), "/nowhere"))
        manager.files.limit = 1 << 62
        await agent.start(manager, f"--policy={policy}")
        result = await manager.result(execution_id)
        assert result.reason == wire.RESULT_REASON_REJECTED
        assert os.listdir(to) == []
    finally:
        await agent.close()


async def test_killed_again_and_again_until_it_is_done(
    manager: FakeManager, agent: AgentProcess, to: Path
) -> None:
    """Each agent gets a little further."""
    files = FakeSet.of(
        {f"f{number:03}": some_bytes(64 * 1024) + b"%d" % number for number in range(64)}
    )
    manager.files.limit = 0
    execution_id = manager.copy(files, f"{to}/")
    for number in range(1, 6):
        await manager.wait_for(lambda: manager.files.requested)
        manager.files.requested = 0
        manager.files.limit = len(files.data) * number // 6
        os.kill(agent.pid, signal.SIGKILL)
        await agent.ended()
        await agent.start(manager)
    manager.files.limit = 1 << 62
    manager.hang_up()
    result = await manager.result(execution_id)
    assert {path.name: path.read_bytes() for path in to.iterdir()} == files.contents()
    done = result.transfer
    assert (done.files, done.unchanged_files, done.received_bytes) == (64, 0, len(files.data))

"""What an order brings along as files: read whole, kept through crashes, gone at the end."""

import hashlib
import os
import pickle
import pwd
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui_manager_agent.executions.orders import script_copies
from tui_manager_agent.executions.orders.make_order import sha256_of
from tui_manager_agent.executions.orders.script_copies import ScriptCopies
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.journal import Journal
from tui_manager_agent.journal.order_and_result import Order, Result, Script
from tui_manager_agent.journal.spool_quota import SpoolQuota
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.contents import SHA256, scripted, with_stdin
from tests.agent.executions.test_restart import begun, folder_of, supervisor_of
from tests.agent.fake_manager import FakeManager
from tests.agent.faults import full
from tests.agent.in_process import InProcess
from tests.agent.live_executions import LiveExecutions
from tests.agent.orders import order
from tests.support.waiting import wait_until

LARGEST = os.urandom(1024 * 1024)
SCRIPT = Script(
    size=10,
    sha256=SHA256,
    interpreter="/usr/bin/env",
    interpreter_argument="-S sh -e",
    arguments=("a=b", "", "c\nd"),
    copy="/run/copies/x",
)
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = {
    "user": "nobody",
    "uid": NOBODY.pw_uid,
    "gid": NOBODY.pw_gid,
    "groups": str(NOBODY.pw_gid),
    "cwd": "/",
}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


# ------------------------------------------------------------------------------------------- stdin


@pytest.mark.parametrize("given", [b"", b"one\n", bytes(range(256)), LARGEST])
def test_stdin_is_read_whole(tmp_path: Path, given: bytes) -> None:
    with with_stdin(tmp_path, "cat", given) as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout == given


def test_a_command_that_never_reads_it_is_no_problem(tmp_path: Path) -> None:
    with with_stdin(tmp_path, "exit 3", LARGEST) as one:
        result = one.result()
        one.process.wait()
    assert (result["exit_code"], result["kill_incomplete"]) == ("3", "0")
    assert {path.name for path in one.spool.folder.iterdir()} == {"result"}


def test_a_script_reads_it_too(tmp_path: Path) -> None:
    with scripted(tmp_path, b'#!/bin/sh\necho "$1"; cat\n', ["x"], stdin=b"given") as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout == b"x\ngiven"


def test_it_is_a_file_and_no_more_is_inherited(tmp_path: Path) -> None:
    command = "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; echo x >&0 || echo read-only"
    with with_stdin(tmp_path, command, b"given") as one:
        assert one.result()["status"] == "completed", one.stderr
        path, descriptors, refused = one.stdout.decode().splitlines()
    assert path.endswith("/stdin (deleted)"), "from the start on nobody else can read it"
    assert (descriptors, refused) == ("4", "read-only")


@as_root
def test_another_user_may_open_it_once_more(tmp_path: Path) -> None:
    with with_stdin(tmp_path, "cat /dev/stdin; id -un", b"given\n", **AS_NOBODY) as one:
        assert one.result()["status"] == "completed", one.stderr
        assert one.stdout == b"given\nnobody\n"


@pytest.mark.parametrize("left", [None, b"giv"])
def test_what_is_not_whole_is_not_read(tmp_path: Path, left: bytes | None) -> None:
    one = with_stdin(tmp_path, "touch ran", b"given")
    (one.spool.folder / "stdin").unlink()
    if left is not None:
        (one.spool.folder / "stdin").write_bytes(left)
    with one:
        result = one.result()
    assert (result["status"], result["reason"]) == ("failed", "spawn_failed")
    assert "stdin" in result["detail"]
    assert not (tmp_path / "ran").exists()


# ----------------------------------------------------------------------------------- in the journal


def bringing(script: bytes | None = None, stdin: bytes | None = None) -> Order:
    entries: dict[str, object] = {}
    if script is not None:
        entries |= Script(size=len(script), sha256=SHA256, interpreter="/bin/sh").entries()
    if stdin is not None:
        entries["stdin_size"] = len(stdin)
        entries["command_with_stdin"] = "cat"
    return order(**entries)


def test_an_order_with_a_script_is_spelled_as_ever() -> None:
    spelled = (
        b"script_size=10\0script_sha256=" + SHA256.encode() + b"\0interpreter=/usr/bin/env\0"
        b"interpreter_argument=-S sh -e\0script_copy=/run/copies/x\0argument:0=a=b\0argument:1=\0"
        b"argument:2=c\nd\0stdin_size=0\0user=web\0folder=\0cwd=/srv\0variables=\0timeout=1\0"
        b"kill_grace=2\0output_limit=3\0priority=0\0bell=/state/bell\0boot_id=this\0"
    )
    value = Order(
        command="",
        user="web",
        folder="",
        cwd="/srv",
        variables=(),
        timeout=1,
        kill_grace=2,
        output_limit=3,
        priority=0,
        fifo=Path("/state/bell"),
        boot_id="this",
        script=SCRIPT,
        stdin_size=0,
    )
    assert value.encode() == spelled
    assert Order.decode(record.decode(spelled)) == value


@pytest.mark.parametrize("files", [{"script": b"#!/bin/sh\n"}, {"stdin": b"x"}])
def test_an_older_agent_cannot_read_an_order_that_it_would_run_without_them(
    files: dict[str, bytes],
) -> None:
    """It demands the entry `command`, and ends the execution as one that it cannot start."""
    encoded = bringing(files.get("script"), files.get("stdin")).encode()
    assert "command" not in record.decode(encoded)
    assert Order.decode(record.decode(encoded)).encode() == encoded


@pytest.mark.parametrize("damage", ["no order", "cut order", "no script", "cut script", "no stdin"])
def test_a_crash_of_the_host_leaves_all_or_nothing(tmp_path: Path, damage: str) -> None:
    journal = Journal(tmp_path)
    whole, hit = (journal.spool(str(uuid.uuid4())) for _ in range(2))
    files = {"script": b"#!/bin/sh\n", "stdin": b"given"}
    for spool in (whole, hit):
        spool.accept(bringing(files["script"], files["stdin"]), files)
    how, what = damage.split()
    path = hit.folder / ("accepted" if what == "order" else what)
    if how == "no":
        path.unlink()
    else:
        os.truncate(path, 5)
    journal.close()
    assert Journal(tmp_path).held_ids() == [whole.folder.name]
    assert not hit.folder.exists()


def test_files_are_synced_before_there_is_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    synced: list[int] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)
        assert not spool.has(record.ACCEPTED)

    monkeypatch.setattr(os, "fsync", note)
    spool.accept(bringing(b"#!/bin/sh\n", LARGEST), {"script": b"#!/bin/sh\n", "stdin": LARGEST})
    assert synced == [10, len(LARGEST)]
    assert spool.has(record.ACCEPTED)
    assert {path.stat().st_mode & 0o777 for path in spool.folder.iterdir()} == {0o600}


def test_files_that_find_no_room_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.accept(bringing(stdin=b"x"), {"stdin": b"x"})
    assert not spool.folder.exists()


@pytest.mark.parametrize("state", ["accepted", "starting"])
def test_what_never_starts_keeps_nothing_of_them(tmp_path: Path, state: str) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    spool.accept(bringing(b"#!/bin/sh\n", b"x"), {"script": b"#!/bin/sh\n", "stdin": b"x"})
    if state == "starting":
        spool.mark_starting()
    spool.write_result(Result(status="canceled"))
    assert {path.name for path in spool.folder.iterdir()} == {"result"}


# ---------------------------------------------------------------------------------- on a full spool


def test_what_waits_counts_and_is_not_deleted(tmp_path: Path) -> None:
    quota = SpoolQuota(1000)
    ended = [ExecutionFolder(tmp_path / name) for name in ("old", "young")]
    for spool in ended:
        spool.folder.mkdir()
        (spool.folder / "stdout").write_bytes(b"x" * 300)
        quota.add(spool)
    waiting = ExecutionFolder(tmp_path / "waiting")
    waiting.accept(bringing(stdin=b"x" * 500), {"stdin": b"x" * 500})
    quota.add_needed(waiting, 500)
    assert [spool.output_size() for spool in (*ended, waiting)] == [0, 300, 500]
    waiting.write_result(Result(status="canceled"))
    quota.add(waiting)
    (ended[0].folder / "stdout").write_bytes(b"x" * 600)
    quota.add(ended[0])
    assert [spool.output_size() for spool in ended] == [600, 300], "it counts no longer"


async def test_an_agent_counts_what_waits_also_after_a_restart(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    agent = InProcess(tmp_path)
    run = wire.RunCommand(execution_id=execution_id, command="cat", stdin=LARGEST)
    await agent.executions.run(run)
    assert agent.executions._held._quota._total == len(LARGEST)
    agent.close()
    again = InProcess(tmp_path)
    assert again.executions._held._quota._total == len(LARGEST)
    await again.cancel(execution_id)
    assert again.executions._held._quota._total == 0
    again.close()


async def test_an_order_that_waits_holds_none_of_its_bytes(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    agent = InProcess(tmp_path)
    script = b"#!/bin/sh\n" + LARGEST[:-10]
    run = wire.RunCommand(execution_id=execution_id, script=script, stdin=LARGEST)
    await agent.executions.run(run)
    waiting = agent.executions._held.find(execution_id)
    assert waiting is not None
    assert waiting.order is not None
    assert waiting.order.contents_size == len(script) + len(LARGEST)
    assert len(pickle.dumps(waiting.order)) < 10_000
    agent.close()


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", LARGEST])
def test_the_hash_of_a_script(data: bytes) -> None:
    assert sha256_of(data) == hashlib.sha256(data).hexdigest()


async def test_an_agent_that_has_run_a_script_has_not_loaded_openssl(
    manager: FakeManager, agent: AgentProcess
) -> None:
    result = await manager.result(manager.run("", script=b"#!/bin/sh\n"))
    assert result.status == wire.RESULT_STATUS_COMPLETED
    assert "libcrypto" not in Path(f"/proc/{agent.pid}/maps").read_text()


# ---------------------------------------------------------------------------------- who is killed


async def run_both(agent: LiveExecutions, script: bytes, stdin: bytes, **more: str) -> str:
    """An execution with a script that reads stdin; its id, once it has started."""
    execution_id = str(uuid.uuid4())
    run = wire.RunCommand(execution_id=execution_id, script=script, stdin=stdin, **more)  # type: ignore[arg-type]
    await agent.executions.run(run)
    await agent.until(lambda: execution_id in agent.started)
    return execution_id


async def test_an_agent_that_was_killed_runs_what_it_had_accepted(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    await agent.kill()
    await agent.start(manager, "--capacity=1")
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    running = manager.run(f"echo ready; cat {gate}")
    await begun(manager, running)
    script = b'#!/bin/sh\necho "$1" >> ' + bytes(gate.path.with_name("runs")) + b"; cat"
    waiting = manager.run("", script=script, arguments=["once"], stdin=LARGEST)
    folder = folder_of(agent, manager, waiting)

    async def is_accepted() -> bool:
        return (folder / record.ACCEPTED).exists()

    await wait_until(is_accepted, bool)
    await agent.kill()
    gate.open()
    await agent.start(manager, "--capacity=1")
    result = await manager.result(waiting)
    assert result.status == wire.RESULT_STATUS_COMPLETED, result.detail
    assert manager.stored(waiting).stdout == LARGEST
    assert gate.path.with_name("runs").read_text() == "once\n"


async def test_a_killed_supervisor_leaves_nothing_of_them(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    trace = tmp_path / "runs"
    script = f"#!/bin/sh\necho run >> {trace}; echo ready; sleep 600\n".encode()
    manager.acknowledges_results = False
    execution_id = manager.run("", script=script, stdin=b"secret")
    await begun(manager, execution_id)
    os.kill(supervisor_of(agent, manager, execution_id), signal.SIGKILL)
    result = await manager.result(execution_id)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    names = {path.name for path in folder_of(agent, manager, execution_id).iterdir()}
    assert not names & {"script", "stdin"}
    manager.run("", execution_id=execution_id, script=script)
    await manager.wait_for(lambda: len(manager.stored(execution_id).results) > 1)
    assert trace.read_text() == "run\n"


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where agents of this process put copies; they look often for those that are left."""
    monkeypatch.setattr(script_copies, "CLEAN_EVERY", 0.01)
    monkeypatch.setattr(script_copies, "_FOLDER", f"tui-manager-test-{uuid.uuid4()}")
    folder = Path(ScriptCopies("").folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@as_root
async def test_a_copy_that_a_dead_supervisor_left_is_removed(tmp_path: Path, copies: Path) -> None:
    agent = LiveExecutions(tmp_path / "state")
    script = b"#!/bin/sh\necho $0; sleep 600\n"
    killed, lives = [await run_both(agent, script, b"", run_as_user="nobody") for _ in range(2)]
    await agent.until(lambda: {killed, lives} <= set(agent.output))
    paths = {one: Path(agent.output[one].decode().strip()) for one in (killed, lives)}
    assert all(path.exists() and path.parent == copies for path in paths.values())
    os.kill(agent.supervisor_of(killed), signal.SIGKILL)
    await agent.result(killed)

    async def is_gone() -> bool:
        return not paths[killed].exists()

    await wait_until(is_gone, bool)
    assert paths[lives].exists(), "another command still needs its own"
    await agent.stop()
    agent.end_commands()
    await agent_that_finds_it_left(tmp_path / "state", paths[lives])


async def agent_that_finds_it_left(state_dir: Path, path: Path) -> None:
    """A restarted agent, whose supervisors are all dead."""
    again = LiveExecutions(state_dir)

    async def is_gone() -> bool:
        return not path.exists()

    await wait_until(is_gone, bool)
    await again.stop()


async def test_copies_of_other_agents_stay(tmp_path: Path) -> None:
    own, other = (ScriptCopies(name, str(tmp_path)) for name in ("own", "other"))
    Path(own.folder).mkdir()
    for copies in (own, other):
        Path(copies.path("x")).touch()
    assert (own._list(), other._list()) == ({"x"}, {"x"})
    own._remove(["x", "gone"])
    assert (own._list(), other._list()) == (set(), {"x"})

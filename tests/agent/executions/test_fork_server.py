"""The process that forks supervisors: what they inherit, and how they go on without it."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from tui_manager_agent.executions import fork_server_client
from tui_manager_agent.executions.fork_server_client import ForkServerClient
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.supervisor import fork_server, launch, record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import MISBEHAVE, Gate
from tests.agent.executions.test_restart import begun, gone, supervisor_of
from tests.agent.fake_manager import FakeManager
from tests.agent.in_process import InProcess
from tests.agent.supervised import ForkServer, Supervised, own_children
from tests.support.waiting import GIVE_UP, wait_until

REFUSES = str(Path(__file__).parent.with_name("refusing_launch.py"))
DIES = str(Path(__file__).parent.with_name("dying_launch.py"))


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


def status_in(spool: ExecutionFolder) -> str:
    result = spool.result()
    return result.status if result else ""


def test_one_server_forks_many_and_reaps_them(server: ForkServer, tmp_path: Path) -> None:
    spools = [Supervised(tmp_path / str(number), "true").spool for number in range(3)]
    for spool in spools:
        server.start(spool.folder)
    told: dict[str, str] = {}
    while len(told) < len(spools):
        told |= server.read_exits()
    assert told == {spool.folder.name: "" for spool in spools}
    assert {status_in(spool) for spool in spools} == {"completed"}
    assert psutil.Process(server.process.pid).children() == []


def test_folders_may_come_in_pieces(server: ForkServer, tmp_path: Path) -> None:
    spool = Supervised(tmp_path, "true").spool
    line = os.fsencode(spool.folder) + b"\0"
    server.agent.sendall(line[:7])
    server.agent.sendall(line[7:])
    assert server.read_exits() == {spool.folder.name: ""}
    assert status_in(spool) == "completed"


async def test_a_supervisor_is_a_process_of_its_own(tmp_path: Path) -> None:
    with Supervised(tmp_path, "sleep 600") as run:
        run.until(run.is_started)
        process = psutil.Process(run.process.pid)
        assert os.getsid(process.pid) == process.pid

        async def held() -> list[str]:
            others = ("pipe:", "/usr/lib/")  # some builds of libffi hold their own file
            names = _held_by(process.pid)
            return [name for name in names if not name.startswith(others)]

        # What it has just written may still be open.
        its = [str(run.spool.folder), str(run.spool.folder / record.CLAIM)]
        await wait_until(held, lambda seen: seen == [os.devnull] * 3 + its)
        status = Path(f"/proc/{process.pid}/status").read_text()
        masks = dict(line.split(":\t", 1) for line in status.splitlines() if "Sig" in line)
        assert int(masks["SigBlk"], 16) == 0
        assert not int(masks["SigIgn"], 16) & 1 << signal.SIGCHLD - 1
        assert process.cwd() == "/"


def _held_by(pid: int) -> list[str]:
    """What a process has open, by number."""
    names = []
    for path in sorted(Path(f"/proc/{pid}/fd").iterdir(), key=lambda path: int(path.name)):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(path))
    return names


@pytest.mark.parametrize("how", ["its agent is gone", "killed"])
def test_supervisors_live_on_without_it(tmp_path: Path, how: str) -> None:
    server = ForkServer()
    run = Supervised(tmp_path, "echo ready; sleep 600")
    server.start(run.spool.folder)
    run.until(lambda: b"ready" in run.stdout)
    if how == "killed":
        server.process.kill()
    server.close()
    run.spool.request_cancel()
    assert run.result()["status"] == "canceled"
    assert processes.find(run.id, 0) == {}


def test_a_supervisor_that_breaks_leaves_word(server: ForkServer, tmp_path: Path) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    spool.folder.mkdir()
    data = record.pad(record.seal(record.encode({"command": "true"})))
    record.create(str(spool.folder / record.STARTING), data)
    server.start(spool.folder)
    assert server.read_exits() == {"execution": ""}
    assert spool.supervisor_error() == "KeyError: 'bell'"
    assert spool.supervisor_pid() == 0


def test_a_fork_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = fork_server.ForkServer(theirs.fileno())
        monkeypatch.setattr(os, "fork", refuse)
        ours.sendall(b"/some/where/execution\0")
        assert server._take_orders()
        assert record.decode(ours.recv(100)) == {"execution": "Resource temporarily unavailable"}


@pytest.fixture
async def in_process(tmp_path: Path) -> AsyncIterator[InProcess]:
    """An agent without a stream, whose commands run."""
    agent = InProcess(tmp_path)
    working = asyncio.create_task(agent.executions.serve())
    await asyncio.sleep(0)
    yield agent
    working.cancel()
    await asyncio.wait((working,))
    agent.close()


async def result_of(agent: InProcess, command: str) -> wire.Result:
    await agent.run(str(uuid.uuid4()), command)
    async with asyncio.timeout(GIVE_UP):
        while True:
            await agent.outbox.wait()
            if results := agent.outbox.report().results:
                return results[0]


async def test_an_order_for_which_there_is_no_process_is_not_run(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "__file__", REFUSES)
    result = await result_of(in_process, "echo ran")
    assert result.reason == wire.RESULT_REASON_SPAWN_FAILED
    assert result.detail == "the agent cannot start a supervisor: no room for one"
    assert not result.HasField("duration")


async def test_one_that_cannot_say_of_what_it_dies_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "__file__", DIES)
    monkeypatch.setattr(fork_server_client, "EXIT_WITHIN", 0.1)
    orphaned: asyncio.Queue[str] = asyncio.Queue()
    its = ForkServerClient(lambda execution_id, problem: None, orphaned.put_nowait)
    await its.request_supervisor(tmp_path / "execution")
    async with asyncio.timeout(GIVE_UP):
        assert await orphaned.get() == "execution"
    its.close()


async def left(process: psutil.Process) -> bool:
    return not process.is_running()


@pytest.mark.skipif(not processes.ON_LINUX, reason="only /proc tells an environment")
async def test_it_resolves_its_symbols_and_no_command_has_to(in_process: InProcess) -> None:
    assert (await result_of(in_process, 'test -z "$LD_BIND_NOW"')).exit_code == 0
    (server,) = own_children()
    assert server.environ()["LD_BIND_NOW"] == "1"


async def test_it_leaves_when_nobody_has_needed_it_for_long(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_client, "IDLE", 0.2)
    for _ in range(2):
        assert (await result_of(in_process, "true")).exit_code == 0
        (server,) = own_children()
        await wait_until(partial(left, server), bool)


async def test_it_stays_as_long_as_a_supervisor_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_client, "IDLE", 0.01)
    ended: asyncio.Queue[str] = asyncio.Queue()
    orphans: list[str] = []
    launching = ForkServerClient(
        lambda execution_id, _: ended.put_nowait(execution_id), orphans.append
    )
    looked: asyncio.Queue[None] = asyncio.Queue()
    look = ForkServerClient._check_idle

    def look_and_say_so(launching: ForkServerClient, channel: socket.socket) -> None:
        look(launching, channel)
        looked.put_nowait(None)

    monkeypatch.setattr(ForkServerClient, "_check_idle", look_and_say_so)
    gate = Gate(tmp_path / "gate")
    run = Supervised(tmp_path, f"echo ready; cat {gate}")
    await launching.request_supervisor(run.spool.folder)
    (server,) = own_children()
    run.until(lambda: b"ready" in run.stdout)
    async with asyncio.timeout(GIVE_UP):
        for _ in range(5):
            await looked.get()
    assert server.is_running()
    gate.open()
    assert await ended.get() == run.id
    launching.close()
    assert orphans == []


def server_of(agent: AgentProcess) -> int:
    (server,) = psutil.Process(agent.pid).children()
    return server.pid


async def test_an_agent_has_one_which_leaves_with_it(
    manager: FakeManager, agent: AgentProcess
) -> None:
    assert psutil.Process(agent.pid).children() == []
    seen = set()
    for _ in range(3):
        await manager.result(manager.run("true"))
        seen.add(server_of(agent))
    (server,) = seen
    left = asyncio.create_task(gone(server))
    await asyncio.sleep(0)
    await agent.kill()
    await left


async def test_killed_while_a_command_runs_it_is_not_missed(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; exit 5")
    await begun(manager, execution_id)
    killed = psutil.Process(server_of(agent))
    killed.kill()
    await asyncio.to_thread(killed.wait, 30)  # until then an order may still reach it
    assert (await manager.result(manager.run("exit 6"))).exit_code == 6
    assert server_of(agent) != killed.pid
    gate.open()
    assert (await manager.result(execution_id)).exit_code == 5


async def test_a_supervisor_that_dies_after_it_is_noticed(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = manager.run(f"{MISBEHAVE} escape")
    await begun(manager, execution_id)
    supervisor = supervisor_of(agent, manager, execution_id)
    os.kill(server_of(agent), signal.SIGKILL)
    await manager.result(manager.run("true"))
    os.kill(supervisor, signal.SIGKILL)
    assert (await manager.result(execution_id)).reason == wire.RESULT_REASON_INTERRUPTED
    assert processes.find(execution_id, 0) == {}


async def test_killed_before_it_has_read_an_order_that_is_interrupted_and_never_runs(
    manager: FakeManager, agent: AgentProcess, tmp_path: Path
) -> None:
    await manager.result(manager.run("true"))
    server = server_of(agent)
    os.kill(server, signal.SIGSTOP)
    execution_id = manager.run(f"echo ran > {tmp_path}/trace")
    await agent.says("starting")
    await agent.says("starting")
    os.kill(server, signal.SIGKILL)
    result = await manager.result(execution_id)
    assert result.reason == wire.RESULT_REASON_INTERRUPTED
    assert not (tmp_path / "trace").exists()

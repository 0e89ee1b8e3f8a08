"""The agent learns of the exit of each supervisor, also if the fork server dies."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from tui_manager_agent.executions import fork_server_client, runner
from tui_manager_agent.executions.fork_server_client import ForkServerClient
from tui_manager_agent.executions.supervisors import Supervisors
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.supervisor import claim, record
from tui_manager_agent.supervisor.processes import processes
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.faults import too_many_files
from tests.agent.in_process import InProcess
from tests.agent.supervised import Supervised, own_children
from tests.support.waiting import GIVE_UP, wait_until

MORE_THAN_FIT = 5000  # unread orders in a socket
Sockets = tuple[socket.socket, socket.socket]


class Watched:
    """Supervisors, and the executions of those that have exited."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.gone: set[str] = set()
        self.supervisors = Supervisors(lambda execution_id, _: self.gone.add(execution_id))
        self.runs: list[Supervised] = []

    async def start(self, command: str) -> Supervised:
        """Returns when it is claimed."""
        run = Supervised(self._root / str(len(self.runs)), command)
        self.runs.append(run)
        await self.supervisors.start_supervisor(run.id, run.spool)
        await self.until(run.spool.supervisor_pid)
        return run

    async def start_nothing(self) -> str:
        """An order without a folder, for which there is no more than a process; its id, if the
        order is out."""
        execution_id = str(uuid.uuid4())
        spool = ExecutionFolder(self._root / execution_id)
        return execution_id if await self.supervisors.start_supervisor(execution_id, spool) else ""

    async def until(self, condition: Callable[[], object]) -> None:
        async def look() -> tuple[object, int]:
            return condition(), len(self.gone)

        await wait_until(look, lambda seen: seen[0])

    def close(self) -> None:
        self.supervisors.close()
        for run in self.runs:
            for pid in (run.spool.supervisor_pid(), *processes.find(run.id, 0)):
                if pid:
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.close()


async def stopped_server(watched: Watched) -> psutil.Process:
    (server,) = own_children()
    server.suspend()
    await watched.until(lambda: server.status() == psutil.STATUS_STOPPED)
    return server


async def start_until_blocked(watched: Watched, told: set[str]) -> asyncio.Task[None]:
    """Orders, noted in `told`, until one has to wait; returns that one."""
    blocked = False

    async def order() -> None:
        for _ in range(MORE_THAN_FIT):
            told.add(await watched.start_nothing())
            if blocked:
                return

    ordering = asyncio.create_task(order())
    await asyncio.sleep(0)  # none that finds room gives way to anybody
    blocked = True
    assert not ordering.done()
    return ordering


async def test_the_server_dies_while_an_order_waits_to_be_read(watched: Watched) -> None:
    running = await watched.start("sleep 600")
    server = await stopped_server(watched)
    told: set[str] = set()
    waiting = await start_until_blocked(watched, told)
    server.kill()
    async with asyncio.timeout(GIVE_UP):
        await waiting
    await watched.until(lambda: watched.gone == told)
    assert len(told) > 1
    running.spool.request_cancel()
    await watched.until(lambda: watched.gone == {*told, running.id})
    assert not watched.supervisors.is_any.is_set()


async def test_two_orders_wait_to_be_read(watched: Watched) -> None:
    running = await watched.start("sleep 600")
    server = await stopped_server(watched)
    told: set[str] = set()
    waiting = [await start_until_blocked(watched, told) for _ in range(2)]
    server.resume()
    async with asyncio.timeout(GIVE_UP):
        await asyncio.gather(*waiting)
    await watched.until(lambda: watched.gone == told)
    assert own_children() == [server]
    assert running.spool.supervisor_pid()


async def test_an_order_that_waits_to_be_read_is_not_out_when_the_agent_stops(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_client, "EXIT_WITHIN", 0)
    await watched.start("sleep 600")
    server = await stopped_server(watched)
    told: set[str] = set()
    waiting = await start_until_blocked(watched, told)
    watched.supervisors.close()
    async with asyncio.timeout(GIVE_UP):
        await waiting
    assert "" in told
    assert await watched.start_nothing() == ""
    assert own_children() == [server]
    server.kill()
    server.wait()


async def test_an_order_that_comes_as_the_agent_stops_waits_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, stopped = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    release = runner._accept_and_start

    def release_slowly(spool: ExecutionFolder, accept: Callable[[], Order]) -> tuple[Order, bool]:
        order = release(spool, accept)
        loop.call_soon_threadsafe(released.set)
        stopped.wait()
        return order

    monkeypatch.setattr(runner, "_accept_and_start", release_slowly)
    agent = InProcess(tmp_path)
    working = asyncio.create_task(agent.executions.serve())
    await asyncio.sleep(0)
    execution_id = str(uuid.uuid4())
    coming = asyncio.create_task(agent.run(execution_id, "exit 7"))
    await released.wait()
    working.cancel()
    await asyncio.wait((working,))
    stopped.set()
    await coming
    agent.close()
    assert own_children() == []
    after = InProcess(tmp_path)
    working = asyncio.create_task(after.executions.serve())
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    async with asyncio.timeout(GIVE_UP):
        while not (results := after.outbox.report().results):
            await after.outbox.wait()
    assert [result.exit_code for result in results] == [7]
    working.cancel()
    await asyncio.wait((working,))
    after.close()


async def test_one_that_cannot_be_looked_at_keeps_nothing_from_the_others(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await watched.start("sleep 600") for _ in range(2)]
    refusals = iter([too_many_files])
    is_locked = claim.is_locked
    monkeypatch.setattr(claim, "is_locked", lambda folder: next(refusals, is_locked)(folder))
    (server,) = own_children()
    server.kill()
    await watched.until(lambda: watched.gone)
    assert len(watched.gone) == 1
    for run in runs:
        run.spool.request_cancel()
    await watched.until(lambda: watched.gone == {run.id for run in runs})


@pytest.mark.parametrize("fails", [(record, "read"), (claim, "is_locked")])
async def test_a_look_that_fails_at_one_finds_the_others(
    watched: Watched,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fails: tuple[ModuleType, str],
) -> None:
    monkeypatch.delattr(os, "pidfd_open")  # their end is no event
    with ExitStack() as commands:
        runs = [
            commands.enter_context(Supervised(tmp_path / name, "sleep 600")) for name in ("a", "b")
        ]
        for run in runs:
            run.until(run.is_started)
            assert watched.supervisors.adopt(run.id, run.spool)
            run.process.send(signal.SIGKILL)
            run.process.wait()
        unlucky, lucky = runs
        working = getattr(*fails)
        with monkeypatch.context() as patch:
            patch.setattr(
                *fails, lambda path: (too_many_files if unlucky.id in path else working)(path)
            )
            watched.supervisors.check()
        assert watched.gone == {lucky.id}
        assert unlucky.id in caplog.text
        watched.supervisors.check()
        assert watched.gone == {lucky.id, unlucky.id}


class Stopped(subprocess.Popen[bytes]):
    """A process that is stopped as soon as it is there."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.send_signal(signal.SIGSTOP)


def with_little_room(make: Callable[[], Sockets]) -> Sockets:
    """A pair in which few orders find room."""
    ours, theirs = make()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return ours, theirs


async def test_an_agent_stops_though_an_order_in_turn_waits_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = {str(uuid.uuid4()): f"echo >> {tmp_path}/$TUI_MANAGER_EXECUTION_ID" for _ in range(20)}
    before = InProcess(tmp_path / "state", capacity=len(orders))
    for execution_id, command in orders.items():
        await before.run(execution_id, command)
    blocked, wait_for_room = asyncio.Event(), ForkServerClient._wait_for_room

    async def wait_and_say_so(launching: ForkServerClient, channel: socket.socket) -> None:
        blocked.set()
        await wait_for_room(launching, channel)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Stopped)
        patch.setattr(socket, "socketpair", partial(with_little_room, socket.socketpair))
        patch.setattr(ForkServerClient, "_wait_for_room", wait_and_say_so)
        patch.setattr(fork_server_client, "EXIT_WITHIN", 0)
        working = asyncio.create_task(before.executions.serve())
        async with asyncio.timeout(GIVE_UP):
            await blocked.wait()
            working.cancel()
            await asyncio.wait((working,))
        before.close()
    (server,) = own_children()
    after = InProcess(tmp_path / "state", capacity=len(orders))
    server.resume()
    held = after.executions.begin_session()
    waiting = {one.execution_id for one in held if one.state == wire.EXECUTION_STATE_ACCEPTED}
    assert orders.keys() > waiting > set()
    working = asyncio.create_task(after.executions.serve())
    for execution_id in orders:
        await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    results: dict[str, wire.Result] = {}
    async with asyncio.timeout(GIVE_UP):
        while len(results) < len(orders):
            await after.outbox.wait()
            said = after.outbox.report().results
            results.update((result.execution_id, result) for result in said)
    completed = {word for word, result in results.items() if not result.reason}
    runs = {word: (tmp_path / word).read_text() for word in orders if (tmp_path / word).exists()}
    assert waiting <= completed
    assert runs == dict.fromkeys(completed, "\n")
    working.cancel()
    await asyncio.wait((working,))
    after.close()
    server.wait()

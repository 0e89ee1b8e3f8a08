"""The command port over real sockets: a good agent, an odd one, and one that breaks the rules."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, dial, hello
from tests.support.waiting import wait_until
from tui_manager import manager_parts
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.run_manager import RunningManager, manager_thread, run_manager
from tui_manager.service import limits
from tui_manager.service.core import heartbeat
from tui_manager.service.hosts.host_service import HostService
from tui_manager.settings import Settings
from tui_manager.transport.sessions import handshake
from tui_manager.transport.sessions.handshake import Handshake
from tui_manager.transport.sessions.sessions import Sessions


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """Those of the manager of this test."""
    made = Sessions()
    monkeypatch.setattr(manager_parts, "Sessions", lambda: made)
    return made


@pytest.fixture
async def manager(tmp_path: Path, sessions: Sessions) -> AsyncIterator[RunningManager]:
    settings = Settings(
        state_dir=tmp_path / "state",
        listen="127.0.0.1:0",
        insecure=True,
        free_disk=0,
        heartbeat=timedelta(seconds=1),
    )
    async with run_manager(settings) as running:
        yield running


async def _started(manager: RunningManager, *texts: str) -> int:
    commands = tuple(CommandSpec(text) for text in (texts or ("true",)))
    task_id = await manager.operator.create_task(TaskSpec("@all", commands))
    await manager.operator.start_task(task_id)
    return task_id


async def _rows(manager: RunningManager, task_id: int) -> list[CommandHost]:
    page = await manager.operator.list_command_hosts(task_id, Window(sort="host"))
    return list(page.rows)


async def _hosts(manager: RunningManager) -> list[Host]:
    return list((await manager.operator.list_hosts(Window())).rows)


async def _status(manager: RunningManager, task_id: int) -> TaskStatus:
    return await manager.operator.get_task_status(task_id)


def _completed(execution_id: str, stored: int = 0) -> pb.Result:
    return pb.Result(
        execution_id=execution_id,
        status=pb.RESULT_STATUS_COMPLETED,
        exit_code=0,
        totals=[pb.StreamTotal(stream=pb.STREAM_STDOUT, stored=stored)],
    )


async def test_agents_are_told_when_they_must_share_with_more(
    manager: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_FLEET_WINDOW", 1 << 20)
    async with dial(manager.address) as first, dial(manager.address) as second:
        assert (await first.hello("web01")).welcome.settings.output_window == 1 << 20
        assert (await second.hello("web02")).welcome.settings.output_window == 1 << 19
        settings = (await first.read_until("settings")).settings
        assert (settings.output_window, settings.max_message) == (1 << 19, 1 << 20)


async def test_an_agent_that_prints_much_may_have_more_under_way(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        await _started(manager, "cat big")
        run = (await agent.read_until("run_command")).run_command
        parts = [
            pb.Output(
                execution_id=run.execution_id,
                stream=pb.STREAM_STDOUT,
                offset=offset,
                data=bytes(1 << 16),
            )
            for offset in range(0, 1 << 20, 1 << 16)
        ]
        await agent.report(output=parts)
        settings = (await agent.read_until("settings")).settings
        assert settings.output_window == 4 << 20


async def test_a_short_command_costs_three_messages(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        welcome = (await agent.hello("web01")).welcome
        assert welcome.manager_id == manager.manager_id
        assert (welcome.name, welcome.generation) == ("web01", 1)
        assert welcome.settings.heartbeat.ToTimedelta() == timedelta(seconds=1)
        task_id = await _started(manager, "echo hi")
        run = (await agent.read()).run_command
        assert (run.command, run.timeout.ToTimedelta()) == ("echo hi", timedelta(hours=1))
        await agent.report(
            started=[pb.Started(execution_id=run.execution_id)],
            output=[
                pb.Output(execution_id=run.execution_id, stream=pb.STREAM_STDOUT, data=b"hi\n")
            ],
            results=[_completed(run.execution_id, 3)],
        )
        (acknowledged,) = (await agent.read()).acknowledge.executions
        assert (acknowledged.execution_id, acknowledged.result) == (run.execution_id, True)
        assert [(o.stream, o.offset) for o in acknowledged.offsets] == [(pb.STREAM_STDOUT, 3)]
    assert await _status(manager, task_id) is TaskStatus.COMPLETED
    (chunk,) = await manager.operator.follow_output(task_id)
    assert chunk.data == b"hi\n"


async def test_a_broken_stream_marks_the_host_offline_and_not_its_work_failed(
    manager: RunningManager,
) -> None:
    async with dial(manager.address) as agent:
        host_id = (await agent.hello("web01")).welcome.host_id
        task_id = await _started(manager)
        run = (await agent.read()).run_command
        await agent.report(started=[pb.Started(execution_id=run.execution_id)])
        await wait_until(lambda: _rows(manager, task_id), lambda rows: rows[0].status == "running")
    (host,) = await wait_until(lambda: _hosts(manager), lambda hosts: not hosts[0].online)
    assert host.host_id == host_id
    assert (await _rows(manager, task_id))[0].status is CommandHostStatus.RUNNING
    async with dial(manager.address) as agent:
        held = pb.HeldExecution(execution_id=run.execution_id, state=pb.EXECUTION_STATE_RUNNING)
        welcome = await agent.hello("web01", host_id=host_id, executions=[held])
        assert welcome.welcome.generation == 2
        resume = (await agent.read()).resume
        assert resume.action == pb.RESUME_ACTION_GO_ON
        await agent.report(results=[_completed(run.execution_id)])
        await agent.read_until("acknowledge")
    assert await _status(manager, task_id) is TaskStatus.COMPLETED


async def test_what_never_arrived_is_sent_again_on_the_next_stream(
    manager: RunningManager,
) -> None:
    async with dial(manager.address) as agent:
        host_id = (await agent.hello("web01")).welcome.host_id
        await _started(manager)
        first = (await agent.read()).run_command
    await wait_until(lambda: _hosts(manager), lambda hosts: not hosts[0].online)
    async with dial(manager.address) as agent:
        await agent.hello("web01", host_id=host_id)
        assert (await agent.read()).run_command.execution_id == first.execution_id


async def test_a_newer_session_replaces_an_older_one(manager: RunningManager) -> None:
    async with dial(manager.address) as old, dial(manager.address) as new:
        host_id = (await old.hello("web01", instance_id="one")).welcome.host_id
        welcome = await new.hello("web01", instance_id="one", host_id=host_id)
        assert welcome.welcome.generation == 2
        last = await old.read_until("disconnect")
        assert last.disconnect.reason == pb.DISCONNECT_REASON_REPLACED
        assert await old.ended()
        await _started(manager)
        assert (await new.read()).HasField("run_command")
        assert [host.online for host in await _hosts(manager)] == [True]


async def test_cancel_reaches_the_agent(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        task_id = await _started(manager)
        run = (await agent.read()).run_command
        await manager.operator.cancel_task(task_id)
        cancel = (await agent.read()).cancel_command
        assert (cancel.execution_id, cancel.mode) == (run.execution_id, pb.CANCEL_MODE_KILL)
        canceled = pb.Result(
            execution_id=run.execution_id, status=pb.RESULT_STATUS_CANCELED, signal=15
        )
        await agent.report(results=[canceled])
        await agent.read_until("acknowledge")
    assert await _status(manager, task_id) is TaskStatus.CANCELED


async def test_more_commands_than_a_host_may_hold_all_arrive(manager: RunningManager) -> None:
    texts = [f"echo {number}" for number in range(200)]
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        for text in texts:
            await _started(manager, text)
            await agent.report()  # on a busy machine this takes longer than a silence may last
        arrived = []
        for _ in texts:
            run = (await agent.read_until("run_command")).run_command
            arrived.append(run.command)
            await agent.report(results=[_completed(run.execution_id)])
    assert arrived == texts


async def test_a_silent_session_is_ended(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        assert await agent.ended()
    (host,) = await wait_until(lambda: _hosts(manager), lambda hosts: not hosts[0].online)
    assert host.name == "web01"


async def _refusal(agent: AgentStream, message: pb.AgentMessage) -> pb.Disconnect:
    await agent.write(message)
    return (await agent.read_until("disconnect")).disconnect


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (pb.AgentMessage(), pb.DISCONNECT_REASON_PROTOCOL_ERROR),
        (pb.AgentMessage(report=pb.Report()), pb.DISCONNECT_REASON_PROTOCOL_ERROR),
        (
            pb.AgentMessage(hello=pb.Hello(hostname="a", protocol_version=9)),
            pb.DISCONNECT_REASON_PROTOCOL_VERSION,
        ),
        (
            pb.AgentMessage(hello=pb.Hello(hostname="a b", protocol_version=1)),
            pb.DISCONNECT_REASON_INVALID_HELLO,
        ),
        (
            pb.AgentMessage(hello=pb.Hello(hostname="a", protocol_version=1, manager_id="other")),
            pb.DISCONNECT_REASON_WRONG_MANAGER,
        ),
    ],
)
async def test_a_bad_hello_is_answered_with_its_reason(
    manager: RunningManager, message: pb.AgentMessage, reason: pb.DisconnectReason.ValueType
) -> None:
    async with dial(manager.address) as agent:
        disconnect = await _refusal(agent, message)
        assert disconnect.reason == reason
        assert disconnect.detail
        assert await agent.ended()
    assert await _hosts(manager) == []


@pytest.mark.parametrize(
    "report",
    [
        pb.Report(results=[pb.Result(execution_id="RUN", status=pb.RESULT_STATUS_FAILED)]),
        pb.Report(results=[pb.Result(execution_id="RUN")]),
        pb.Report(output=[pb.Output(execution_id="RUN", data=b"x")]),
        pb.Report(
            output=[pb.Output(execution_id="RUN", stream=pb.STREAM_STDOUT, offset=7, data=b"x")]
        ),
    ],
)
async def test_what_breaks_the_rules_ends_the_session_and_nothing_else(
    manager: RunningManager, report: pb.Report
) -> None:
    async with dial(manager.address) as agent, dial(manager.address) as other:
        await agent.hello("web01")
        await other.hello("web02")
        task_id = await _started(manager)
        run = (await agent.read()).run_command
        for result in report.results:
            result.execution_id = run.execution_id
        for output in report.output:
            output.execution_id = run.execution_id
        disconnect = await _refusal(agent, pb.AgentMessage(report=report))
        assert disconnect.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
        run = (await other.read()).run_command
        await other.report(results=[_completed(run.execution_id)])
        await other.read_until("acknowledge")
    states = [(row.host, row.status) for row in await _rows(manager, task_id)]
    assert states == [
        ("web01", CommandHostStatus.PENDING),
        ("web02", CommandHostStatus.COMPLETED),
    ]


async def test_a_message_over_the_limit_ends_only_its_own_stream(manager: RunningManager) -> None:
    async with dial(manager.address) as agent, dial(manager.address) as other:
        await agent.hello("web01")
        await other.hello("web02")
        with contextlib.suppress(grpc.aio.AioRpcError):
            await agent.report(output=[pb.Output(data=b"x" * (8 << 20))])
            await agent.ended()
        await wait_until(
            lambda: _hosts(manager), lambda hosts: [host.online for host in hosts] == [False, True]
        )


async def test_a_report_of_an_unknown_execution_is_answered_unknown(
    manager: RunningManager,
) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        await agent.report(results=[_completed("stranger")])
        resume = (await agent.read_until("resume")).resume
        assert (resume.execution_id, resume.action) == (
            "stranger",
            pb.RESUME_ACTION_UNKNOWN,
        )


async def test_agents_are_told_to_come_back_when_the_manager_stops(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with contextlib.AsyncExitStack() as stack:
        manager = await stack.enter_async_context(run_manager(settings))
        async with dial(manager.address) as agent:
            await agent.hello("web01")
            stopping = asyncio.ensure_future(stack.aclose())
            disconnect = (await agent.read_until("disconnect")).disconnect
            assert disconnect.reason == pb.DISCONNECT_REASON_SHUTTING_DOWN
            await stopping


async def test_a_port_in_use_is_said_to_be_so(manager: RunningManager, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "other", listen=manager.address, insecure=True)
    with pytest.raises(InvalidInputError, match="in use"):
        async with run_manager(settings):
            pass


async def test_a_cancel_meets_an_agent_that_is_just_coming_back(manager: RunningManager) -> None:
    host_id = ""
    for _ in range(15):
        async with dial(manager.address) as agent:
            host_id = (await agent.hello("web01", host_id=host_id)).welcome.host_id
            task_id = await _started(manager)
            run = (await agent.read_until("run_command")).run_command
            await agent.report(started=[pb.Started(execution_id=run.execution_id)])
            await agent.read_until("acknowledge")
        await wait_until(lambda: _hosts(manager), lambda hosts: not hosts[0].online)
        held = pb.HeldExecution(execution_id=run.execution_id, state=pb.EXECUTION_STATE_RUNNING)
        async with dial(manager.address) as agent:
            back = agent.hello("web01", host_id=host_id, executions=[held])
            await asyncio.gather(back, manager.operator.cancel_task(task_id))
            told = await agent.read()
            if told.resume.action != pb.RESUME_ACTION_CANCEL:
                told = await agent.read_until("cancel_command")
                assert told.cancel_command.execution_id == run.execution_id
            canceled = pb.Result(
                execution_id=run.execution_id, status=pb.RESULT_STATUS_CANCELED, signal=15
            )
            await agent.report(results=[canceled])
            await agent.read_until("acknowledge")
        await wait_until(lambda: _hosts(manager), lambda hosts: not hosts[0].online)


def test_a_manager_in_a_thread_is_stopped_when_a_signal_ends_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Future[Any]):
        interrupted = False

        def result(self, timeout: float | None = None) -> Any:
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return super().result(timeout)

    monkeypatch.setattr("tui_manager.run_manager.Future", Interrupted)
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True)
    with pytest.raises(KeyboardInterrupt), manager_thread(settings):
        pass
    assert "manager" not in {thread.name for thread in threading.enumerate()}


async def test_agents_that_are_sent_away_come_in_again_only_when_they_may(
    manager: RunningManager, sessions: Sessions
) -> None:
    async with dial(manager.address) as first, dial(manager.address) as second:
        await first.hello("web01")
        sessions.disconnect_all("The database is away.")
        ends = [(await first.read_until("disconnect")).disconnect]
        ends.append((await second.hello("web02")).disconnect)
        for end in ends:
            assert (end.reason, end.detail) == (
                pb.DISCONNECT_REASON_NO_DATABASE,
                "The database is away.",
            )
            assert timedelta(0) < end.retry_after.ToTimedelta() <= timedelta(seconds=3)
        assert len({end.retry_after.ToNanoseconds() for end in ends}) == 2
    sessions.accept_again()
    async with dial(manager.address) as third:
        assert (await third.hello("web01")).HasField("welcome")


async def test_a_session_ends_if_a_newer_one_is_with_another_manager(
    manager: RunningManager, sessions: Sessions
) -> None:
    async with dial(manager.address) as stream:
        welcome = (await stream.hello("web01")).welcome
        sessions.end_replaced(welcome.host_id, welcome.generation - 1)
        sessions.end_replaced(welcome.host_id, welcome.generation)
        end = (await stream.read_until("disconnect")).disconnect
        assert end.reason == pb.DISCONNECT_REASON_REPLACED


async def test_agents_that_wait_for_their_sessions_are_sent_away_and_counted_as_a_crowd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of a crowd is told the heartbeat of the whole. If the database is lost meanwhile,
    the others learn it as soon as it is their turn."""
    monkeypatch.setattr(handshake, "OPENINGS_MAX", 1)
    monkeypatch.setattr(heartbeat, "BEATS_A_SECOND", 0.2)  # one agent with a heartbeat of 5 s
    may_open, came = asyncio.Event(), asyncio.Queue[int]()
    waiting, open_session = HostService.waiting, HostService.open_session
    sessions = list[Sessions]()

    @contextlib.contextmanager
    def noted(self: HostService) -> Iterator[None]:
        with waiting(self):
            came.put_nowait(1)
            yield

    async def slowly(self: Any, greeting: Any, certificate: Any) -> Any:
        came.put_nowait(0)
        await may_open.wait()
        return await open_session(self, greeting, certificate)

    def made(self: Handshake, *rest: Any, **more: Any) -> None:
        make(self, *rest, **more)
        sessions.append(self._sessions)

    make = Handshake.__init__
    monkeypatch.setattr(Handshake, "__init__", made)
    monkeypatch.setattr(HostService, "waiting", noted)
    monkeypatch.setattr(HostService, "open_session", slowly)
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as running, contextlib.AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(dial(running.address)) for _ in range(3)]
        for number, agent in enumerate(agents):
            await agent.write(pb.AgentMessage(hello=hello(f"web{number}")))
            assert await came.get() == (1 if number else 0)
        sessions[0].disconnect_all("The database is away.")
        may_open.set()
        first = (await agents[0].read()).welcome
        assert first.settings.heartbeat.ToTimedelta() == timedelta(seconds=10)
        for agent in agents[1:]:
            end = (await agent.read()).disconnect
            assert end.reason == pb.DISCONNECT_REASON_NO_DATABASE


async def test_no_session_is_opened_for_an_agent_that_has_left_while_it_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a manager that is too slow for all of them would work for those alone that have left."""
    monkeypatch.setattr(handshake, "OPENINGS_MAX", 1)
    opened, may_open, cancelled = list[str](), asyncio.Event(), asyncio.Event()
    came: asyncio.Queue[str] = asyncio.Queue()
    check, welcome, open_session = Handshake._check, Handshake.welcome, HostService.open_session

    def checked(self: Any, message: pb.AgentMessage, *rest: Any) -> Any:
        came.put_nowait(message.hello.hostname)
        return check(self, message, *rest)

    async def welcomed(self: Any, context: Any) -> Any:
        try:
            return await welcome(self, context)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def slowly(self: Any, greeting: Any, certificate: Any) -> Any:
        opened.append(greeting.name)
        await may_open.wait()
        return await open_session(self, greeting, certificate)

    monkeypatch.setattr(Handshake, "_check", checked)
    monkeypatch.setattr(Handshake, "welcome", welcomed)
    monkeypatch.setattr(HostService, "open_session", slowly)
    settings = Settings(state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0)
    async with run_manager(settings) as running, contextlib.AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(dial(running.address)) for _ in range(3)]
        for number, agent in enumerate(agents):
            await agent.write(pb.AgentMessage(hello=hello(f"web{number}")))
            assert await came.get() == f"web{number}"
        agents[1].call.cancel()
        await cancelled.wait()
        may_open.set()
        assert (await agents[2].read()).welcome.name == "web2"
    assert opened == ["web0", "web2"]

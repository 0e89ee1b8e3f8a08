"""One emulated agent: speaks the real wire, runs nothing, keeps its journal over its sessions."""

import asyncio
import contextlib
import random
import uuid
from dataclasses import dataclass

import grpc.aio
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1.agent_pb2_grpc import CommandServiceStub

from bench.soak.journal import Execution, Journal
from bench.soak.work import Work, parse

_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
_Call = grpc.aio.StreamStreamCall[pb.AgentMessage, pb.ManagerMessage]
_BACKOFF = (0.2, 5.0)  # seconds, full jitter
_MESSAGE = 256 * 1024  # bytes of a report, about


@dataclass(slots=True)
class Tally:
    """What all agents of the fleet counted."""

    runs: int = 0
    repeats: int = 0
    sessions: int = 0
    cuts: int = 0
    restarts: int = 0
    refused: int = 0
    unknown: int = 0


class Agent:
    """Dials until it is cancelled."""

    def __init__(self, name: str, address: str, tally: Tally, chance: random.Random) -> None:
        self.name = name
        self._address = address
        self._tally = tally
        self._chance = chance
        self._journal = Journal()
        self._journal_id = str(uuid.uuid4())
        self._instance = str(uuid.uuid4())
        self._host_id = self._manager_id = ""
        self._heartbeat = 5.0
        self._dirty: dict[str, Execution] = {}
        self._some = asyncio.Event()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._session: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Dials, converses, dials again."""
        fails = 0
        while True:
            began = asyncio.get_running_loop().time()
            self._session = asyncio.ensure_future(self._converse())
            try:
                await asyncio.wait([self._session])
            finally:
                self._session.cancel()
                await asyncio.wait([self._session])
            # Nothing may keep the error: it holds the call, and the call its connection.
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                self._session.result()
            self._session = None
            steady = asyncio.get_running_loop().time() - began > 10
            fails = 0 if steady else fails + 1
            low, high = _BACKOFF
            await asyncio.sleep(self._chance.uniform(0, min(high, low * 2**fails)))

    def cut(self) -> None:
        """The network fails: the stream ends without a word."""
        self._tally.cuts += 1
        if self._session:
            self._session.cancel()

    def restart(self) -> None:
        """The agent dies and starts again; its journal and what it runs stay."""
        self._tally.restarts += 1
        self._instance = str(uuid.uuid4())
        if self._session:
            self._session.cancel()

    async def _converse(self) -> None:
        async with grpc.aio.insecure_channel(self._address, options=_OPTIONS) as channel:
            call = CommandServiceStub(channel).ConnectForCommands()
            writing = None
            try:
                for execution in self._journal.held.values():
                    execution.hushed = True
                await call.write(pb.AgentMessage(hello=self._hello()))
                while isinstance(message := await call.read(), pb.ManagerMessage):
                    if message.HasField("welcome"):
                        self._welcome(message.welcome)
                        writing = asyncio.create_task(self._write(call))
                    else:
                        await self._take(message)
            finally:
                call.cancel()
                if writing:
                    writing.cancel()
                    await asyncio.wait([writing])
                    if not writing.cancelled():
                        writing.exception()

    def _hello(self) -> pb.Hello:
        return pb.Hello(
            protocol_version=1,
            agent_version="soak",
            manager_id=self._manager_id,
            host_id=self._host_id,
            journal_id=self._journal_id,
            machine_id=self.name,
            boot_id="soak",
            instance_id=self._instance,
            hostname=self.name,
            os="Linux",
            arch="none",
            capacity=64,
            executions=[execution.held() for execution in self._journal.held.values()],
        )

    def _welcome(self, welcome: pb.Welcome) -> None:
        self._tally.sessions += 1
        self._host_id, self._manager_id = welcome.host_id, welcome.manager_id
        self._heartbeat = welcome.settings.heartbeat.ToTimedelta().total_seconds()

    async def _take(self, message: pb.ManagerMessage) -> None:
        match message.WhichOneof("message"):
            case "run_command":
                self._run(message.run_command)
            case "cancel_command":
                self._cancel(message.cancel_command.execution_id)
            case "resume":
                self._resume(message.resume)
            case "acknowledge":
                for item in message.acknowledge.executions:
                    if item.result:
                        self._forget(item.execution_id)
            case "disconnect":
                self._tally.refused += message.disconnect.reason not in (
                    pb.DISCONNECT_REASON_SHUTTING_DOWN,
                    pb.DISCONNECT_REASON_REPLACED,
                )
                await asyncio.sleep(message.disconnect.retry_after.ToTimedelta().total_seconds())

    def _say(self, execution: Execution) -> None:
        if not execution.hushed:
            self._dirty[execution.execution_id] = execution
            self._some.set()

    def _run(self, run: pb.RunCommand) -> None:
        known = self._journal.known(run.execution_id)
        if known:
            self._tally.repeats += 1
            known.resume(0)
            self._say(known)
            return
        self._tally.runs += 1
        work = parse(run.command)
        execution = Execution(run.execution_id, work, available=work.size // 2)
        self._journal.held[run.execution_id] = execution
        loop = asyncio.get_running_loop()
        ended = loop.call_later(work.seconds, self._ended, execution)
        self._timers[run.execution_id] = ended
        self._say(execution)

    def _ended(self, execution: Execution) -> None:
        self._timers.pop(execution.execution_id, None)
        execution.available = execution.work.size
        completed = execution.work.code == 0
        execution.end(pb.RESULT_STATUS_COMPLETED if completed else pb.RESULT_STATUS_FAILED)
        self._say(execution)

    def _cancel(self, execution_id: str) -> None:
        execution = self._journal.known(execution_id)
        if execution is None:  # a tombstone
            execution = Execution(execution_id, Work(0, 0.0, 0))
            self._journal.held[execution_id] = execution
        if execution.result is None:
            if timer := self._timers.pop(execution_id, None):
                timer.cancel()
            execution.end(pb.RESULT_STATUS_CANCELED)
        self._say(execution)

    def _resume(self, resume: pb.Resume) -> None:
        execution = self._journal.held.get(resume.execution_id)
        if execution is None:
            return
        match resume.action:
            case pb.RESUME_ACTION_STORED:
                self._forget(resume.execution_id)
            case pb.RESUME_ACTION_UNKNOWN:
                self._tally.unknown += 1
            case _:
                execution.resume(sum(item.offset for item in resume.offsets))
                self._say(execution)
                if resume.action == pb.RESUME_ACTION_CANCEL:
                    self._cancel(resume.execution_id)

    def _forget(self, execution_id: str) -> None:
        execution = self._journal.held.get(execution_id)
        if execution and execution.result:
            self._dirty.pop(execution_id, None)
            self._journal.forget(execution_id)

    async def _write(self, call: _Call) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat / 2):
                    await self._some.wait()
            await call.write(pb.AgentMessage(report=self._report()))

    def _report(self) -> pb.Report:
        self._some.clear()
        report = pb.Report()
        report.vitals.cpu_percent = self._chance.uniform(0, 30)
        report.vitals.running = len(self._timers)
        while self._dirty:
            execution_id = next(iter(self._dirty))
            execution = self._dirty[execution_id]
            if execution.hushed or execution.report(report):
                del self._dirty[execution_id]
            if report.ByteSize() > _MESSAGE:
                self._some.set()
                break
        return report

"""A manager that keeps the wire's rules and remembers everything, as a real grpc.aio server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import grpc
from grpc import aio
from tui_manager_protos.v1 import agent_pb2 as wire
from tui_manager_protos.v1.agent_pb2_grpc import (
    CommandServiceServicer,
    add_CommandServiceServicer_to_server,
)

from tests.agent.fake_files import FakeFiles, FakeSet
from tests.support.waiting import GIVE_UP

STDOUT = wire.STREAM_STDOUT
STDERR = wire.STREAM_STDERR


@dataclass
class Stored:
    """What this manager has of one execution."""

    streams: dict[wire.Stream.ValueType, bytearray] = field(
        default_factory=lambda: {STDOUT: bytearray(), STDERR: bytearray()}
    )
    gaps: int = 0
    starts: int = 0
    results: list[wire.Result] = field(default_factory=list)
    most_under_way: int = 0
    acknowledged: int = 0  # bytes

    @property
    def stdout(self) -> bytes:
        return bytes(self.streams[STDOUT])

    @property
    def size(self) -> int:
        return sum(len(data) for data in self.streams.values())

    def offsets(self) -> list[wire.StreamOffset]:
        return [wire.StreamOffset(stream=s, offset=len(d)) for s, d in self.streams.items()]


class FakeManager(CommandServiceServicer):
    """Serves one agent.

    Attributes:
        acknowledges: whether what is stored is acknowledged.
        verdicts: the Resume of an execution, where it is not GO_ON.
        holds_back: executions that get no Resume.
        refusal: said instead of Welcome.
        refusals: the same, by the version of the agent.
        security: what its port shows and demands; None: no TLS.
        peers: the certificates that clients showed, PEM.
        files: what it gives for copies, and gets of fetches.
    """

    def __init__(self) -> None:
        self.manager_id = str(uuid.uuid4())
        self.host_id = "h"
        self.security: grpc.ServerCredentials | None = None
        self.peers: list[bytes] = []
        self.certificate_requests: list[bytes] = []
        self.settings = wire.Settings(admission=wire.ADMISSION_ADMITTED)
        self.settings.heartbeat.FromTimedelta(timedelta(seconds=5))
        self.acknowledges = True
        self.acknowledges_results = True
        self.verdicts: dict[str, wire.ResumeAction.ValueType] = {}
        self.holds_back: set[str] = set()
        self.refusal: wire.Disconnect | None = None
        self.refusals: dict[str, wire.Disconnect] = {}
        self.executions: dict[str, Stored] = {}
        self.hellos: list[wire.Hello] = []
        self.reports: list[wire.Report] = []
        self.closed_politely = 0
        self.complaints: list[str] = []
        self.files = FakeFiles()
        self.port = 0
        self._changed = asyncio.Condition()
        self._outgoing: asyncio.Queue[wire.ManagerMessage | None] = asyncio.Queue()

    async def start(self) -> None:
        self._server = aio.server()
        add_CommandServiceServicer_to_server(self, self._server)
        if self.security is None:
            self.port = self._server.add_insecure_port(self.address)
        else:
            self.port = self._server.add_secure_port(self.address, self.security)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def ConnectForCommands(  # noqa: N802
        self,
        request_iterator: AsyncIterator[wire.AgentMessage],
        context: aio.ServicerContext,  # type: ignore[type-arg]
    ) -> AsyncIterator[wire.ManagerMessage]:
        self.peers.extend(context.auth_context().get("x509_pem_cert", ()))
        hello = (await anext(aiter(request_iterator))).hello
        await self._note(lambda: self.hellos.append(hello))
        if refusal := self.refusals.get(hello.agent_version, self.refusal):
            yield wire.ManagerMessage(disconnect=refusal)
            return
        self._outgoing = outgoing = asyncio.Queue[wire.ManagerMessage | None]()
        welcome = wire.Welcome(
            manager_id=self.manager_id, host_id=self.host_id, settings=self.settings
        )
        yield wire.ManagerMessage(welcome=welcome)
        for held in hello.executions:
            if held.execution_id in self.holds_back:
                continue
            yield wire.ManagerMessage(resume=self._resume(held.execution_id))
        reading = asyncio.create_task(self._read(request_iterator, outgoing))
        try:
            while (message := await outgoing.get()) is not None:
                yield message
                outgoing.task_done()
        finally:
            reading.cancel()
            await asyncio.wait((reading,))

    def send(self, **message: object) -> None:
        self._outgoing.put_nowait(wire.ManagerMessage(**message))  # type: ignore[arg-type]

    async def all_sent(self) -> None:
        """Returns once gRPC has taken all that was to be sent on the newest stream."""
        await self._outgoing.join()

    def hang_up(self) -> None:
        self._outgoing.put_nowait(None)

    def run(self, command: str, **more: object) -> str:
        """Sends RunCommand; returns the execution's id."""
        execution_id = str(more.pop("execution_id", uuid.uuid4()))
        run = wire.RunCommand(execution_id=execution_id, command=command, **more)  # type: ignore[arg-type]
        self.send(run_command=run)
        return execution_id

    def copy(self, files: FakeSet, to: str, **more: object) -> str:
        """Sends RunCommand; returns the execution's id."""
        execution_id = str(more.pop("execution_id", uuid.uuid4()))
        self.files.add(execution_id, files)
        copy = wire.CopyFiles(files=files.message, to=to)
        return self.run("", execution_id=execution_id, copy=copy, **more)

    def fetch(self, *paths: str, recursive: bool = False, **more: object) -> str:
        """Sends RunCommand; returns the execution's id."""
        return self.run("", fetch=wire.FetchFiles(paths=paths, recursive=recursive), **more)

    def cancel(
        self, execution_id: str, mode: wire.CancelMode.ValueType = wire.CANCEL_MODE_KILL
    ) -> None:
        self.send(cancel_command=wire.CancelCommand(execution_id=execution_id, mode=mode))

    def acknowledge_output(self, execution_id: str) -> None:
        """Says how much of an execution's output is stored."""
        stored = self.stored(execution_id)
        stored.acknowledged = stored.size
        acknowledged = wire.Acknowledged(execution_id=execution_id, offsets=stored.offsets())
        self.send(acknowledge=wire.Acknowledge(executions=[acknowledged]))

    def stored(self, execution_id: str) -> Stored:
        return self.executions.setdefault(execution_id, Stored())

    async def result(self, execution_id: str) -> wire.Result:
        """The result, once it is here."""
        await self.wait_for(lambda: self.stored(execution_id).results)
        return self.stored(execution_id).results[0]

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Until something that the agent says makes the condition true; says what was last seen."""
        try:
            async with asyncio.timeout(GIVE_UP), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            seen = f"{self.executions}\nhellos: {len(self.hellos)}\n{self.complaints}"
            raise AssertionError(f"it did not happen; last seen:\n{seen[-3000:]}") from None

    def _resume(self, execution_id: str) -> wire.Resume:
        action = self.verdicts.get(execution_id, wire.RESUME_ACTION_GO_ON)
        offsets = self.stored(execution_id).offsets()
        return wire.Resume(execution_id=execution_id, action=action, offsets=offsets)

    async def _read(
        self,
        messages: AsyncIterator[wire.AgentMessage],
        outgoing: "asyncio.Queue[wire.ManagerMessage | None]",
    ) -> None:
        async for message in messages:
            if request := message.certificate_request.csr_der:
                await self._note(partial(self.certificate_requests.append, request))
                continue
            if not message.HasField("report"):
                for reply in self.files.replies(message):
                    outgoing.put_nowait(reply)
                await self._note(lambda: None)
                continue
            acknowledge = wire.Acknowledge()
            self._store(message.report, acknowledge)
            if self.acknowledges and acknowledge.executions:
                outgoing.put_nowait(wire.ManagerMessage(acknowledge=acknowledge))
            await self._note(lambda report=message.report: self.reports.append(report))  # type: ignore[misc]
        self.closed_politely += 1
        outgoing.put_nowait(None)
        await self._note(lambda: None)

    def _store(self, report: wire.Report, acknowledge: wire.Acknowledge) -> None:
        for started in report.started:
            self.stored(started.execution_id).starts += 1
        for output in report.output:
            self._place(output, acknowledge)
        for result in report.results:
            stored = self.stored(result.execution_id)
            totals = sum(total.stored for total in result.totals)
            if totals != stored.size:
                self.complaints.append(f"result before its output: {totals} {stored.size}")
            stored.results.append(result)
            if self.acknowledges_results:
                acknowledge.executions.add(execution_id=result.execution_id, result=True)

    def _place(self, output: wire.Output, acknowledge: wire.Acknowledge) -> None:
        stored = self.stored(output.execution_id)
        data = stored.streams[output.stream]
        if output.offset > len(data):
            self.complaints.append(f"a hole before {output.offset}")
            return
        stored.gaps += output.gap
        data[output.offset :] = output.data + bytes(output.gap)
        stored.most_under_way = max(stored.most_under_way, stored.size - stored.acknowledged)
        if self.acknowledges:
            stored.acknowledged = stored.size
            acknowledge.executions.add(
                execution_id=output.execution_id, offsets=stored.offsets(), result=False
            )

    async def _note(self, change: Callable[[], object]) -> None:
        async with self._changed:
            change()
            self._changed.notify_all()

"""The command port: its servicer reads and writes the streams of agents; `serve_agents` listens and
ends sessions that are silent or whose certificate has expired."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import grpc.aio
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import agent_pb2_grpc as pb_grpc
from tui_manager_protos.v1.agent_pb2_grpc import add_CommandServiceServicer_to_server

from tui_manager.domain.errors import Refusal, RefusedError, StorageError
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.core import Core
from tui_manager.service.enrollment.enrollment_service import EnrollmentService
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.reports.broken_wire_rules import broken_wire_rules
from tui_manager.service.reports.report_service import ReportService
from tui_manager.transport.messages import convert_messages
from tui_manager.transport.messages.message_guard import ViolationError
from tui_manager.transport.ports import port_limits
from tui_manager.transport.ports.certificates import Certificates
from tui_manager.transport.sessions.file_messages import FileMessages
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.handshake import (
    RETRY_SOON,
    Context,
    Handshake,
    HandshakeRefusedError,
    certificate_expired,
    read,
)
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.loop_budget import LoopBudget
from tui_manager.transport.sessions.output_windows import OutputWindows
from tui_manager.transport.sessions.session import Session, in_batches
from tui_manager.transport.sessions.sessions import Sessions

log = logging.getLogger(__name__)

STOP_TIMEOUT = 2.0  # seconds for a stream to end by itself


@dataclass(frozen=True, slots=True)
class Security:
    """What the command port needs with TLS only."""

    enrollment: EnrollmentService
    certificates: Certificates


@dataclass(frozen=True, slots=True)
class _End:
    """Why a stream ended, and the last message to the agent."""

    why: str
    last: pb.ManagerMessage | None = None
    reason: SessionEnd = SessionEnd.BROKEN


class CommandService(pb_grpc.CommandServiceServicer):
    """Gives the reports of agents to the services, and sends what waits for an agent."""

    def __init__(
        self,
        handshake: Handshake,
        hosts: HostService,
        reports: ReportService,
        files: FileMessages,
        windows: OutputWindows,
        clock: Clock,
        security: Security | None,
    ) -> None:
        """`security`: None: there is no TLS."""
        self._handshake = handshake
        self._hosts = hosts
        self._reports = reports
        self._files = files
        self._windows = windows
        self._clock = clock
        self._security = security
        self._loop_budget = LoopBudget()

    async def ConnectForCommands(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.AgentMessage], context: Context
    ) -> None:
        """One stream, from Hello to its end."""
        try:
            session = await self._handshake.welcome(context)
        except HandshakeRefusedError as error:
            with contextlib.suppress(TimeoutError):  # the agent does not read
                async with asyncio.timeout(STOP_TIMEOUT):
                    await context.write(error.last)
            return
        if session is None:
            return
        why = "cancelled"
        try:
            why = await self._run_session(session, context)
        finally:
            self._files.close_session(session)
            await asyncio.shield(asyncio.ensure_future(self._handshake.close_session(session, why)))

    async def _run_session(self, session: Session, context: Context) -> str:
        """Reads and writes until one of the two ends, and returns why it ended. After the manager
        has ended the session nothing more is read. The manager does not wait long for an agent that
        does not read."""
        reading = asyncio.create_task(self._read_messages(session, context))
        writing = asyncio.create_task(write_messages(session, context, self._loop_budget))
        session.on_end = reading.cancel
        try:
            done, _ = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if reading not in done:
                return _failure(writing) or "ended by the manager"
            failure = _failure(reading)
            end = _End(failure) if failure or reading.cancelled() else reading.result()
            session.end(end.last, end.reason)
            await asyncio.wait({writing}, timeout=STOP_TIMEOUT)  # sends Disconnect
            return end.why or "ended by the manager"
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.wait({reading, writing})

    async def _read_messages(self, session: Session, context: Context) -> _End:
        try:
            while message := await read(context):
                self._hosts.note_contact(session.host_id, session.generation)
                if not self._loop_budget.take():
                    with self._hosts.busy_with(session.host_id, session.generation):
                        await self._loop_budget.wait()
                await self._handle_message(session, message)
        except RefusedError as error:
            if isinstance(error, ViolationError):
                self._hosts.record_violation(session.host_id, str(error))
            broken = error.refusal is Refusal.PROTOCOL_ERROR
            if broken:
                self._handshake.slow_down(session.host_id)
            retry_after = RETRY_SOON if broken else convert_messages.RETRY_LATE
            last = convert_messages.from_refusal(error, retry_after)
            return _End(f"{error.refusal}: {error}", last, SessionEnd.REFUSED)
        return _End("ended by the agent", reason=SessionEnd.CLOSED)

    async def _handle_message(self, session: Session, message: pb.AgentMessage) -> None:
        kind = session.guard.check(message)
        if kind == "report":
            await self._handle_report(session, message.report)
        elif kind == "certificate_request":
            await self._renew(session, message.certificate_request.csr_der)
        else:
            await self._files.handle(session, message)

    async def _handle_report(self, session: Session, report: pb.Report) -> None:
        if report.HasField("vitals"):
            vitals = convert_messages.to_vitals(report.vitals, self._clock.now())
            if heartbeat := self._hosts.record_vitals(session.host_id, session.generation, vitals):
                session.set_heartbeat(heartbeat)
        if report.HasField("facts"):
            with self._hosts.busy_with(session.host_id, session.generation):
                facts = convert_messages.to_facts(report.facts)
                await self._hosts.record_facts(session.host_id, session.generation, facts)
        if report.started or report.output or report.results:
            await self._store(session, report)
        if report.transfers:
            await self._files.record_progress(session, report)

    async def _store(self, session: Session, report: pb.Report) -> None:
        with self._hosts.busy_with(session.host_id, session.generation):
            if report.output:
                self._windows.count(session, sum(len(item.data) for item in report.output))
            said = convert_messages.to_report(report)
            outcome = await self._reports.handle_report(session.host_id, said)
        if said.results:
            self._files.end(session, (result.execution_id for result in said.results))
        session.queue_acknowledged(outcome.acknowledged)
        self._hosts.add_unknown(session.host_id, session.generation, outcome.unknown)
        session.queue_unknown(outcome.unknown)
        for what in broken_wire_rules(outcome):  # they were recorded when they were found
            raise RefusedError(Refusal.PROTOCOL_ERROR, what)
        session.guard.check_unknown(len(outcome.unknown) + len(outcome.conflicts))

    async def _renew(self, session: Session, csr_der: bytes) -> None:
        assert self._security is not None  # the guard refuses a request that was not asked for
        assert session.renewal is not None
        session.renewal.request_received()
        try:
            issued = await self._security.enrollment.renew_certificate(session.host_id, csr_der)
        except StorageError as error:  # the agent is asked again later
            fields = {"host_id": session.host_id, "error": str(error)}
            log.error("certificate not renewed", extra=fields)
            session.send_settings()  # so that the next request counts as a new one
            return
        session.renewal.certificate_issued(issued)
        issue = self._security.certificates.issued(issued)
        session.send_control(pb.ManagerMessage(certificate_issued=issue))


async def write_messages(session: Session, context: Context, loop_budget: LoopBudget) -> None:
    """Writes what a session sends until its stream ends."""
    try:
        while await _write_next(session, context, loop_budget):
            pass
    finally:
        session.release()


async def _write_next(session: Session, context: Context, loop_budget: LoopBudget) -> bool:
    """Writes what the session sends next; False: the stream ends. It is a function of its own
    because its variables end with it: while a session waits, it must hold no large message."""
    messages = await session.next_messages(loop_budget)
    for message in in_batches(messages):
        await context.write(message)
    return bool(messages)


def _failure(task: "asyncio.Task[_End] | asyncio.Task[None]") -> str:
    """Why a task has failed; empty if it has not."""
    error = None if task.cancelled() else task.exception()
    return f"{type(error).__name__}: {error}" if error else ""


_RENEWALS_A_CHECK = 50  # so that a fleet that enrolled at once does not renew at once


@contextlib.asynccontextmanager
async def serve_agents(
    service: CommandService,
    core: Core,
    hosts: HostService,
    sessions: Sessions,
    large: LargeCommands,
    files: FileShare,
    windows: OutputWindows,
    address: str,
    options: port_limits.Options,
    credentials: grpc.ServerCredentials | None,
) -> AsyncIterator[str]:
    """Listens for agents, and yields the address with the real port.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        credentials: None: without TLS.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    server = grpc.aio.server(options=options)
    add_CommandServiceServicer_to_server(service, server)
    real = port_limits.listen(server, address, credentials)
    await server.start()
    working = [
        asyncio.create_task(_watch(core, hosts, sessions, large, files)),
        asyncio.create_task(sessions.tell_managers(asyncio.sleep)),
        asyncio.create_task(windows.run(asyncio.sleep)),
    ]
    try:
        yield real
    finally:
        for task in working:
            task.cancel()
        await sessions.end_all(STOP_TIMEOUT)
        await server.stop(STOP_TIMEOUT)
        await asyncio.wait(working)


async def _watch(
    core: Core, hosts: HostService, sessions: Sessions, large: LargeCommands, files: FileShare
) -> None:
    clock, heartbeat = core.clock, core.limits.heartbeat.total_seconds()
    while True:
        began = clock.monotonic()
        await asyncio.sleep(heartbeat / 2)
        _check_certificates(sessions, clock)
        if clock.monotonic() - began > heartbeat:
            continue  # this process was stalled, and reads only now what agents sent meanwhile
        for host_id, generation in hosts.silent_sessions():
            sessions.end(host_id, generation)
        large.end_slow_writes()
        files.end_slow_writes()


def _check_certificates(sessions: Sessions, clock: Clock) -> None:
    """Ends sessions with an expired certificate, and asks agents to renew what is due."""
    now, monotonic, asked = clock.now(), clock.monotonic(), 0
    for session in list(sessions):
        renewal = session.renewal
        if renewal is None or renewal.nothing_to_do(now):
            continue
        if renewal.ended(now):
            session.end(certificate_expired(renewal.certificate), SessionEnd.CERTIFICATE)
        elif asked < _RENEWALS_A_CHECK and renewal.ask_if_due(now, monotonic):
            session.send_settings()
            asked += 1

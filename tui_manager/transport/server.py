"""The command port: a grpc.aio server on which agents hold their streams."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
from tui_manager_protos.v1 import agent_pb2 as pb
from tui_manager_protos.v1 import agent_pb2_grpc as pb_grpc

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError, StorageError
from tui_manager.domain.report import Greeting
from tui_manager.service.clock import Clock
from tui_manager.service.hosts import HostService
from tui_manager.service.limits import Limits
from tui_manager.service.receiving import ReportService
from tui_manager.transport import convert
from tui_manager.transport.session import Session
from tui_manager.transport.sessions import Sessions

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[pb.AgentMessage, pb.ManagerMessage]

_HELLO_WITHIN = 10.0  # seconds
_SILENT_AFTER = 3  # heartbeats without a message until a session is ended
_RETRY_SOON = timedelta(seconds=1)
_RETRY_LATE = timedelta(seconds=30)  # after a refusal that only a person can mend
_STOP_WITHIN = 2.0  # seconds for streams to end by themselves
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.so_reuseport", 0),  # a port in use is an error, not shared
    # Agents ping every 20 s (agent/tui_manager_agent/link.py); more often is too_many_pings.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),  # a connection without a stream is closed
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


class CommandService(pb_grpc.CommandServiceServicer):
    """Greets an agent, then moves its reports to the services and what waits for it back."""

    def __init__(
        self,
        manager_id: str,
        hosts: HostService,
        receiving: ReportService,
        sessions: Sessions,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._manager_id = manager_id
        self._hosts = hosts
        self._receiving = receiving
        self._sessions = sessions
        self._clock = clock
        self._limits = limits

    async def ConnectForCommands(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.AgentMessage], context: Context
    ) -> None:
        """One stream, from Hello to its end."""
        try:
            session = await self._greet(context)
        except RefusedError as error:
            mendable = error.refusal in (Refusal.DUPLICATE_IDENTITY, Refusal.PROTOCOL_ERROR)
            retry_after = self._limits.heartbeat if mendable else _RETRY_LATE
            await context.write(convert.from_refusal(error, retry_after))
            return
        except StorageError as error:
            overloaded = pb.DISCONNECT_REASON_OVERLOADED
            await context.write(convert.disconnect(overloaded, str(error), _RETRY_SOON))
            return
        if session is None:
            return
        why = "cancelled"
        try:
            why = await self._converse(session, context)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._close(session, why)))

    async def _greet(self, context: Context) -> Session | None:
        """Reads Hello and opens a session; None when the agent left before it said anything."""
        try:
            async with asyncio.timeout(_HELLO_WITHIN):
                message = await context.read()
        except TimeoutError:
            raise RefusedError(Refusal.PROTOCOL_ERROR, "No Hello came in time.") from None
        if not isinstance(message, pb.AgentMessage):
            return None
        if not message.HasField("hello"):
            raise RefusedError(Refusal.PROTOCOL_ERROR, "The first message must be Hello.")
        greeting = convert.to_greeting(message.hello, _address(context), self._clock.now())
        opening = asyncio.ensure_future(self._open(greeting))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(RefusedError, StorageError):
                await self._close(await opening, "cancelled")
            raise

    async def _open(self, greeting: Greeting) -> Session:
        """Opens a session whole, also when the agent hangs up meanwhile. Between the commit that
        answers for what the agent holds and the session that takes cancels nothing comes in."""
        opened = await self._hosts.open_session(greeting, None)
        session = Session(opened.host_id, opened.generation, self._hosts.session_ready)
        session.control(convert.from_opened(self._manager_id, opened, self._limits))
        for resume in opened.resumes:
            session.control(convert.from_resume(resume))
        for execution_id in opened.asked:
            session.control(convert.from_question(execution_id))
        self._sessions.add(session)
        self._hosts.session_ready(session.host_id)
        return session

    async def _close(self, session: Session, why: str) -> None:
        self._sessions.remove(session)
        await self._hosts.close_session(session.host_id, session.generation, why)

    async def _converse(self, session: Session, context: Context) -> str:
        """Reads and writes until one of both ends; returns why it did."""
        reading = asyncio.create_task(self._read(session, context))
        writing = asyncio.create_task(self._write(session, context))
        try:
            done, _ = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if reading in done and not reading.exception():
                session.end()
            elif reading in done:
                await asyncio.wait({writing}, timeout=_STOP_WITHIN)  # the Disconnect goes out
            return _why(reading if reading in done else writing)
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.wait({reading, writing})

    async def _write(self, session: Session, context: Context) -> str:
        while messages := await session.next_messages():
            for message in messages:
                await context.write(message)
        return "ended by the manager"

    async def _read(self, session: Session, context: Context) -> str:
        while isinstance(message := await context.read(), pb.AgentMessage):
            self._hosts.heard(session.host_id, session.generation)
            try:
                await self._take(session, message)
            except RefusedError as error:
                log.warning(
                    "agent broke the protocol", extra={"host": session.host_id, "error": str(error)}
                )
                session.end(convert.from_refusal(error, _RETRY_SOON))
                raise
        return "ended by the agent"

    async def _take(self, session: Session, message: pb.AgentMessage) -> None:
        if not message.HasField("report"):
            raise RefusedError(Refusal.PROTOCOL_ERROR, "Only reports may follow Hello.")
        report = message.report
        if report.HasField("vitals"):
            vitals = convert.to_vitals(report.vitals, self._clock.now())
            self._hosts.vitals(session.host_id, session.generation, vitals)
        if not (report.started or report.output or report.results):
            return
        with self._hosts.busy_with(session.host_id, session.generation):
            said = convert.to_report(report)
            outcome = await self._receiving.handle_report(session.host_id, said)
        session.acknowledge(outcome.acknowledged)
        self._hosts.does_not_know(session.host_id, session.generation, outcome.unknown)
        session.does_not_know(outcome.unknown)
        for what in outcome.violations():
            raise RefusedError(Refusal.PROTOCOL_ERROR, what)


def _why(task: "asyncio.Task[str]") -> str:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return f"{type(error).__name__}: {error}" if error else task.result()


def _address(context: Context) -> str:
    """`ip:port` of gRPC's peer, which it spells `ipv4:1.2.3.4:5` or `ipv6:%5B::1%5D:5`."""
    return context.peer().partition(":")[2].replace("%5B", "[").replace("%5D", "]")


async def _end_silent(
    hosts: HostService, sessions: Sessions, heartbeat: float, clock: Clock
) -> None:
    """Ends sessions whose agents have fallen silent without a broken connection."""
    while True:
        began = clock.monotonic()
        await asyncio.sleep(heartbeat / 2)
        if clock.monotonic() - began > heartbeat:
            continue  # this manager stood still, and hears only now what has come meanwhile
        for host_id, generation in hosts.silent_sessions(_SILENT_AFTER * heartbeat):
            sessions.end(host_id, generation)


@contextlib.asynccontextmanager
async def serve_agents(
    service: CommandService,
    hosts: HostService,
    sessions: Sessions,
    listen: str,
    clock: Clock,
    limits: Limits,
) -> AsyncIterator[str]:
    """Listens for agents, and yields the address with the real port.

    Args:
        listen: HOST:PORT; port 0 takes a free one.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    size = limits.max_message
    options = [
        *_OPTIONS,
        ("grpc.max_receive_message_length", size),
        ("grpc.max_send_message_length", size),
    ]
    server = grpc.aio.server(options=options)
    pb_grpc.add_CommandServiceServicer_to_server(service, server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise InvalidInputError(
            "listen",
            f"Cannot listen on {listen}: the port is in use, or the address is not this machine's. "
            "Name another with --listen.",
        ) from error
    await server.start()
    heartbeat = limits.heartbeat.total_seconds()
    watching = asyncio.create_task(_end_silent(hosts, sessions, heartbeat, clock))
    try:
        yield f"{listen.rpartition(':')[0]}:{port}"
    finally:
        watching.cancel()
        await sessions.end_all(_STOP_WITHIN)
        await server.stop(_STOP_WITHIN)
        await asyncio.wait([watching])

"""One stream to the manager: dial, Hello, Welcome, then both directions until it ends."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping

import grpc
from google.protobuf.message import Message
from grpc import aio
from tui_manager_protos.rules.files.transfer_window import PART_LENGTH
from tui_manager_protos.v1 import agent_pb2 as wire
from tui_manager_protos.v1.agent_pb2_grpc import CommandServiceStub

from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_agent.link.reconnect import PATIENCE
from tui_manager_agent.link.stream_endings import Ending, StreamEnd, ending_of, explain_failed_dial

STEADY_AFTER = 10.0  # seconds
HEARTBEAT = 5.0  # seconds, unless the manager says otherwise
SHORTEST_HEARTBEAT = 0.01  # seconds
REPORT_EVERY = 0.003  # seconds from one report to the next, at least
CLOSE_WITHIN = 1.0  # seconds for the manager to end a stream that this side has closed
MAX_MESSAGE = 4 * 1024 * 1024  # bytes, either way
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),  # of silence of the manager
    ("grpc.keepalive_timeout_ms", 10_000),  # of a machine that is gone
    ("grpc.http2.ping_timeout_ms", 10_000),  # of a manager that stands still
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.http2.bdp_probe", 0),  # a ping and its answer for every few messages
    ("grpc.http2.lookahead_bytes", PART_LENGTH),  # received and not yet read
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),  # as at the enrolment
)
_LOG = logging.getLogger(__name__)
_Call = aio.StreamStreamCall[wire.AgentMessage, wire.ManagerMessage]

# What handles a message, by the name of its field in ManagerMessage.
MessageHandlers = Mapping[str, Callable[..., Awaitable[None]]]


class WrongManagerError(Exception):
    """The manager that answers is not the one that this agent belongs to."""


class Link:
    """One stream, used once.

    Args:
        address: HOST:PORT.
        outbox: the executions with news.
        vitals: measures the host.
        welcome: is called with the Welcome, and returns what handles the messages after it, or
            raises WrongManagerError. The handler of `settings` gets those of the Welcome first.
        credentials: prove who both sides are; None: no TLS.
        patience: seconds that a dial may take, with TLS. The answer to Hello may take at least
            PATIENCE seconds, also if there are other managers to try: this one is alive, and the
            others may have as many agents to answer.
    """

    def __init__(
        self,
        address: str,
        outbox: Outbox,
        vitals: Callable[[], wire.Vitals],
        welcome: Callable[[wire.Welcome], MessageHandlers],
        *,
        credentials: Credentials | None,
        patience: float = PATIENCE,
    ) -> None:
        self._target = f"dns:///{address}"  # else a host called unix would be a socket
        self._patience = patience
        self._credentials = credentials
        self._outbox = outbox
        self._vitals = vitals
        self._welcome = welcome
        self._handlers: MessageHandlers = {}
        self._heartbeat = HEARTBEAT
        self._welcomed_at = 0.0
        self._csr = b""
        self._facts: wire.Facts | None = None

    @property
    def welcomed(self) -> bool:
        """Whether the manager has sent a Welcome on this stream."""
        return bool(self._welcomed_at)

    def request_certificate(self, csr_der: bytes) -> None:
        """Sends a certificate request on this stream. If the stream ends before, it is not sent."""
        self._csr = csr_der
        self._outbox.wake()

    def send_facts(self, facts: Mapping[str, str]) -> None:
        """Sends these facts on this stream. If the stream ends before, they are not sent."""
        self._facts = wire.Facts(values=facts)
        self._outbox.wake()

    async def run(self, hello: wire.Hello) -> StreamEnd:
        """Exchanges messages until the stream ends, and returns why. Cancelling closes it."""
        async with self._channel() as channel:
            call = CommandServiceStub(channel).ConnectForCommands()
            try:
                return await self._exchange(call, hello)
            except aio.AioRpcError as error:
                return self._broken(error)
            except asyncio.InvalidStateError:  # grpc.aio: written to after its end
                return self._broken(None)
            finally:
                call.cancel()

    def _channel(self) -> aio.Channel:
        held = self._credentials
        options = (*_OPTIONS, ("grpc.min_reconnect_backoff_ms", round(self._patience * 1000)))
        if held is None:
            return aio.insecure_channel(self._target, options=options)
        name = (("grpc.ssl_target_name_override", held.server_name),) if held.server_name else ()
        proof = grpc.ssl_channel_credentials(held.authorities, held.key, held.chain)
        return aio.secure_channel(self._target, proof, options=(*options, *name))

    async def _exchange(self, call: _Call, hello: wire.Hello) -> StreamEnd:
        await call.write(wire.AgentMessage(hello=hello))
        try:
            async with asyncio.timeout(max(self._patience, PATIENCE)):
                first = await call.read()
        except TimeoutError:
            return StreamEnd(Ending.BAD_WELCOME, "no answer to Hello")
        if not isinstance(first, wire.ManagerMessage):
            return StreamEnd(Ending.CLOSED)
        if first.HasField("disconnect"):
            return ending_of(first.disconnect, was_steady=False)
        if not first.HasField("welcome"):
            return StreamEnd(Ending.BAD_WELCOME, f"its first message was {_kind(first)}")
        try:
            self._handlers = self._welcome(first.welcome)
        except WrongManagerError as error:
            return StreamEnd(Ending.WRONG_MANAGER, str(error))
        self._welcomed_at = time.monotonic()
        self._apply(first.welcome.settings)
        writing = asyncio.create_task(self._write(call))
        reading = asyncio.create_task(self._read(call, first.welcome.settings))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _finish(writing)
            await _end_politely(call, reading)
            raise
        if not reading.done():
            call.cancel()  # writing failed; what is being handled is handled to its end
            await asyncio.wait((reading,))
        await _finish(writing)
        if reading.cancelled():  # grpc.aio: reading what this side cancelled
            return StreamEnd(Ending.BROKEN, "writing failed", was_steady=self._steady())
        return reading.result()

    async def _read(self, call: _Call, settings: wire.Settings) -> StreamEnd:
        await self._on_settings(settings)
        while isinstance(message := await call.read(), wire.ManagerMessage):
            for item in message.batch.messages if message.HasField("batch") else (message,):
                if end := await self._dispatch(item):
                    return end
        return StreamEnd(Ending.CLOSED, was_steady=self._steady())

    async def _dispatch(self, message: wire.ManagerMessage) -> StreamEnd | None:
        """Handles one message. Returns how the stream ends, if the message ends it."""
        kind = _kind(message)
        if kind == "disconnect":
            return ending_of(message.disconnect, was_steady=self._steady())
        if kind == "settings":
            await self._on_settings(message.settings)
        elif kind in self._handlers:
            if not await self._handle(kind, getattr(message, kind)):
                return StreamEnd(Ending.BROKEN, f"{kind} failed", was_steady=self._steady())
        else:
            _LOG.warning("message not handled by this agent: kind=%s", kind)
        return None

    async def _on_settings(self, settings: wire.Settings) -> None:
        self._apply(settings)
        if "settings" in self._handlers:
            await self._handle("settings", settings)

    async def _handle(self, kind: str, message: Message) -> bool:
        """False if this agent failed. The manager asks again on the next stream."""
        try:
            await self._handlers[kind](message)
        except Exception:
            execution_id = getattr(message, "execution_id", "")
            _LOG.exception("not handled: kind=%s execution_id=%s", kind, execution_id)
            return False
        return True

    async def _write(self, call: _Call) -> None:
        heartbeat = _Heartbeat(self._outbox.wake)
        reported_at = -math.inf
        try:
            while True:
                if not heartbeat.is_due(self._heartbeat):
                    await self._outbox.wait()
                    pause = reported_at + REPORT_EVERY - time.monotonic()
                    if pause > 0:
                        await asyncio.sleep(pause)
                if self._csr:
                    request = wire.CertificateRequest(csr_der=self._csr)
                    self._csr = b""
                    await call.write(wire.AgentMessage(certificate_request=request))
                report = self._outbox.report()
                if self._facts is not None:
                    report.facts.CopyFrom(self._facts)
                    self._facts = None
                if heartbeat.is_due(self._heartbeat):
                    report.vitals.CopyFrom(self._vitals())
                    heartbeat.begin()
                if report.ByteSize():
                    reported_at = time.monotonic()
                    await call.write(wire.AgentMessage(report=report))
                if message := self._outbox.file_message():
                    await call.write(message)
        finally:
            heartbeat.stop()

    def _apply(self, settings: wire.Settings) -> None:
        heartbeat = settings.heartbeat.ToNanoseconds() / 1e9
        self._heartbeat = max(heartbeat, SHORTEST_HEARTBEAT) if heartbeat else HEARTBEAT
        self._outbox.set_limits(window=settings.output_window, max_message=settings.max_message)

    def _steady(self) -> bool:
        return bool(self._welcomed_at) and time.monotonic() - self._welcomed_at >= STEADY_AFTER

    def _broken(self, error: aio.AioRpcError | None) -> StreamEnd:
        detail = (error.details() or "") if error else ""
        answered = self._welcomed_at or (error and error.code() != grpc.StatusCode.UNAVAILABLE)
        if answered:
            return StreamEnd(Ending.BROKEN, detail, was_steady=self._steady())
        if self._credentials is not None:
            return explain_failed_dial(detail, self._credentials)
        return StreamEnd(Ending.UNREACHABLE, detail)


class _Heartbeat:
    """When the next heartbeat is due. A wait for something else is ended then, by one timer for
    each heartbeat and not for each wait."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._began_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def is_due(self, heartbeat: float) -> bool:
        """Whether `heartbeat` seconds have gone by since the last one. If not, sets the timer."""
        loop = asyncio.get_running_loop()
        due_at = self._began_at + heartbeat
        if loop.time() >= due_at:
            return True
        if self._timer is None or self._timer.when() != due_at:
            self.stop()
            self._timer = loop.call_at(due_at, self._on_timer)
        return False

    def begin(self) -> None:
        """Call it when a heartbeat is sent."""
        self._began_at = asyncio.get_running_loop().time()

    def _on_timer(self) -> None:
        self._timer = None
        self._wake()

    def stop(self) -> None:
        """Cancels the timer."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _kind(message: wire.ManagerMessage) -> str:
    return message.WhichOneof("message") or "nothing"


async def _finish(task: asyncio.Task[None]) -> None:
    """Cancels a task and waits for its end. If the caller is cancelled meanwhile, that goes on."""
    task.cancel()
    await asyncio.wait((task,))
    error = None if task.cancelled() else task.exception()
    if isinstance(error, (aio.AioRpcError, asyncio.InvalidStateError, OSError)):
        _LOG.info("writing ended: error=%s", error)
    elif error is not None:
        raise error


async def _end_politely(call: _Call, reading: asyncio.Task[StreamEnd]) -> None:
    """Sends nothing more, and lets the manager end the stream."""
    if not call.done():
        await call.done_writing()
        await asyncio.wait((reading,), timeout=CLOSE_WITHIN)
    reading.cancel()
    await asyncio.wait((reading,))

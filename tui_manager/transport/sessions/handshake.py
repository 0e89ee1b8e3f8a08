"""From a new stream to a session: which host has connected, and whether it is accepted."""

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import NoReturn

import grpc.aio
from google.protobuf.message import DecodeError
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError, StorageError
from tui_manager.domain.hosts.agent_messages import AgentHello
from tui_manager.domain.hosts.session_end import SessionEnd
from tui_manager.security.certificates.client_certificate import PeerCertificate, read_peer
from tui_manager.service.core.core import Core
from tui_manager.service.hosts.host_service import HostService
from tui_manager.transport.messages import convert_messages
from tui_manager.transport.messages.host_connection_rates import HostConnectionRates
from tui_manager.transport.messages.message_guard import ID_MAX, MessageGuard, ViolationError
from tui_manager.transport.messages.message_rates import UNKNOWN
from tui_manager.transport.messages.token_bucket import TokenBuckets
from tui_manager.transport.ports.port_limits import Timeouts, address_of
from tui_manager.transport.sessions.certificate_renewal import CertificateRenewal
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.output_windows import OutputWindows
from tui_manager.transport.sessions.session import Session
from tui_manager.transport.sessions.sessions import Sessions, without_database

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[pb.AgentMessage, pb.ManagerMessage]

RETRY_SOON = timedelta(seconds=1)
# Others wait, and their agents may leave meanwhile: then nothing was done for them. Without this
# limit, a manager with too little CPU time would open sessions only for agents that have left.
OPENINGS_MAX = 256  # sessions that are opened at one time


class HandshakeRefusedError(Exception):
    """The stream is refused before there is a session; `last` is the message to its agent."""

    def __init__(self, last: pb.ManagerMessage) -> None:
        super().__init__(last.disconnect.detail)
        self.last = last


class Handshake:
    """Reads Hello and opens sessions.

    Args:
        large, files, windows: what all sessions share.
        secure: every stream has a client certificate. Without TLS the manager believes what Hello
            says.
    """

    def __init__(
        self,
        core: Core,
        hosts: HostService,
        sessions: Sessions,
        large: LargeCommands,
        files: FileShare,
        windows: OutputWindows,
        timeouts: Timeouts,
        *,
        secure: bool,
    ) -> None:
        self._manager_id = core.manager_id
        self._hosts = hosts
        self._sessions = sessions
        self._large = large
        self._files = files
        self._windows = windows
        self._clock = core.clock
        self._violations = core.violations
        self._limits = core.limits
        self._timeouts = timeouts
        self._secure = secure
        self._connection_rates = HostConnectionRates(core.clock.monotonic)
        self._unknown = TokenBuckets(UNKNOWN, core.clock.monotonic)
        self._openings = asyncio.Semaphore(OPENINGS_MAX)

    async def welcome(self, context: Context) -> Session | None:
        """The session of a stream; None if its agent left before it sent Hello.

        Raises:
            HandshakeRefusedError: the host is not accepted, or not now.
        """
        try:
            return await self._welcome(context)
        except RefusedError as error:
            transient = error.refusal in (Refusal.DUPLICATE_IDENTITY, Refusal.PROTOCOL_ERROR)
            retry_after = self._limits.heartbeat if transient else convert_messages.RETRY_LATE
            raise HandshakeRefusedError(
                convert_messages.from_refusal(error, retry_after)
            ) from error
        except StorageError as error:
            _refuse(pb.DISCONNECT_REASON_NO_DATABASE, str(error), RETRY_SOON)

    def slow_down(self, host_id: str) -> None:
        """Lets a host connect less often, because it has violated the protocol."""
        self._connection_rates.slow_down(host_id)

    async def close_session(self, session: Session, why: str) -> None:
        """Removes a session that has ended; `why` is for the log."""
        self._sessions.remove(session)
        end = session.end_reason or SessionEnd.BROKEN
        await self._hosts.close_session(session.host_id, session.generation, why, end)

    async def _welcome(self, context: Context) -> Session | None:
        certificate = self._certificate(context) if self._secure else None
        hello = await self._read_hello(context, certificate)
        if hello is None:
            return None
        self._refuse_without_database()
        # Only now: an agent does not read the reason if its stream ends before it has sent Hello.
        if certificate and self._clock.now() >= certificate.ends:
            raise HandshakeRefusedError(certificate_expired(certificate))
        unknown = self._unknown.of(certificate.host_id) if certificate else None
        guard = MessageGuard(self._limits, self._clock.monotonic, unknown)
        greeting = self._check(hello, address_of(context), guard, certificate)
        otherwise = self._identity_changed(greeting, certificate)
        with self._hosts.waiting() if self._openings.locked() else contextlib.nullcontext():
            await self._openings.acquire()
        try:
            self._refuse_without_database()
            opening = asyncio.ensure_future(self._open(greeting, guard, certificate, otherwise))
            try:
                return await asyncio.shield(opening)
            except asyncio.CancelledError:
                with contextlib.suppress(RefusedError, StorageError):
                    await self.close_session(await opening, "cancelled")
                raise
        finally:
            self._openings.release()

    def _refuse_without_database(self) -> None:
        if self._sessions.refuses:
            raise HandshakeRefusedError(without_database(self._sessions.refuses))

    def _certificate(self, context: Context) -> PeerCertificate:
        """The certificate of the client, which TLS has verified. TLS does not verify again that it
        has not expired when a TLS session is resumed; nor is that checked here."""
        shown = context.auth_context().get("x509_pem_cert", ())
        try:
            return read_peer(next(iter(shown), b""))
        except InvalidInputError as error:
            raise RefusedError(Refusal.INVALID_HELLO, str(error)) from error

    async def _read_hello(
        self, context: Context, certificate: PeerCertificate | None
    ) -> pb.AgentMessage | None:
        """The first message, if the host does not connect too often."""
        try:
            async with asyncio.timeout(self._timeouts.hello):
                message = await read(context)
        except TimeoutError:
            raise RefusedError(Refusal.PROTOCOL_ERROR, "No Hello came in time.") from None
        except ViolationError as error:
            self._report_violation(error, address_of(context), certificate)
            raise
        if message is None:
            return None
        hello = message.hello
        host = certificate.host_id if certificate else hello.host_id or hello.name or hello.hostname
        if wait := self._connection_rates.wait(host[:ID_MAX], len(hello.executions)):
            why = "This host connects too often."
            _refuse(pb.DISCONNECT_REASON_OVERLOADED, why, timedelta(seconds=wait))
        return message

    def _check(
        self,
        message: pb.AgentMessage,
        address: str,
        guard: MessageGuard,
        certificate: PeerCertificate | None,
    ) -> AgentHello:
        try:
            guard.check(message)
        except ViolationError as error:
            self._report_violation(error, address, certificate)
            raise
        except RefusedError as error:
            host_id = certificate.host_id if certificate else ""
            name = message.hello.name or message.hello.hostname
            self._violations.record_refusal(name, address, error, host_id)
            raise
        return convert_messages.to_hello(message.hello, address, self._clock.now())

    def _identity_changed(self, greeting: AgentHello, certificate: PeerCertificate | None) -> bool:
        """Whether the host comes with another name or machine than before. This is refused if it
        happens too often, because each change is written into the audit."""
        host_id = certificate.host_id if certificate else greeting.host_id
        if not self._hosts.has_changed(host_id, greeting.name, greeting.machine_id):
            return False
        if wait := self._connection_rates.identity_change_delay(host_id):
            why = "This host changes its name or its machine too often."
            _refuse(pb.DISCONNECT_REASON_OVERLOADED, why, timedelta(seconds=wait))
        return True

    def _report_violation(
        self, error: ViolationError, address: str, certificate: PeerCertificate | None
    ) -> None:
        if certificate:
            self._hosts.record_violation(certificate.host_id, str(error))
            self.slow_down(certificate.host_id)
        else:
            fields = {"address": address, "error": str(error)}
            log.warning("a stream without a known host violated the protocol", extra=fields)

    async def _open(
        self,
        greeting: AgentHello,
        guard: MessageGuard,
        certificate: PeerCertificate | None,
        otherwise: bool,
    ) -> Session:
        """Opens a session. Runs to completion also if the agent disconnects meanwhile. Nothing is
        awaited between the commit, which answers for the executions that the agent holds, and the
        registration of the session, which then receives cancels."""
        opened = await self._hosts.open_session(greeting, certificate)
        if otherwise:
            self._connection_rates.count_identity_change(opened.host_id)
        renewal = CertificateRenewal(certificate, guard) if certificate else None
        if renewal:
            renewal.ask_if_due(self._clock.now(), self._clock.monotonic())
        self._windows.host_connects()
        session = Session(
            opened,
            self._windows.least,
            guard,
            self._hosts.session_ready,
            self._large,
            self._files,
            renewal,
            self._sessions.managers,
        )
        session.welcome(self._manager_id, opened)
        self._sessions.add(session)
        self._hosts.session_ready(session.host_id)
        return session


def certificate_expired(certificate: PeerCertificate) -> pb.ManagerMessage:
    """The last message to an agent whose certificate has expired."""
    why = (
        f"The certificate of this host expired on {certificate.ends:%Y-%m-%d %H:%M} UTC. A renewed "
        "certificate is accepted at once; without one the host must enrol again with a join token."
    )
    return convert_messages.disconnect(pb.DISCONNECT_REASON_UNSPECIFIED, why, RETRY_SOON)


async def read(context: Context) -> pb.AgentMessage | None:
    """The next message; None at the end of the stream. Raises ViolationError if it is not one."""
    try:
        message = await context.read()
    except DecodeError as error:
        raise ViolationError("A message came that cannot be decoded.") from error
    return message if isinstance(message, pb.AgentMessage) else None


def _refuse(reason: "pb.DisconnectReason.ValueType", why: str, retry_after: timedelta) -> NoReturn:
    raise HandshakeRefusedError(convert_messages.disconnect(reason, why, retry_after))

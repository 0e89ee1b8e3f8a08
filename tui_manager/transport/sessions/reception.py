"""From a stream that has just been opened to a session: who dials, and whether it may come in."""

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import NoReturn

import grpc.aio
from google.protobuf.message import DecodeError
from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.errors import InvalidInputError, Refusal, RefusedError, StorageError
from tui_manager.domain.report import Greeting
from tui_manager.security.peer import PeerCertificate, read_peer
from tui_manager.service.core.clock import Clock
from tui_manager.service.hosts.host_service import HostService
from tui_manager.service.limits import Limits
from tui_manager.transport.messages import convert
from tui_manager.transport.messages.guard import ID_MAX, UNKNOWN, Guard, ViolationError
from tui_manager.transport.ports.arrivals import Arrivals
from tui_manager.transport.ports.listening import Patience, address_of
from tui_manager.transport.ports.token_buckets import Buckets
from tui_manager.transport.sessions.renewal import Renewal
from tui_manager.transport.sessions.session import Session
from tui_manager.transport.sessions.sessions import Sessions

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[pb.AgentMessage, pb.ManagerMessage]

RETRY_SOON = timedelta(seconds=1)


class TurnedBackError(Exception):
    """A stream ends before it has become a session; `last` is what its agent is told."""

    def __init__(self, last: pb.ManagerMessage) -> None:
        super().__init__(last.disconnect.detail)
        self.last = last


class Reception:
    """Hears Hello and opens sessions.

    Args:
        secure: whether every stream has come with a certificate; without, agents are believed.
    """

    def __init__(
        self,
        manager_id: str,
        hosts: HostService,
        sessions: Sessions,
        clock: Clock,
        limits: Limits,
        patience: Patience,
        *,
        secure: bool,
    ) -> None:
        self._manager_id = manager_id
        self._hosts = hosts
        self._sessions = sessions
        self._clock = clock
        self._limits = limits
        self._shared = limits.shared_by(hosts.count)
        self._patience = patience
        self._secure = secure
        self._arrivals = Arrivals(clock.monotonic)
        self._unknown = Buckets(UNKNOWN, clock.monotonic)

    async def welcome(self, context: Context) -> Session | None:
        """The session of a stream; None when its agent left before it said anything.

        Raises:
            TurnedBackError: it may not come in, or not now.
        """
        try:
            return await self._welcome(context)
        except RefusedError as error:
            mendable = error.refusal in (Refusal.DUPLICATE_IDENTITY, Refusal.PROTOCOL_ERROR)
            retry_after = self._limits.heartbeat if mendable else convert.RETRY_LATE
            raise TurnedBackError(convert.from_refusal(error, retry_after)) from error
        except StorageError as error:
            _turn_back(pb.DISCONNECT_REASON_OVERLOADED, str(error), RETRY_SOON)

    def punish(self, host_id: str) -> None:
        """A session of this host has ended because it broke the rules."""
        self._arrivals.punish(host_id)

    async def leave(self, session: Session, why: str) -> None:
        """A session has ended."""
        self._sessions.remove(session)
        await self._hosts.close_session(session.host_id, session.generation, why)

    async def _welcome(self, context: Context) -> Session | None:
        certificate = self._certificate(context) if self._secure else None
        hello = await self._hear(context, certificate)
        if hello is None:
            return None
        # Only now: an agent whose stream ends before it has spoken does not hear why.
        if certificate and self._clock.now() >= certificate.ends:
            raise TurnedBackError(certificate_ended(certificate))
        unknown = self._unknown.of(certificate.host_id) if certificate else None
        guard = Guard(self._limits, self._clock.monotonic, unknown)
        greeting = self._check(hello, address_of(context), guard, certificate)
        otherwise = self._says_otherwise(greeting, certificate)
        opening = asyncio.ensure_future(self._open(greeting, guard, certificate, otherwise))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(RefusedError, StorageError):
                await self.leave(await opening, "cancelled")
            raise

    def _certificate(self, context: Context) -> PeerCertificate:
        """Who speaks, by the certificate that TLS has checked. Whether it has ended meanwhile is
        not looked at here; TLS does not do so when it is resumed."""
        shown = context.auth_context().get("x509_pem_cert", ())
        try:
            return read_peer(next(iter(shown), b""))
        except InvalidInputError as error:
            raise RefusedError(Refusal.INVALID_HELLO, str(error)) from error

    async def _hear(
        self, context: Context, certificate: PeerCertificate | None
    ) -> pb.AgentMessage | None:
        """What an agent says first, if it does not say it too often."""
        try:
            async with asyncio.timeout(self._patience.hello):
                message = await read(context)
        except TimeoutError:
            raise RefusedError(Refusal.PROTOCOL_ERROR, "No Hello came in time.") from None
        except ViolationError as error:
            self._violated(error, address_of(context), certificate)
            raise
        if message is None:
            return None
        hello = message.hello
        host = certificate.host_id if certificate else hello.host_id or hello.name or hello.hostname
        if wait := self._arrivals.wait(host[:ID_MAX], len(hello.executions)):
            why = "This host dials in too often."
            _turn_back(pb.DISCONNECT_REASON_OVERLOADED, why, timedelta(seconds=wait))
        return message

    def _check(
        self,
        message: pb.AgentMessage,
        address: str,
        guard: Guard,
        certificate: PeerCertificate | None,
    ) -> Greeting:
        try:
            guard.check(message)
        except ViolationError as error:
            self._violated(error, address, certificate)
            raise
        except RefusedError as error:
            host_id = certificate.host_id if certificate else ""
            name = message.hello.name or message.hello.hostname
            self._hosts.violations.record_refusal(name, address, error, host_id)
            raise
        return convert.to_greeting(message.hello, address, self._clock.now())

    def _says_otherwise(self, greeting: Greeting, certificate: PeerCertificate | None) -> bool:
        """Whether a host says something else of itself than before, which may not be too often: it
        would fill the audit."""
        host_id = certificate.host_id if certificate else greeting.host_id
        if not self._hosts.has_changed(host_id, greeting.name, greeting.machine_id):
            return False
        if wait := self._arrivals.wait_otherwise(host_id):
            why = "This host comes with another name, or from another machine, too often."
            _turn_back(pb.DISCONNECT_REASON_OVERLOADED, why, timedelta(seconds=wait))
        return True

    def _violated(
        self, error: ViolationError, address: str, certificate: PeerCertificate | None
    ) -> None:
        if certificate:
            self._hosts.record_violation(certificate.host_id, str(error))
            self.punish(certificate.host_id)
        else:
            told = {"address": address, "error": str(error)}
            log.warning("a stream of nobody broke the rules", extra=told)

    async def _open(
        self,
        greeting: Greeting,
        guard: Guard,
        certificate: PeerCertificate | None,
        otherwise: bool,
    ) -> Session:
        """Opens a session whole, also when the agent hangs up meanwhile. Between the commit that
        answers for what the agent holds and the session that takes cancels nothing comes in."""
        opened = await self._hosts.open_session(greeting, certificate)
        if otherwise:
            self._arrivals.came_otherwise(opened.host_id)
        renewal = Renewal(certificate, guard) if certificate else None
        if renewal:
            renewal.ask_if_due(self._clock.now(), self._clock.monotonic())
        self._share()
        session = Session(opened, self._shared, guard, self._hosts.session_ready, renewal)
        session.welcome(self._manager_id, opened)
        self._sessions.add(session)
        self._hosts.session_ready(session.host_id)
        return session

    def _share(self) -> None:
        """When there are more hosts, those that are here may have less under way from now on."""
        shared = self._limits.shared_by(self._hosts.count)
        if shared.output_window != self._shared.output_window:
            self._shared = shared
            for session in self._sessions:
                session.keep_to(shared)


def certificate_ended(certificate: PeerCertificate) -> pb.ManagerMessage:
    """The last word to an agent whose certificate has ended."""
    why = (
        f"The certificate of this host has ended, on {certificate.ends:%Y-%m-%d %H:%M} UTC. A "
        "renewed one is taken at once; without one the host must enrol again with a join token."
    )
    return convert.disconnect(pb.DISCONNECT_REASON_UNSPECIFIED, why, RETRY_SOON)


async def read(context: Context) -> pb.AgentMessage | None:
    """The next message of a stream; None at its end. Raises ViolationError for one that is none."""
    try:
        message = await context.read()
    except DecodeError as error:
        raise ViolationError("A message came that cannot be decoded.") from error
    return message if isinstance(message, pb.AgentMessage) else None


def _turn_back(
    reason: "pb.DisconnectReason.ValueType", why: str, retry_after: timedelta
) -> NoReturn:
    raise TurnedBackError(convert.disconnect(reason, why, retry_after))

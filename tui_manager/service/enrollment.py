"""EnrollmentService: join tokens, hosts that come with one, and the certificates they get."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import (
    InvalidInputError,
    NotFoundError,
    Refusal,
    RefusedError,
    StorageError,
)
from tui_manager.domain.status import Admission
from tui_manager.domain.token import NewToken, TokenSpec
from tui_manager.security.authority import IssuedCertificate
from tui_manager.security.requests import HostKey, read_request
from tui_manager.security.tokens import new_secret, secret_hash, token_text
from tui_manager.service.change_feed import ChangeFeed
from tui_manager.service.clock import Clock
from tui_manager.service.directory import Directory
from tui_manager.service.dispatcher import SessionDoor
from tui_manager.service.enrolling import good_token, take_in
from tui_manager.service.identification import check_words, refuse_turned_away
from tui_manager.service.offences import Offences
from tui_manager.service.statistics import Statistics
from tui_manager.service.whole import whole
from tui_manager.storage import audit, hosts, tokens
from tui_manager.storage.admissions import Enrolling
from tui_manager.storage.connection import Transaction
from tui_manager.storage.database import Database
from tui_manager.storage.hosts import HostRow
from tui_manager.storage.instants import from_timedelta, to_datetime
from tui_manager.storage.tokens import TokenRow

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """What an agent that enrols says, and the key that it has proved to hold."""

    secret: str = field(repr=False)
    name: str
    machine_id: str
    hostname: str
    os: str
    arch: str
    labels: Mapping[str, str]
    agent_version: str
    address: str
    key: HostKey

    def host(self) -> Enrolling:
        """What of it is stored."""
        return Enrolling(
            name=self.name,
            labels=self.labels,
            machine_id=self.machine_id,
            hostname=self.hostname,
            os=self.os,
            arch=self.arch,
            agent_version=self.agent_version,
            address=self.address,
            key_hash=self.key.key_hash,
            fingerprint=self.key.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A host that may dial the command port from now on, admitted or not."""

    host_id: str
    name: str
    admission: Admission
    certificate: IssuedCertificate


@dataclass(frozen=True, slots=True)
class TokenDoor:
    """What a join token says of the enrolment port.

    Attributes:
        pin: of the port's key.
        port: its number; None: the one after the command port.
    """

    pin: str
    port: Callable[[], int | None]


class HostCertificates(Protocol):
    """Whoever signs; see `security.authority.Authority`."""

    def issue_host(self, key: HostKey, host_id: str) -> IssuedCertificate:
        """A certificate for a host. Raises StorageError."""
        ...


class EnrollmentService:
    """Makes join tokens and takes in the hosts that come with one."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        sessions: SessionDoor,
        authority: HostCertificates,
        door: TokenDoor,
        feed: ChangeFeed,
        statistics: Statistics,
        clock: Clock,
        offences: Offences,
    ) -> None:
        self._database = database
        self._directory = directory
        self._sessions = sessions
        self._authority = authority
        self._door = door
        self._feed = feed
        self._statistics = statistics
        self._clock = clock
        self._offences = offences

    async def create_token(self, spec: TokenSpec, actor: str) -> NewToken:
        """Makes a join token, of which the secret is kept nowhere.

        Raises:
            InvalidInputError: a field of `spec` is out of bounds.
            StorageError: the database cannot be written now.
        """
        spec.check()
        secret = new_secret()

        def work(tx: Transaction) -> TokenRow:
            now = self._clock.stamp()
            token = tokens.insert(tx, secret_hash(secret), spec, actor, now)
            audit.record(
                tx,
                now,
                actor,
                "create_token",
                token=token.token_id,
                uses=spec.uses,
                seconds=from_timedelta(spec.ttl) // 1_000_000,
                auto_approve=str(spec.auto_approve).lower(),
                labels=",".join(f"{key}={value}" for key, value in token.labels.items()),
            )
            return token

        token = await self._database.write(work)
        log.info("join token made", extra={"token": token.token_id, "uses": token.uses})
        expires_at = to_datetime(token.expires_at)
        assert expires_at is not None
        return NewToken(token_text(self._door.pin, secret, self._door.port()), expires_at)

    async def enroll(self, request: EnrollmentRequest) -> Enrolled:
        """Takes in a host that shows a join token, and issues its certificate. The same key is the
        same host again, and then uses nothing up.

        Raises:
            RefusedError: the token (BAD_TOKEN), name or labels (INVALID_HELLO) are not good, or the
                host of this key was turned away (REJECTED, REVOKED); nothing was stored.
            StorageError: the database cannot be written now, or no certificate can be issued.
        """
        secret = secret_hash(request.secret)
        try:
            # Whoever guesses costs a look at an index, not a place in the writer's queue.
            await self._database.read(lambda tx: good_token(tx, secret, self._clock.stamp()))
            check_words(request.name, request.labels)
            return await whole(self._enroll(request, secret))
        except RefusedError as error:
            if error.refusal is Refusal.BAD_TOKEN:
                self._offences.bad_token(request.address, error)
            else:
                self._offences.refused(request.name, request.address, error)
            raise

    async def _enroll(self, request: EnrollmentRequest, secret: bytes) -> Enrolled:
        host = request.host()
        row, anew = await self._database.write(
            lambda tx: take_in(tx, host, secret, self._clock.stamp())
        )
        self._directory.put(row, self._clock.now(), self._clock.monotonic())
        if anew:
            self._sessions.tell_admission(row.host_id, row.admission)
        log.info(
            "host enrolled",
            extra={
                "host": row.name,
                "host_id": row.host_id,
                "address": request.address,
                "admission": row.admission,
                "key": row.fingerprint,
            },
        )
        self._feed.publish(Changes(hosts=True))
        certificate = self._issue(request.key, row.host_id)
        return Enrolled(row.host_id, row.name, row.admission, certificate)

    async def renew_certificate(self, host_id: str, csr_der: bytes) -> IssuedCertificate:
        """A new certificate for a host whose session asks for one.

        Args:
            csr_der: PKCS #10, signed with the key that the host has enrolled with.

        Raises:
            NotFoundError: there is no such host.
            RefusedError: the request is not of that key (PROTOCOL_ERROR, a violation), or the host
                was turned away.
            StorageError: the database cannot be written now, or no certificate can be issued.
        """
        try:
            key = read_request(csr_der)
        except InvalidInputError as error:
            raise self._violation(host_id, str(error)) from error

        def work(tx: Transaction) -> HostRow | None:
            now = self._clock.stamp()
            row = hosts.by_host_id(tx, host_id)
            if row is None:
                raise NotFoundError(f"There is no host {host_id}.")
            refuse_turned_away(row)
            if row.key_hash != key.key_hash:
                return None
            actor = f"host {row.name}"
            audit.record(tx, now, actor, "renew_certificate", host_id=host_id, host=row.name)
            return row

        row = await self._database.write(work)
        if row is None:
            raise self._violation(
                host_id, "It asked for a certificate for another key than it enrolled with."
            )
        log.info("certificate renewed", extra={"host": row.name, "host_id": host_id})
        return self._issue(key, host_id)

    def _violation(self, host_id: str, what: str) -> RefusedError:
        entry = self._directory.get(host_id)
        self._offences.violated(host_id, entry.row.name if entry else "", what)
        return RefusedError(Refusal.PROTOCOL_ERROR, what)

    def _issue(self, key: HostKey, host_id: str) -> IssuedCertificate:
        try:
            issued = self._authority.issue_host(key, host_id)
        except StorageError as error:
            self._statistics.authority_error = str(error)
            self._feed.publish(Changes(manager=True))
            log.error("no certificate issued", extra={"host_id": host_id, "error": str(error)})
            raise
        self._statistics.authority_error = ""
        return issued

"""EnrollmentService: join tokens, hosts that come with one, and the certificates they get."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tui_manager_protos.rules.join_token import JoinToken, hash_secret

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import (
    InvalidInputError,
    NotFoundError,
    Refusal,
    RefusedError,
    StorageError,
)
from tui_manager.domain.status import Admission
from tui_manager.domain.token import NewToken, Token, TokenSpec
from tui_manager.domain.window import Page, Window
from tui_manager.security.authority import IssuedCertificate
from tui_manager.security.requests import HostKey, read_request
from tui_manager.service.dispatch.task_dispatcher import SessionDoor
from tui_manager.service.enrollment import tokens
from tui_manager.service.enrollment.enroll_host import good_token, take_in
from tui_manager.service.hosts.directory import Directory
from tui_manager.service.hosts.identification import refuse_labels, refuse_turned_away
from tui_manager.service.hosts.violations import Offences
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.run_to_completion import whole
from tui_manager.service.manager.statistics import Statistics
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import audit, hosts
from tui_manager.storage.tables import tokens as stored_tokens
from tui_manager.storage.tables.admissions import Enrolling
from tui_manager.storage.tables.hosts import HostRow

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
        new = JoinToken.new(self._door.pin, self._door.port())
        token = await self._database.write(
            lambda tx: tokens.make(tx, new.secret_hash, spec, actor, self._clock.stamp())
        )
        log.info("join token made", extra={"token": token.token_id, "uses": token.uses})
        return NewToken(new.text, tokens.shown(token, token.created_at).expires_at, token.token_id)

    async def list_tokens(self, window: Window, *, everything: bool) -> Page[Token]:
        """Join tokens, the newest first.

        Args:
            everything: also those that nobody can enrol with any more.

        Raises:
            StorageError: the database cannot be read now.
        """
        now = self._clock.stamp()
        page = await self._database.read(
            lambda tx: stored_tokens.window(tx, window, now, everything=everything)
        )
        return Page([tokens.shown(row, now) for row in page.rows], page.matching, page.total)

    async def revoke_tokens(self, token_ids: Sequence[int], actor: str) -> Sequence[Token]:
        """Takes join tokens back, all of these or none; nobody enrols with them any more.

        Raises:
            NotFoundError, IllegalMoveError, InvalidInputError: see `tokens.revoke`.
            StorageError: the database cannot be written now.
        """
        now = self._clock.stamp()
        rows = await self._database.write(lambda tx: tokens.revoke(tx, token_ids, actor, now))
        told = ",".join(str(row.token_id) for row in rows)
        log.info("join tokens revoked", extra={"tokens": told, "actor": actor})
        return [tokens.shown(row, now) for row in rows]

    async def enroll(self, request: EnrollmentRequest) -> Enrolled:
        """Takes in a host that shows a join token, and issues its certificate. The same key is the
        same host again, and then uses nothing up.

        Raises:
            RefusedError: the token (BAD_TOKEN), name or labels (INVALID_HELLO) are not good, or the
                host of this key was turned away (REJECTED, REVOKED) or is connected
                (DUPLICATE_IDENTITY); nothing was stored.
            StorageError: the database cannot be written now, or no certificate can be issued.
        """
        secret = hash_secret(request.secret)
        try:
            # Whoever guesses costs a look at an index, not a place in the writer's queue.
            await self._database.read(lambda tx: good_token(tx, secret, self._clock.stamp()))
            refuse_labels(request.labels)
            await self._refuse_copy(request.key.key_hash)
            return await whole(self._enroll(request, secret))
        except RefusedError as error:
            if error.refusal is Refusal.BAD_TOKEN:
                self._offences.bad_token(request.address, error)
            else:
                self._offences.refused(request.name, request.address, error)
            raise

    async def _refuse_copy(self, key_hash: bytes) -> None:
        """An agent enrols before it dials. When the host of its key is there, it is a copy, which
        must not say for that host what it is called and where it is."""
        known = await self._database.read(lambda tx: hosts.by_key(tx, key_hash))
        entry = self._directory.get(known.host_id) if known else None
        if entry is None or entry.session is None:
            return
        if entry.session.is_alive(self._clock.monotonic()):
            raise RefusedError(
                Refusal.DUPLICATE_IDENTITY,
                f"Another agent is connected as {entry.row.name} with this same key. If its state "
                "folder was copied, give this one a new --state-dir and --name.",
            )

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
        if entry := self._directory.get(host_id):
            entry.issued = (issued.begins, issued.ends)
        return issued

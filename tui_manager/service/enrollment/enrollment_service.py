"""EnrollmentService: join tokens, hosts that enrol with them, and certificates of hosts."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.join_token import JoinToken, hash_secret

from tui_manager.domain.errors import (
    InvalidInputError,
    NotFoundError,
    Refusal,
    RefusedError,
    StorageError,
)
from tui_manager.domain.hosts.join_token import NewToken, Token, TokenSpec
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.security.certificates.authority import IssuedCertificate
from tui_manager.security.certificates.certificate_requests import HostKey, read_request
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.dispatch.task_dispatcher import SessionControl
from tui_manager.service.enrollment import manage_tokens
from tui_manager.service.enrollment.check_token import check_token
from tui_manager.service.enrollment.enroll_host import enroll_host
from tui_manager.service.hosts.authenticate_host import refuse_labels, refuse_turned_away
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts import tokens as stored_tokens
from tui_manager.storage.tables.hosts.admissions import EnrollingHost
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.manager import audit

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """What an agent says when it enrols, and the key that it has proved to have."""

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

    def host(self) -> EnrollingHost:
        """The part that is stored."""
        return EnrollingHost(
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
    """A host with its certificate. It may dial the command port, admitted or not."""

    host_id: str
    name: str
    admission: Admission
    certificate: IssuedCertificate


@dataclass(frozen=True, slots=True)
class EnrollmentPort:
    """What a join token says about the enrolment port.

    Attributes:
        pin: of the port's key.
        number: None: the one after the command port.
    """

    pin: str
    number: Callable[[], int | None]


class HostCertificates(Protocol):
    """Signs certificates; see `security.authority.Authority`."""

    def issue_host(self, key: HostKey, host_id: str) -> IssuedCertificate:
        """A certificate for a host. Raises StorageError."""
        ...


class EnrollmentService:
    """Creates join tokens and enrols hosts that show one."""

    def __init__(
        self,
        core: Core,
        sessions: SessionControl,
        authority: HostCertificates,
        port: EnrollmentPort,
    ) -> None:
        self._core = core
        self._database = core.database
        self._directory = core.directory
        self._clock = core.clock
        self._violations = core.violations
        self._sessions = sessions
        self._authority = authority
        self._port = port

    async def create_token(self, spec: TokenSpec, actor: str) -> NewToken:
        """Creates a join token. Its secret is stored nowhere.

        Raises:
            InvalidInputError: a field of `spec` is out of bounds.
            StorageError: the database cannot be written now.
        """
        spec.check()
        new = JoinToken.new(self._port.pin, self._port.number())
        token = await self._database.write(
            lambda tx: manage_tokens.create(tx, new.secret_hash, spec, actor, self._clock.stamp())
        )
        log.info("join token created", extra={"token": token.token_id, "uses": token.uses})
        expires_at = manage_tokens.to_token(token, token.created_at).expires_at
        return NewToken(new.text, expires_at, token.token_id)

    async def list_tokens(self, window: Window, *, everything: bool) -> Page[Token]:
        """Join tokens, the newest first.

        Args:
            everything: also tokens with which no host can enrol any more.

        Raises:
            StorageError: the database cannot be read now.
        """
        now = self._clock.stamp()
        page = await self._database.read(
            lambda tx: stored_tokens.window(tx, window, now, everything=everything)
        )
        rows = [manage_tokens.to_token(row, now) for row in page.rows]
        return Page(rows, page.matching, page.total)

    async def revoke_tokens(self, token_ids: Sequence[int], actor: str) -> Sequence[Token]:
        """Revokes join tokens, all of these or none: no host enrols with them any more.

        Raises:
            NotFoundError, IllegalMoveError, InvalidInputError: see `tokens.revoke`.
            StorageError: the database cannot be written now.
        """
        now = self._clock.stamp()
        rows = await self._database.write(
            lambda tx: manage_tokens.revoke(tx, token_ids, actor, now)
        )
        ids = ",".join(str(row.token_id) for row in rows)
        log.info("join tokens revoked", extra={"tokens": ids, "actor": actor})
        return [manage_tokens.to_token(row, now) for row in rows]

    async def enroll(self, request: EnrollmentRequest) -> Enrolled:
        """Enrols a host that shows a join token, and issues its certificate. The same key is the
        same host again.

        Raises:
            RefusedError: the token (BAD_TOKEN), the name or the labels (INVALID_HELLO) are not
                valid, or the host of this key was turned away (REJECTED, REVOKED) or is connected
                (DUPLICATE_IDENTITY); nothing was stored.
            StorageError: the database cannot be written now, or no certificate can be issued.
        """
        secret = hash_secret(request.secret)
        try:
            # A guessed token costs one read of an index, and no place in the writer's queue.
            await self._database.read(
                lambda tx: check_token(tx, secret, self._clock.stamp(), request.key.key_hash)
            )
            refuse_labels(request.labels)
            await self._refuse_duplicate(request.key.key_hash)
            return await run_to_completion(self._enroll(request, secret))
        except RefusedError as error:
            if error.refusal is Refusal.BAD_TOKEN:
                self._violations.record_bad_token(request.address, error)
            else:
                self._violations.record_refusal(request.name, request.address, error)
            raise

    async def _refuse_duplicate(self, key_hash: bytes) -> None:
        """Raises RefusedError if the host of this key is connected. An agent enrols before it
        dials, so this one has a copied state folder, and must not change the name or address of
        that host."""
        known = await self._database.read(lambda tx: hosts.by_key(tx, key_hash))
        if known is None:
            return
        entry = self._directory.get(known.host_id)
        session = entry.session if entry else None
        here = session is not None and session.is_alive(self._clock.monotonic())
        if here or self._directory.is_elsewhere(known):
            raise RefusedError(
                Refusal.DUPLICATE_IDENTITY,
                f"Another agent is connected as {known.name} with this same key. If its state "
                "folder was copied, give this one a new --state-dir and --name.",
            )

    async def _enroll(self, request: EnrollmentRequest, secret: bytes) -> Enrolled:
        host = request.host()
        row, pending_again = await self._database.write(
            lambda tx: enroll_host(tx, host, secret, self._clock.stamp())
        )
        self._directory.put(row, self._clock.now(), self._clock.monotonic())
        if pending_again:
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
        self._core.feed.publish(Changes(hosts=True))
        certificate = self._issue(request.key, row.host_id)
        return Enrolled(row.host_id, row.name, row.admission, certificate)

    async def renew_certificate(self, host_id: str, csr_der: bytes) -> IssuedCertificate:
        """A new certificate for a connected host that asks for one.

        Args:
            csr_der: PKCS #10, signed with the key that the host has enrolled with.

        Raises:
            NotFoundError: there is no such host.
            RefusedError: the request is for another key (PROTOCOL_ERROR, a violation), or the host
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
        self._violations.record_violation(host_id, entry.row.name if entry else "", what)
        return RefusedError(Refusal.PROTOCOL_ERROR, what)

    def _issue(self, key: HostKey, host_id: str) -> IssuedCertificate:
        try:
            issued = self._authority.issue_host(key, host_id)
        except StorageError as error:
            self._core.statistics.authority_error = str(error)
            self._core.feed.publish(Changes(manager=True))
            log.error("no certificate issued", extra={"host_id": host_id, "error": str(error)})
            raise
        self._core.statistics.authority_error = ""
        if entry := self._directory.get(host_id):
            entry.certificate = (issued.begins, issued.ends)
        return issued

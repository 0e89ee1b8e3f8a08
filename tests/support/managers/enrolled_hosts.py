"""Hosts with keys, an authority that only notes what it issues, and sessions that record."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tui_manager_protos.rules.join_token import hash_secret

from tui_manager import __version__
from tui_manager.domain.errors import Refusal, StorageError
from tui_manager.domain.status import Admission
from tui_manager.security.certificates.authority import IssuedCertificate
from tui_manager.security.certificates.certificate_requests import HostKey, read_request
from tui_manager.security.certificates.client_certificate import PeerCertificate
from tui_manager.service.enrollment.enrollment_service import EnrollmentRequest
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables.hosts import tokens

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=31)


@dataclass
class RecordingSessions:
    """A SessionControl that keeps what it was told."""

    told: list[tuple[str, Admission]] = field(default_factory=list)
    turned_away: list[tuple[str, Refusal, str]] = field(default_factory=list)
    replaced: list[tuple[str, int]] = field(default_factory=list)

    def tell_admission(self, host_id: str, admission: Admission) -> None:
        self.told.append((host_id, admission))

    def end_replaced(self, host_id: str, generation: int) -> None:
        self.replaced.append((host_id, generation))

    def turn_away(self, host_id: str, refusal: Refusal, why: str) -> None:
        self.turned_away.append((host_id, refusal, why))


@dataclass
class NotingAuthority:
    """Issues certificates that say nothing; `problem` stands against it."""

    issued: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""

    def issue_host(self, key: HostKey, host_id: str) -> IssuedCertificate:
        if self.problem:
            raise StorageError(self.problem)
        self.issued.append((key.fingerprint, host_id))
        return IssuedCertificate((key.key_hash,), BEGINS, ENDS)


@cache
def csr(key: str) -> bytes:
    """A certificate request, PKCS #10, signed with the key that the tests call `key`."""
    private = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def host_key(key: str) -> HostKey:
    """The key that the tests call `key`."""
    return read_request(csr(key))


def peer(host_id: str, key: str) -> PeerCertificate:
    """What the certificate of a host says."""
    return PeerCertificate(host_id, host_key(key).key_hash, BEGINS, ENDS)


def secret_of(token: str) -> str:
    """The secret in the text of a join token."""
    return token.split(".")[2]


async def used(database: Database, token: str) -> int:
    """How often a join token was used."""
    row = await database.read(lambda tx: tokens.by_secret(tx, hash_secret(secret_of(token))))
    assert row is not None
    return row.used


def enrollment(token: str, name: str, **given: Any) -> EnrollmentRequest:
    """What the agent of a host called `name` sends; its key is called as it unless `key` says."""
    values: dict[str, Any] = {
        "secret": secret_of(token),
        "name": name,
        "machine_id": f"machine-{name}",
        "hostname": name,
        "os": "Linux",
        "arch": "x86_64",
        "labels": {},
        "agent_version": __version__,
        "address": "127.0.0.1:1",
    }
    key = given.pop("key", name)
    return EnrollmentRequest(**{**values, **given}, key=host_key(key))

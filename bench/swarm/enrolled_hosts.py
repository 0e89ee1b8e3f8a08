"""Emulated hosts that belong to a manager before it starts: keys, certificates, rows.

Joining with a token is tested elsewhere; ten thousand children that enrol would only be waited for.
The credentials lie in a file, a line each, for the processes of the swarm.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tui_manager_agent.identity.credentials import Credentials
from tui_manager_protos.rules.fingerprint import fingerprint

from tui_manager.security.certificates.authority import Authority, IssuedCertificate
from tui_manager.security.certificates.certificate_requests import HostKey
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.keys import key_hash, key_pem
from tui_manager.state_files import DATABASE
from tui_manager.storage.engine.sqlite.migrations import migrate
from tui_manager.storage.tables.hosts import admissions
from tui_manager.storage.tables.hosts.admissions import EnrollingHost
from tui_manager.storage.tables.manager import manager_state

NO_TOKEN = 0
_SECURITY = "security"  # folder of the authority in a state folder


def enroll(state_dir: Path, names: Sequence[str], file: Path) -> None:
    """Makes the state folder of a manager that has admitted hosts of these names.

    Args:
        file: where their credentials are written.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state_dir / DATABASE).touch(mode=0o600)
    connection = sqlite3.connect(state_dir / DATABASE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    connection.execute("BEGIN")
    now = time.time_ns() // 1000
    manager_id = manager_state.manager_id(connection, now)
    authority = Authority(FolderKeys(state_dir / _SECURITY), manager_id, lambda: datetime.now(UTC))
    with file.open("w") as lines:
        for name in names:
            held = _enroll_one(connection, authority, manager_id, name, now)
            lines.write(json.dumps(held) + "\n")
    connection.execute("COMMIT")
    connection.close()


def _enroll_one(
    connection: sqlite3.Connection, authority: Authority, manager_id: str, name: str, now: int
) -> dict[str, object]:
    key = ec.generate_private_key(ec.SECP256R1())
    hashed = key_hash(key.public_key())
    host = HostKey(key.public_key(), hashed, fingerprint(hashed))
    host_id = str(uuid.uuid4())
    enrolling = EnrollingHost(
        name=name,
        labels={},
        machine_id=name,
        hostname=name,
        os="linux",
        arch="x86_64",
        agent_version="emulated",
        address="",
        key_hash=hashed,
        fingerprint=host.fingerprint,
    )
    admissions.enroll(connection, host_id, enrolling, NO_TOKEN, {}, "", now)
    admissions.admit(connection, host_id)
    issued = authority.issue_host(host, host_id)
    return {
        "manager_id": manager_id,
        "host_id": host_id,
        "server_name": authority.server_name,
        "key_hash": hashed.hex(),
        "ends": int(issued.ends.timestamp()),
        "key": key_pem(key).decode(),
        "chain": pem(issued).decode(),
        "authorities": authority.roots_pem.decode(),
    }


def pem(issued: IssuedCertificate) -> bytes:
    """A certificate as gRPC takes it."""
    chain = map(x509.load_der_x509_certificate, issued.chain_der)
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain)


def credentials(file: Path, first: int, count: int) -> Iterator[Credentials]:
    """Those of `count` hosts, from the number `first` on."""
    with file.open() as lines:
        for line in islice(lines, first, first + count):
            held = json.loads(line)
            texts = ("key", "chain", "authorities")
            as_bytes = {name: held[name].encode() for name in texts}
            yield Credentials(**{**held, **as_bytes, "key_hash": bytes.fromhex(held["key_hash"])})

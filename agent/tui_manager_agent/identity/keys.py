"""The host's key and what is signed with it; also a child program, for a certificate's renewal.

    python -P -m tui_manager_agent.identity.keys request | accept

reads a record from stdin and writes one to stdout. The agent itself never imports this: the
memory that cryptography needs is freed when the child ends. What is about certificates is in
`certificates.py`: to import it takes as long as all that the key needs.
"""

import hashlib
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tui_manager_agent.identity.credentials import KEY
from tui_manager_agent.supervisor import record

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class KeyProblemError(Exception):
    """The text is for the host's owner."""


def load(folder: Path) -> EllipticCurvePrivateKey:
    """Raises OSError, FileNotFoundError among them, and KeyProblemError."""
    path = folder / KEY
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblemError(f"The key {path} cannot be read: {error}.") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != SECP256R1.name:
        raise KeyProblemError(f"The key {path} is not an ECDSA key on P-256.")
    return key


def load_or_make(folder: Path) -> EllipticCurvePrivateKey:
    """The one key of this host, which is durable before it is returned.

    If several processes make it at once, one wins, and all return its key. Raises as `load` does.
    """
    while True:
        try:
            return load(folder)
        except FileNotFoundError:
            _make(folder)


def _make(folder: Path) -> None:
    """Makes a key, unless there is one. If several processes do so, there may be none yet."""
    key = generate_private_key(SECP256R1())
    for left_by_a_crash in folder.glob(f"{KEY}.*"):
        left_by_a_crash.unlink(missing_ok=True)
    draft = folder / f"{KEY}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        record.write_all(descriptor, pem)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError, FileNotFoundError):  # another process was first
        os.link(draft, folder / KEY)
    draft.unlink(missing_ok=True)
    record.sync_folder(str(folder))


def key_hash(owner: "Certificate | EllipticCurvePrivateKey") -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo, as certificates hold it."""
    info = owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()


def sign(key: EllipticCurvePrivateKey, message: bytes) -> bytes:
    """A signature (ECDSA with SHA-256, DER)."""
    return key.sign(message, ECDSA(SHA256()))


def public_key(key: EllipticCurvePrivateKey) -> bytes:
    """The SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


if __name__ == "__main__":
    from tui_manager_agent.identity import certificates
    from tui_manager_agent.identity.child_process import answer_agent

    answer_agent(partial(certificates.answer, sys.argv[1]))

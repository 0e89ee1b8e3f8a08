"""Keys, and the short forms in which people and tokens name them."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from tui_manager.domain.errors import StorageError
from tui_manager.security.private_files import private_folder, read_private, write_private

PrivateKey = ec.EllipticCurvePrivateKey


def load_or_make_key(path: Path) -> PrivateKey:
    """The ECDSA P-256 key in a file; a new one is made and written when there is no file.

    Raises:
        StorageError: the file cannot be read or written, is damaged, or other users can read it.
    """
    private_folder(path.parent)
    key = load_key(path)
    if key is None:
        key = new_key()
        write_private(path, key_pem(key))
    return key


def load_key(path: Path) -> PrivateKey | None:
    """The key in a file; None when there is no file. Raises as `load_or_make_key`."""
    data = read_private(path)
    if data is None:
        return None
    return _checked(path, data, serialization.load_pem_private_key)


def key_from_der(path: Path, data: bytes) -> PrivateKey:
    """A key that is part of a file, from its DER, PKCS #8.

    Raises:
        StorageError: it cannot be read, or is of another kind.
    """
    return _checked(path, data, serialization.load_der_private_key)


def new_key() -> PrivateKey:
    """A new ECDSA P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def _checked(path: Path, data: bytes, load: Callable[[bytes, None], object]) -> PrivateKey:
    try:
        key = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StorageError(
            f"{path} holds no key that can be read; it is damaged. Put the file back from a backup."
            " SECURITY.md says what is lost without it."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key.public_key()):
        raise StorageError(
            f"{path} holds a key, but no ECDSA P-256 key as the manager makes them. Put the file "
            "back from a backup."
        )
    return key


def key_pem(key: PrivateKey) -> bytes:
    """A private key as its file holds it: PEM, PKCS #8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def is_p256(public_key: object) -> bool:
    """Whether this is an ECDSA P-256 key, the one kind that hosts have."""
    return isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
        public_key.curve, ec.SECP256R1
    )


def key_hash(public_key: PublicKeyTypes) -> bytes:
    """32 bytes that stand for a key: SHA-256 of its DER SubjectPublicKeyInfo."""
    return hashlib.sha256(
        public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).digest()


def pin(key_hash: bytes) -> str:
    """A key's hash as join tokens carry it: base64url without padding, 43 characters."""
    return base64.urlsafe_b64encode(key_hash).rstrip(b"=").decode()

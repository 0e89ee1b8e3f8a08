"""The operator's key that signs bundles: an Ed25519 key in a PEM file."""

import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from platformdirs import user_config_path
from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.agent_bundle import Signature, format_key, signed_bytes
from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.security.private_files import make_folder, read_private, write_private

FILE = "release.key"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs manifests.

    Attributes:
        path: of its file.
        is_new: whether the file was made just now.
    """

    path: Path
    private: Ed25519PrivateKey
    is_new: bool = False

    @property
    def public(self) -> str:
        """The public key as text."""
        return format_key(self._public_bytes())

    def sign(self, manifest_bytes: bytes) -> Signature:
        """The signature of a manifest."""
        return Signature(self._public_bytes(), self.private.sign(signed_bytes(manifest_bytes)))

    def _public_bytes(self) -> bytes:
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return self.private.public_key().public_bytes(*raw)


def default_key_path() -> Path:
    """In the operator's configuration folder; the file need not exist."""
    return user_config_path("tui-manager") / FILE


def load_key(path: Path) -> SigningKey:
    """The key in a file.

    Raises:
        InvalidInputError: there is no file, or no such key in it.
        StorageError: it cannot be read, or another user can read it or put another one there.
    """
    try:
        pem = read_private(trusted_path(path))
    except UntrustedPathError as error:
        raise StorageError(f"The key {path} cannot be trusted: {error}.") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if pem is None:
        raise InvalidInputError("key", f"There is no key {path}.")
    try:
        private = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(
            "key", f"{path} is no PEM file of a private key without a password."
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidInputError(
            "key",
            f"{path} holds a key of another kind. Bundles are signed with Ed25519: "
            "openssl genpkey -algorithm ed25519 -out FILE.",
        )
    return SigningKey(path, private)


def load_or_make_key(path: Path) -> SigningKey:
    """The key in a file, which is made with mode 0600 if there is none.

    If several processes make it at once, one wins, and all return its key. Raises as `load_key`.
    """
    if not os.path.lexists(path):
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            make_folder(path.parent)
            write_private(draft, _pem(Ed25519PrivateKey.generate()))
            with suppress(FileExistsError):  # another process was first
                os.link(draft, path)
                return SigningKey(path, load_key(path).private, is_new=True)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
        finally:
            draft.unlink(missing_ok=True)
    return load_key(path)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

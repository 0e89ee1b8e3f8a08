"""`cluster.key`: the keys that all managers on one PostgreSQL database share, in one file. The
first manager makes it, and the operator copies it to the others.

The first line says what the file is, and of which manager. A block of PEM follows for each key.
Other lines are for the reader.
"""

import base64
import hashlib
import re
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.security.key_store import AUTHORITY_KEY, ENROLLMENT_KEY, FolderKeys
from tui_manager.security.keys import PrivateKey, key_from_der, key_hash, load_key, new_key
from tui_manager.security.private_files import read_copied
from tui_manager.security.secret_box import KEY_BYTES, new_secrets_key

CLUSTER_KEY = "cluster.key"  # the file in the state folder
_FORMAT = 1
_FIRST_LINE = re.compile(r"tui-manager cluster key, format (\d+), of manager (\S+)")
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\n]*)-----END \1-----")
_AUTHORITY, _ENROLLMENT = "AUTHORITY PRIVATE KEY", "ENROLLMENT PRIVATE KEY"
_SECRETS = "SECRETS KEY"
_LINE = 64  # characters of base64
_NOTE = """\
Whoever has this file is the manager of all its hosts. Each manager on the database needs it in its
state folder, with mode 0600. SECURITY.md says more.
"""


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """The keys of a file; implements KeyStore.

    Attributes:
        path: of the file.
        folder: of the certificates that this manager makes from the keys.
        authority: None: the managers use an authority of the operator's.
        is_new: it is not yet in the file.
    """

    path: Path
    folder: Path
    manager_id: str
    secrets: bytes
    enrollment: PrivateKey
    authority: PrivateKey | None
    is_new: bool = False

    def authority_key(self) -> PrivateKey:
        """See KeyStore. Raises StorageError if there is none."""
        if self.authority is None:
            raise StorageError(
                f"{self.path} has no key of an authority: the managers on this database use one of "
                "the operator's. Name it with authority_certificate and authority_key, as they do."
            )
        return self.authority

    def enrollment_key(self) -> PrivateKey:
        """See KeyStore."""
        return self.enrollment

    def secrets_key(self) -> bytes:
        """See KeyStore."""
        return self.secrets

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that is in it, hexadecimal; says nothing about the keys."""
        digest = hashlib.sha256(f"tui-manager cluster key of {self.manager_id}\n".encode())
        for key in (self.authority, self.enrollment):
            digest.update(key_hash(key.public_key()) if key else bytes(32))
        digest.update(hashlib.sha256(self.secrets).digest())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """What the file holds."""
        keys = {_AUTHORITY: self.authority, _ENROLLMENT: self.enrollment}
        blocks = [_block(name, _der(key)) for name, key in keys.items() if key]
        first = f"tui-manager cluster key, format {_FORMAT}, of manager {self.manager_id}\n"
        return "\n".join((first + _NOTE, *blocks, _block(_SECRETS, self.secrets))).encode()


def make_cluster_key(
    path: Path, kept: FolderKeys, manager_id: str, *, authority: bool, secrets: bool
) -> ClusterKey:
    """A new one, with the keys that a manager has kept in its folder until now, and new ones for
    those that it has not. Nothing is written.

    Args:
        authority: whether it has the key of an authority.
        secrets: whether the kept key for secrets may be used.

    Raises:
        StorageError: a kept key cannot be read.
    """
    return ClusterKey(
        path,
        kept.folder,
        manager_id,
        (kept.kept_secrets_key() if secrets else None) or new_secrets_key(),
        kept.kept_enrollment_key() or new_key(),
        (kept.kept_authority_key() or new_key()) if authority else None,
        is_new=True,
    )


def read_cluster_key(path: Path, folder: Path) -> ClusterKey | None:
    """What is in the file; None: there is no file.

    Raises:
        StorageError: it cannot be read, is damaged or of a newer program, is a link, or others than
            the manager's user can read or change it.
    """
    data = read_copied(path)
    if data is None:
        return None
    text = data.decode(errors="replace").replace("\r\n", "\n")
    first = _FIRST_LINE.match(text)
    if first is None:
        raise _damaged(path, "its first line does not say what it is")
    number, manager_id = int(first[1]), first[2]
    if number > _FORMAT:
        raise StorageError(
            f"{path} was written by a newer tui-manager (format {number}; this program knows "
            f"{_FORMAT}). Install that version on this machine too."
        )
    blocks = {name: _decode(path, name, body) for name, body in _BLOCK.findall(text)}
    secrets = blocks.get(_SECRETS, b"")
    if len(secrets) != KEY_BYTES:
        raise _damaged(path, f"it has no whole {_SECRETS}")
    if _ENROLLMENT not in blocks:
        raise _damaged(path, f"it has no whole {_ENROLLMENT}")
    return ClusterKey(
        path,
        folder,
        manager_id,
        secrets,
        key_from_der(path, blocks[_ENROLLMENT]),
        key_from_der(path, blocks[_AUTHORITY]) if _AUTHORITY in blocks else None,
    )


def refuse_other_keys(cluster: ClusterKey) -> None:
    """Refuses to leave keys unused that hosts of this folder may believe.

    Raises:
        StorageError: the folder of certificates has another key than the file; or one of them
            cannot be read.
    """
    pairs = ((AUTHORITY_KEY, cluster.authority), (ENROLLMENT_KEY, cluster.enrollment))
    kept = {name: load_key(cluster.folder / name) for name, _ in pairs}
    others = [
        name
        for name, ours in pairs
        if ours and (key := kept[name]) and key.public_key() != ours.public_key()
    ]
    if others:
        raise StorageError(
            f"{cluster.folder} has another {' and '.join(others)} than {cluster.path}. Hosts that "
            "joined by these would not believe this manager. If none needs them any more, move "
            f"{cluster.folder} away; if one does, start this manager with another state folder."
        )


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        f"{path} is damaged: {why}. Copy it again from another manager, or from a backup."
    )


def _der(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _block(name: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = (text[at : at + _LINE] for at in range(0, len(text), _LINE))
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----\n"))


def _decode(path: Path, name: str, body: str) -> bytes:
    try:
        return base64.b64decode(body.replace("\n", ""), validate=True)
    except ValueError as error:
        raise _damaged(path, f"its {name} cannot be decoded") from error

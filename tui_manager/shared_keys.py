"""Which keys a manager uses. With SQLite they are in its `security` folder. With PostgreSQL all
managers on the database share them, in a file that the first one makes: `cluster.key`.

The database has fingerprints of what they share. A manager with other keys is refused, because no
host could go from one manager to the other.
"""

import asyncio
import getpass
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.cluster_key import (
    CLUSTER_KEY,
    ClusterKey,
    make_cluster_key,
    read_cluster_key,
    refuse_other_keys,
)
from tui_manager.security.key_store import FolderKeys, KeyStore
from tui_manager.security.private_files import private_folder, write_private
from tui_manager.security.secret_box import new_secrets_key
from tui_manager.settings import Settings
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables.manager import manager_keys
from tui_manager.storage.tables.manager.manager_keys import Fingerprints

SECURITY = "security"  # the folder of keys and certificates, in the state folder


@dataclass(frozen=True, slots=True)
class _KeysWithoutTls(FolderKeys):
    """Of a manager without TLS, which needs the key for secrets only; it is in the database."""

    stored: bytes

    def secrets_key(self) -> bytes:
        return self.stored


async def open_keys(settings: Settings, database: Database, manager_id: str) -> KeyStore:
    """The keys of a manager with these settings. A new `cluster.key` is not yet written.

    Raises:
        StorageError: keys cannot be read or written, or do not fit the database.
    """
    folder = settings.state_dir / SECURITY
    if not database.shared:
        return FolderKeys(folder)
    path, kept = settings.state_dir / CLUSTER_KEY, FolderKeys(folder)
    stored = await database.read(manager_keys.fingerprints)
    if settings.insecure and not stored.cluster_key:
        new = await asyncio.to_thread(kept.kept_secrets_key) or new_secrets_key()
        key = await database.write(lambda tx: manager_keys.secrets_key(tx, new))
        if key is not None:
            return _KeysWithoutTls(folder, key)
        stored = await database.read(manager_keys.fingerprints)  # a manager with TLS was faster
    await asyncio.to_thread(private_folder, folder)
    found = await asyncio.to_thread(read_cluster_key, path, folder)
    if found is not None:
        _check_fits(found, manager_id, stored)
        await asyncio.to_thread(refuse_other_keys, found)
        return found
    if stored.cluster_key:
        raise _is_missing(path)
    return await asyncio.to_thread(
        make_cluster_key,
        path,
        kept,
        manager_id,
        authority=settings.authority_certificate is None,
        secrets=not await database.read(manager_keys.has_secrets_key),
    )


async def claim_database(
    keys: KeyStore, database: Database, authority: Authority, server: ServerIdentity
) -> None:
    """Makes sure that this manager has what the others on the database have. The first one says
    what that is, and writes its `cluster.key` before.

    Raises:
        StorageError: another manager has said something else, or the file cannot be written.
    """
    if not isinstance(keys, ClusterKey):
        return
    if keys.is_new:
        await asyncio.to_thread(write_private, keys.path, keys.to_bytes())
    ours = Fingerprints(keys.fingerprint, authority.fingerprint, server.authority_fingerprint)
    stored = await database.write(lambda tx: manager_keys.claim(tx, ours))
    if stored.cluster_key != ours.cluster_key:
        if keys.is_new:  # another manager was faster, so nobody has used these keys
            keys.path.unlink()
        raise _is_missing(keys.path)
    if stored.host_authority != ours.host_authority:
        raise _is_another("authority", "The authority that signs the certificates of hosts")
    if stored.server_authority != ours.server_authority:
        raise _is_another("server", "The authority of this manager's own certificate")


def _check_fits(found: ClusterKey, manager_id: str, stored: Fingerprints) -> None:
    if found.manager_id != manager_id:
        raise StorageError(
            f"{found.path} is of the manager {found.manager_id}, and the database is that of "
            f"{manager_id}. Correct the setting database, or copy the {CLUSTER_KEY} of another "
            f"manager on this database to {found.path}."
        )
    if stored.cluster_key and found.fingerprint != stored.cluster_key:
        raise StorageError(
            f"{found.path} is not the one of the managers on this database: it has other keys. "
            f"{_how_to_copy(found.path)}"
        )


def _is_missing(path: Path) -> StorageError:
    return StorageError(
        f"{path} is missing. The managers on this database share the keys in it. "
        f"{_how_to_copy(path)}"
    )


def _how_to_copy(path: Path) -> str:
    return (
        f"Copy the {CLUSTER_KEY} from the state folder of another one: as the manager's user, "
        f"`scp OTHER:{path} {path}` and `chmod 600 {path}`; or as root, "
        f"`install -m 600 -o {_user()} COPY {path}`. If nobody has it any more, SECURITY.md says "
        "what to do."
    )


def _is_another(setting: str, what: str) -> StorageError:
    return StorageError(
        f"{what} is another one than that of the other managers on this database. Set "
        f"{setting}_certificate and {setting}_key as they have them, or leave both out if they do. "
        "SECURITY.md says how to change the authority of all."
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "USER"

"""What the database knows of the keys that all managers on it share: fingerprints of them, and
without TLS the key for secrets itself. With SQLite there is one manager, and nothing is stored."""

from dataclasses import asdict

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("manager_keys.sql")


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Of what every manager on the database must have, hexadecimal. All empty: none has said yet.

    Attributes:
        cluster_key: of the file `cluster.key`.
        host_authority: of the authority that signs the certificates of hosts.
        server_authority: of the one above the certificates of managers.
    """

    cluster_key: str = ""
    host_authority: str = ""
    server_authority: str = ""


def fingerprints(tx: Transaction) -> Fingerprints:
    """What the first manager has said; there must be one."""
    cluster_key, host_authority, server_authority, _ = tx.execute(_SQL["shared_keys"]).fetchone()
    return Fingerprints(cluster_key, host_authority, server_authority)


def has_secrets_key(tx: Transaction) -> bool:
    """Whether the key for secrets is in the database."""
    return tx.execute(_SQL["shared_keys"]).fetchone()["secrets_key"] is not None


def claim(tx: Transaction, ours: Fingerprints) -> Fingerprints:
    """Stores what the first manager has, and erases a key for secrets. Returns what is stored: it
    is `ours` for this manager, and for every other one that has the same."""
    tx.execute(_SQL["claim"], asdict(ours))
    return fingerprints(tx)


def secrets_key(tx: Transaction, new: bytes) -> bytes | None:
    """The key for secrets, which is `new` if there was none. None: the managers have it in the file
    `cluster.key`."""
    tx.execute(_SQL["insert_secrets_key"], {"key": new})
    found = tx.execute(_SQL["shared_keys"]).fetchone()["secrets_key"]
    return None if found is None else bytes(found)


def forget(tx: Transaction) -> None:
    """The next manager that starts says anew which keys there are."""
    tx.execute(_SQL["forget"])

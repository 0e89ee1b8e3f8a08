"""Rows of `hosts` as far as they belong: enrolled, approved, put back, thrown out. Each legal move
is one guarded statement."""

from collections.abc import Mapping
from dataclasses import dataclass

from tui_manager.domain.status import Admission
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.queries import load
from tui_manager.storage.tables.hosts import HostRow, by_host_id, host_row, packed

_SQL = load("admissions.sql")


@dataclass(frozen=True, slots=True)
class Enrolling:
    """What an agent that enrols says of itself, and the key that it has proved to hold."""

    name: str
    labels: Mapping[str, str]
    machine_id: str
    hostname: str
    os: str
    arch: str
    agent_version: str
    address: str
    key_hash: bytes
    fingerprint: str

    def values(self, bound: Mapping[str, str]) -> dict[str, object]:
        """As the table holds it; the bound labels win."""
        fields = {name: getattr(self, name) for name in Enrolling.__dataclass_fields__}
        return {**fields, "labels": packed(self.labels, bound)}


def enroll(
    tx: Transaction,
    host_id: str,
    host: Enrolling,
    token_id: int,
    bound: Mapping[str, str],
    note: str,
    now: int,
) -> HostRow:
    """Adds a pending host with a key that was never seen before.

    Args:
        token_id: of the join token that it came with.
        bound: labels of that token.
        note: what is odd about it; empty for nothing.
        now: microseconds since 1970 UTC.
    """
    values = {
        **host.values(bound),
        "host_id": host_id,
        "admission": Admission.PENDING,
        "token_id": token_id,
        "bound_labels": packed({}, bound),
        "note": note,
        "now": now,
    }
    return host_row(tx.execute(_SQL["enroll"], values).fetchall()[0])


def enroll_again(tx: Transaction, known: HostRow, host: Enrolling, token_id: int) -> HostRow:
    """Stores what the agent of a known key says of itself now, and the join token that it came
    with; the labels of its first one stay."""
    bound = known.bound_labels
    values = {**host.values(bound), "host_id": known.host_id, "token_id": token_id}
    return host_row(tx.execute(_SQL["enroll_again"], values).fetchall()[0])


def find(tx: Transaction, name: str) -> list[HostRow]:
    """Every host of this name, or the one host with this host_id."""
    host = by_host_id(tx, name)
    if host:
        return [host]
    return [host_row(row) for row in tx.execute(_SQL["named"], {"name": name})]


def pending(tx: Transaction) -> list[HostRow]:
    """Everybody who waits to be approved."""
    values = {"admission": Admission.PENDING}
    return [host_row(row) for row in tx.execute(_SQL["in_admission"], values)]


def waiting(tx: Transaction, token_id: int) -> int:
    """How many wait to be approved that came with this join token."""
    count: int = tx.execute(_SQL["waiting"], {"token_id": token_id}).fetchone()["waiting"]
    return count


def admit(tx: Transaction, host_id: str) -> HostRow | None:
    """ADMIT; None when that is not a move from where the host stands."""
    return _moved(tx, "admit", {"host_id": host_id})


def reject(tx: Transaction, host_id: str) -> HostRow | None:
    """REJECT; None when that is not a move from where the host stands."""
    return _moved(tx, "reject", {"host_id": host_id})


def revoke(tx: Transaction, host_id: str) -> HostRow | None:
    """REVOKE; None when that is not a move from where the host stands."""
    return _moved(tx, "revoke", {"host_id": host_id})


def put_back(tx: Transaction, host_id: str, note: str) -> HostRow | None:
    """PUT_BACK, with what is odd; None when that is not a move from where the host stands."""
    return _moved(tx, "put_back", {"host_id": host_id, "note": note})


def _moved(tx: Transaction, query: str, values: Mapping[str, str]) -> HostRow | None:
    rows = tx.execute(_SQL[query], values).fetchall()
    return host_row(rows[0]) if rows else None

"""The table `hosts`: enrolment and admission. Each legal change of an admission is one statement
with a guard."""

from collections.abc import Mapping

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Admission
from tui_manager.storage.engine.statements import load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts.hosts import HostRow, by_host_id, host_row, pack_labels

_SQL = load_queries("admissions.sql")


@dataclass(frozen=True, slots=True)
class EnrollingHost:
    """What an agent says of itself when it enrols, and the key that it has proved to have."""

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

    def values(self, fixed: Mapping[str, str]) -> dict[str, object]:
        """The columns.

        Args:
            fixed: labels that the agent cannot change.
        """
        fields = {name: getattr(self, name) for name in EnrollingHost.__dataclass_fields__}
        labels = pack_labels(self.labels, fixed)
        return {**fields, "labels": labels, "agent_labels": pack_labels(self.labels)}


def enroll(
    tx: Transaction,
    host_id: str,
    host: EnrollingHost,
    token_id: int,
    bound: Mapping[str, str],
    note: str,
    now: int,
) -> HostRow:
    """Adds a pending host with a new key.

    Args:
        token_id: of its join token.
        bound: labels of that token.
        note: what an operator should know before it is approved; empty: nothing.
        now: microseconds since 1970 UTC.
    """
    values = {
        **host.values(bound),
        "host_id": host_id,
        "admission": Admission.PENDING,
        "token_id": token_id,
        "bound_labels": pack_labels(bound),
        "note": note,
        "now": now,
    }
    return host_row(tx.execute(_SQL["enroll"], values).fetchall()[0])


def enroll_again(tx: Transaction, known: HostRow, host: EnrollingHost, token_id: int) -> HostRow:
    """Stores what the agent with a known key says of itself now, and its join token. The bound
    labels of its first token stay."""
    values = {**host.values(known.fixed_labels), "host_id": known.host_id, "token_id": token_id}
    return host_row(tx.execute(_SQL["enroll_again"], values).fetchall()[0])


def find(tx: Transaction, name: str) -> list[HostRow]:
    """Every host of this name, or the one host with this host_id; none that was removed."""
    host = by_host_id(tx, name)
    if host:
        return [] if host.removed else [host]
    return [host_row(row) for row in tx.execute(_SQL["named"], {"name": name})]


def pending(tx: Transaction) -> list[HostRow]:
    """All hosts that wait for approval."""
    values = {"admission": Admission.PENDING}
    return [host_row(row) for row in tx.execute(_SQL["in_admission"], values)]


def count_pending(tx: Transaction, token_id: int) -> int:
    """How many hosts that enrolled with this join token wait for approval."""
    count: int = tx.execute(_SQL["count_pending"], {"token_id": token_id}).fetchone()["pending"]
    return count


def admit(tx: Transaction, host_id: str) -> HostRow | None:
    """ADMIT; None: not legal in the present admission."""
    return _update(tx, "admit", {"host_id": host_id})


def reject(tx: Transaction, host_id: str) -> HostRow | None:
    """REJECT; None: not legal in the present admission."""
    return _update(tx, "reject", {"host_id": host_id})


def revoke(tx: Transaction, host_id: str) -> HostRow | None:
    """REVOKE; None: not legal in the present admission."""
    return _update(tx, "revoke", {"host_id": host_id})


def remove(tx: Transaction, host_id: str, now: int) -> HostRow | None:
    """REMOVE; None: it was removed before."""
    return _update(tx, "remove", {"host_id": host_id, "now": now})


def put_back(tx: Transaction, host_id: str, note: str) -> HostRow | None:
    """PUT_BACK, with a note; None: not legal in the present admission."""
    return _update(tx, "put_back", {"host_id": host_id, "note": note})


def _update(tx: Transaction, query: str, values: Mapping[str, str | int]) -> HostRow | None:
    rows = tx.execute(_SQL[query], values).fetchall()
    return host_row(rows[0]) if rows else None

"""The table `hosts`: what agents say of themselves, and their sessions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.agent_messages import AgentHello
from tui_manager.domain.hosts.agent_version import HostAgent
from tui_manager.domain.hosts.facts import NO_FACTS, PackedFacts, agent_facts
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Admission, best_admission
from tui_manager.domain.targets.target import TargetHost
from tui_manager.storage.engine.statements import (
    fetch_ids,
    load_queries,
    pack_rows,
    pack_values,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("hosts.sql")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class HostRow:
    """What is stored of a host.

    Attributes:
        row_id: what `command_hosts.host` holds.
        labels: of the agent, of its join token and of operators.
        key_hash: SHA-256 of its key; None: it is known without TLS.
        fingerprint: of its key, in words.
        bound_labels: of its join token; they win over the agent's.
        operator_labels: given by operators; they win over all others.
        renamed: an operator has given the name; the one that its agent gives is ignored.
        removed: its key is refused, and nothing but its history shows it.
        note: what an operator should know before it is approved.
        token_id: of the join token that it enrolled with.
        maintenance: the newest one, which may have ended; None: there is none.
        facts_at: when its agent told the facts; None: never.
        online: connected, when its manager last knew.
        gateway: of its newest session: the number of a manager; 0 on SQLite.
        gateway_run: in which run of that manager the session began. If the manager has started
            again since, the session has ended, although nobody has stored that.
        instance_id: of the agent of that session.
        agent_build: of the bundle that its agent runs from; empty: it runs from none.
        installed_by: `bundle`, `deb` or `rpm`; empty: by other means.
    """

    row_id: int
    host_id: str
    name: str
    labels: Mapping[str, str]
    admission: Admission
    generation: int
    journal_id: str
    os: str
    arch: str
    agent_version: str
    address: str
    capacity: int
    since: datetime | None
    machine_id: str
    key_hash: bytes | None
    fingerprint: str
    bound_labels: Mapping[str, str]
    note: str
    token_id: int | None
    maintenance: Maintenance | None = None
    operator_labels: Mapping[str, str] = field(default_factory=dict)
    renamed: bool = False
    removed: bool = False
    facts: PackedFacts = NO_FACTS
    facts_at: datetime | None = None
    online: bool = False
    gateway: int = 0
    gateway_run: int = 0
    instance_id: str = ""
    agent_build: str = ""
    installed_by: str = ""

    @property
    def agent(self) -> HostAgent:
        """What its agent is."""
        return HostAgent(
            self.agent_version, self.agent_build, self.installed_by, self.os, self.arch
        )

    @property
    def fixed_labels(self) -> Mapping[str, str]:
        """Labels that its agent cannot change."""
        return {**self.bound_labels, **self.operator_labels}

    def name_with(self, own_name: str) -> str:
        """The name of the host now that its agent gives itself `own_name`."""
        return self.name if self.renamed else own_name


def unpack_labels(labels: str) -> Mapping[str, str]:
    """Labels from their column. At a start those of every host are read, so this is fast."""
    found: Mapping[str, str] = _DECODER.raw_decode(labels)[0] if labels != "{}" else {}
    return found


def _maintenance(row: Row) -> Maintenance | None:
    reason = row["maintenance_reason"]
    if reason is None:
        return None
    return Maintenance(reason, to_datetime(row["maintenance_until"]), row["maintenance_by"])


def host_row(row: Row) -> HostRow:
    """The host of a row."""
    return HostRow(
        row_id=row["id"],
        host_id=row["host_id"],
        name=row["name"],
        labels=unpack_labels(row["labels"]),
        admission=Admission(row["admission"]),
        generation=row["generation"],
        journal_id=row["journal_id"],
        os=row["os"],
        arch=row["arch"],
        agent_version=row["agent_version"],
        address=row["address"],
        capacity=row["capacity"],
        since=to_datetime(row["since"]),
        machine_id=row["machine_id"],
        key_hash=row["key_hash"],
        fingerprint=row["fingerprint"],
        bound_labels=unpack_labels(row["bound_labels"]),
        note=row["note"],
        token_id=row["token_id"],
        maintenance=_maintenance(row),
        operator_labels=unpack_labels(row["operator_labels"]),
        renamed=bool(row["renamed"]),
        removed=row["removed_at"] is not None,
        facts=PackedFacts(row["facts"]),
        facts_at=to_datetime(row["facts_at"]),
        online=bool(row["online"]),
        gateway=row["gateway"],
        gateway_run=row["gateway_run"],
        instance_id=row["instance_id"],
        agent_build=row["agent_build"],
        installed_by=row["installed_by"],
    )


def by_host_id(tx: Transaction, host_id: str) -> HostRow | None:
    """One host, removed or not."""
    row = tx.execute(_SQL["by_host_id"], {"host_id": host_id}).fetchone()
    return row and host_row(row)


def lock(tx: Transaction, host_ids: Iterable[str]) -> dict[str, HostRow]:
    """These hosts as they are now, removed or not, by host_id. Nobody else changes them until the
    end of the transaction: another manager may be about to."""
    rows = tx.execute(_SQL["lock"], {"host_ids": pack_values(host_ids)})
    return {row.host_id: row for row in map(host_row, rows)}


def by_key(tx: Transaction, key_hash: bytes) -> HostRow | None:
    """The host that has enrolled with this key, turned away, removed or not."""
    row = tx.execute(_SQL["by_key"], {"key_hash": key_hash}).fetchone()
    return row and host_row(row)


def by_name(tx: Transaction, name: str) -> list[HostRow]:
    """The hosts with this name that were not turned away: the admitted one first, then any number
    of pending ones."""
    return [host_row(row) for row in tx.execute(_SQL["by_name"], {"name": name})]


def admission_of(tx: Transaction, name: str) -> Admission | None:
    """The admission of the host with this name; None: there is none. See `best_admission`."""
    rows = tx.execute(_SQL["admissions_of"], {"name": name})
    return best_admission({row["admission"] for row in rows})


def by_machine(tx: Transaction, machine_id: str) -> list[HostRow]:
    """The hosts with this machine id that were not turned away; none for an empty id."""
    if not machine_id:
        return []
    return [host_row(row) for row in tx.execute(_SQL["by_machine"], {"machine_id": machine_id})]


def fence(
    tx: Transaction, gateway: int, sessions: Iterable[tuple[int, int]]
) -> dict[int, Admission]:
    """Which of these sessions of a manager are the newest of their hosts. They stay the newest
    until the end of the transaction. Another session of a host must not write.

    Args:
        sessions: the row id of a host, and a generation.

    Returns:
        The admission of the host of each such session, by its row id.
    """
    values = {"gateway": gateway, "sessions": pack_rows(sessions)}
    rows = tx.execute(_SQL["fence"], values)
    return {row["id"]: Admission(row["admission"]) for row in rows}


def lock_away(
    tx: Transaction, sessions: Iterable[tuple[int, int]], alive: Iterable[int]
) -> frozenset[int]:
    """The row ids of those of these hosts that are not connected. No session of them begins until
    the end of the transaction.

    Args:
        sessions: the row id of a host, and the generation of its last session that is known. A host
            with a newer one is left out, also if that has ended.
        alive: the numbers of the other managers that are alive.
    """
    values = {"sessions": pack_rows(sessions), "alive": pack_values(alive)}
    return frozenset(fetch_ids(tx, _SQL["lock_away"], values))


def connected_to(
    tx: Transaction, gateways: Iterable[int], row_ids: Iterable[int]
) -> frozenset[int]:
    """Those of these hosts that are connected to one of these managers."""
    values = {"gateways": pack_values(gateways), "row_ids": pack_values(row_ids)}
    return frozenset(fetch_ids(tx, _SQL["connected_to"], values))


def changed_since(
    tx: Transaction, seen: int, also: Iterable[int] = ()
) -> tuple[list[HostRow], int]:
    """Hosts that have changed, removed ones too. A host may come again that came the last time.

    Args:
        seen: what the last call returned; 0 at first.
        also: row ids of hosts that are read in any case.

    Returns:
        The hosts, and `seen` of the next call.
    """
    now = int(tx.execute(_SQL["last_seen"]).fetchone()["seen"])
    rows = tx.execute(_SQL["changed_since"], {"seen": seen, "also": pack_values(also)})
    return [host_row(row) for row in rows], now


def insert(tx: Transaction, host_id: str, name: str, admission: Admission, now: int) -> None:
    """Adds a new host."""
    values = {"host_id": host_id, "name": name, "admission": admission, "now": now}
    tx.execute(_SQL["insert"], values)


def pack_labels(*layers: Mapping[str, str]) -> str:
    """Labels for their column; each layer wins over those before it."""
    merged = {key: value for layer in layers for key, value in layer.items()}
    return json.dumps(dict(sorted(merged.items())))


def open_session(
    tx: Transaction,
    host_id: str,
    greeting: AgentHello,
    now: int,
    fixed: Mapping[str, str],
    gateway: int,
) -> HostRow:
    """Stores what an agent says of itself, and the generation of its new session.

    Args:
        fixed: labels that it cannot change.
        gateway: the number of this manager.
    """
    values = {
        "host_id": host_id,
        "name": greeting.name,
        "labels": pack_labels(greeting.labels, fixed),
        "agent_labels": pack_labels(greeting.labels),
        "journal_id": greeting.journal_id,
        "machine_id": greeting.machine_id,
        "boot_id": greeting.boot_id,
        "hostname": greeting.hostname,
        "os": greeting.os,
        "arch": greeting.arch,
        "agent_version": greeting.agent_version,
        "agent_build": greeting.agent_build,
        "installed_by": greeting.installed_by,
        "address": greeting.address,
        "capacity": greeting.capacity,
        "facts": greeting.facts.text if greeting.facts is not None else None,
        "gateway": gateway,
        "instance_id": greeting.instance_id,
        "now": now,
    }
    return host_row(tx.execute(_SQL["open_session"], values).fetchall()[0])


def store_facts(
    tx: Transaction, host_id: str, generation: int, facts: PackedFacts, now: int
) -> HostRow | None:
    """Stores what an agent tells of its machine; None: its session is not the newest, or the host
    was removed."""
    values = {"host_id": host_id, "generation": generation, "facts": facts.text, "now": now}
    row = tx.execute(_SQL["store_facts"], values).fetchone()
    return row and host_row(row)


def close_session(
    tx: Transaction, host_id: str, generation: int, now: int, *, stops: bool = False
) -> None:
    """Stores the time since which a host is offline.

    Args:
        stops: the manager does, so the host is expected at the next start.
    """
    values = {"host_id": host_id, "generation": generation, "now": now, "online": stops}
    tx.execute(_SQL["close_session"], values)


def set_offline(tx: Transaction, sessions: Iterable[tuple[int, int]]) -> None:
    """These hosts did not come back.

    Args:
        sessions: the row id of a host, and the generation of its newest session.
    """
    tx.execute(_SQL["set_offline"], {"sessions": pack_rows(sessions)})


def set_online(
    tx: Transaction, gateway: int, sessions: Iterable[tuple[int, int]], now: int
) -> None:
    """These sessions of a manager are open, although their hosts count as offline.

    Args:
        sessions: as for `set_offline`.
    """
    values = {"gateway": gateway, "sessions": pack_rows(sessions), "now": now}
    tx.execute(_SQL["set_online"], values)


def targetable(
    tx: Transaction, names: Iterable[str] | None = None, *, with_facts: bool = False
) -> tuple[list[TargetHost], dict[str, int]]:
    """Hosts that a target may resolve to, and their row ids by host_id.

    Args:
        names: only hosts with these names; None: all hosts.
        with_facts: read their facts too, which takes long for thousands of hosts.
    """
    values: dict[str, object] = {"with_facts": with_facts}
    if names is None:
        rows = tx.execute(_SQL["targetable"], values).fetchall()
    else:
        values["names"] = pack_values(names)
        rows = tx.execute(_SQL["targetable_named"], values).fetchall()
    hosts = [
        TargetHost(
            host_id=row["host_id"],
            name=row["name"],
            labels=unpack_labels(row["labels"]),
            facts=PackedFacts(row["facts"]),
            maintenance=_maintenance(row),
            agent=agent_facts(row["agent_version"], row["agent_build"], row["installed_by"])
            if with_facts
            else NO_FACTS,
        )
        for row in rows
    ]
    return hosts, {row["host_id"]: row["id"] for row in rows}

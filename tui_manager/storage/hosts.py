"""Rows of `hosts`."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tui_manager.domain.report import Greeting
from tui_manager.domain.status import Admission
from tui_manager.domain.target import TargetHost
from tui_manager.storage.connection import Transaction
from tui_manager.storage.instants import to_datetime
from tui_manager.storage.queries import load

_SQL = load("hosts.sql")


@dataclass(frozen=True, slots=True)
class HostRow:
    """What is stored of a host; `row_id` is what `command_hosts.host` holds."""

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


def _row(row: sqlite3.Row) -> HostRow:
    return HostRow(
        row_id=row["id"],
        host_id=row["host_id"],
        name=row["name"],
        labels=json.loads(row["labels"]),
        admission=Admission(row["admission"]),
        generation=row["generation"],
        journal_id=row["journal_id"],
        os=row["os"],
        arch=row["arch"],
        agent_version=row["agent_version"],
        address=row["address"],
        capacity=row["capacity"],
        since=to_datetime(row["since"]),
    )


def all_hosts(tx: Transaction) -> list[HostRow]:
    """Every host."""
    return [_row(row) for row in tx.execute(_SQL["all"])]


def by_host_id(tx: Transaction, host_id: str) -> HostRow | None:
    """One host."""
    row = tx.execute(_SQL["by_host_id"], {"host_id": host_id}).fetchone()
    return row and _row(row)


def by_name(tx: Transaction, name: str) -> HostRow | None:
    """Whoever has this name and has not been turned away."""
    row = tx.execute(_SQL["by_name"], {"name": name}).fetchone()
    return row and _row(row)


def insert(tx: Transaction, host_id: str, name: str, admission: Admission, now: int) -> None:
    """Adds a host that was never seen before."""
    values = {"host_id": host_id, "name": name, "admission": admission, "now": now}
    tx.execute(_SQL["insert"], values)


def open_session(tx: Transaction, host_id: str, greeting: Greeting, now: int) -> HostRow:
    """Stores what an agent said of itself, with the generation of its new session."""
    values = {
        "host_id": host_id,
        "name": greeting.name,
        "labels": json.dumps(dict(sorted(greeting.labels.items()))),
        "journal_id": greeting.journal_id,
        "machine_id": greeting.machine_id,
        "boot_id": greeting.boot_id,
        "hostname": greeting.hostname,
        "os": greeting.os,
        "arch": greeting.arch,
        "agent_version": greeting.agent_version,
        "address": greeting.address,
        "capacity": greeting.capacity,
        "now": now,
    }
    return _row(tx.execute(_SQL["open_session"], values).fetchall()[0])


def close_session(tx: Transaction, host_id: str, generation: int, now: int) -> None:
    """Stores since when a host is offline."""
    values = {"host_id": host_id, "generation": generation, "now": now}
    tx.execute(_SQL["close_session"], values)


def targetable(tx: Transaction) -> tuple[list[TargetHost], dict[str, int]]:
    """Hosts that a target may resolve to, and their row ids by host_id."""
    rows = tx.execute(_SQL["targetable"]).fetchall()
    hosts = [TargetHost(row["host_id"], row["name"], json.loads(row["labels"])) for row in rows]
    return hosts, {row["host_id"]: row["id"] for row in rows}

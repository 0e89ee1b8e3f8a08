"""The table `hosts`: what operators change of a host, besides its admission."""

from collections.abc import Mapping

from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.storage.engine.statements import from_datetime, load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts.hosts import HostRow, host_row, pack_labels, unpack_labels

_SQL = load_queries("host_changes.sql")


def unended_tasks(tx: Transaction, row_id: int) -> dict[int, int]:
    """How many commands of a host have not ended, by task."""
    rows = tx.execute(_SQL["unended_tasks"], {"host": row_id})
    return {row["task_id"]: row["commands"] for row in rows}


def label(tx: Transaction, host: HostRow, labels: Mapping[str, str]) -> HostRow:
    """Stores all labels that operators give to a host, and the labels that it has by that."""
    row = tx.execute(_SQL["agent_labels"], {"host_id": host.host_id}).fetchone()
    values = {
        "host_id": host.host_id,
        "operator_labels": pack_labels(labels),
        "labels": pack_labels(unpack_labels(row["agent_labels"]), host.bound_labels, labels),
    }
    return _update(tx, "label", values)


def rename(tx: Transaction, host_id: str, name: str) -> HostRow:
    """Gives a host a name, which its agent cannot change any more."""
    return _update(tx, "rename", {"host_id": host_id, "name": name})


def set_maintenance(tx: Transaction, host_id: str, maintenance: Maintenance | None) -> HostRow:
    """Stores that a host is in maintenance; None: that it is not."""
    values: dict[str, object] = {"host_id": host_id, "reason": None, "until": None, "by": None}
    if maintenance:
        until = maintenance.until and from_datetime(maintenance.until)
        values |= {"reason": maintenance.reason, "until": until, "by": maintenance.asked_by}
    return _update(tx, "set_maintenance", values)


def _update(tx: Transaction, query: str, values: Mapping[str, object]) -> HostRow:
    return host_row(tx.execute(_SQL[query], values).fetchall()[0])

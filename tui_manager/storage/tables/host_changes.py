"""The table `hosts`: what operators change of a host, besides its admission."""

from collections.abc import Mapping

from tui_manager.domain.host import Maintenance
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import from_datetime, load_queries
from tui_manager.storage.tables.hosts import HostRow, host_row

_SQL = load_queries("host_changes.sql")


def set_maintenance(tx: Transaction, host_id: str, maintenance: Maintenance | None) -> HostRow:
    """Stores that a host is in maintenance; None: that it is not."""
    values: dict[str, object] = {"host_id": host_id, "reason": None, "until": None, "by": None}
    if maintenance:
        until = maintenance.until and from_datetime(maintenance.until)
        values |= {"reason": maintenance.reason, "until": until, "by": maintenance.asked_by}
    return _update(tx, "set_maintenance", values)


def _update(tx: Transaction, query: str, values: Mapping[str, object]) -> HostRow:
    return host_row(tx.execute(_SQL[query], values).fetchall()[0])

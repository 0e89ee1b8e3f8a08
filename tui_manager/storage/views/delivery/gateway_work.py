"""What a manager has to do for the hosts that are connected to it, after another manager has said
that there may be something."""

from collections.abc import Iterable

from tui_manager.storage.engine.statements import load_queries, pack_values
from tui_manager.storage.engine.transaction import Transaction

_SQL = load_queries("gateway_work.sql")


def ready_hosts(tx: Transaction, hosts: Iterable[int]) -> list[int]:
    """Those of these hosts, by row id, that have a command which may be sent now."""
    return [row["host"] for row in tx.execute(_SQL["ready_hosts"], {"hosts": pack_values(hosts)})]


def unanswered_cancels(
    tx: Transaction, gateway: int, tasks: Iterable[int]
) -> list[tuple[int, str]]:
    """Commands of some tasks that were sent, are to end and have not, on the hosts of one manager:
    the row id of a host, and an execution_id."""
    values = {"gateway": gateway, "tasks": pack_values(tasks)}
    rows = tx.execute(_SQL["unanswered_cancels"], values)
    return [(row["host"], row["execution_id"]) for row in rows]


def all_unanswered_cancels(tx: Transaction, hosts: Iterable[int]) -> list[tuple[int, str]]:
    """The same of all tasks, on some hosts by their row ids."""
    rows = tx.execute(_SQL["all_unanswered_cancels"], {"hosts": pack_values(hosts)})
    return [(row["host"], row["execution_id"]) for row in rows]


def running_elsewhere(tx: Transaction, gateway: int) -> dict[int, int]:
    """How many commands run on hosts that are connected to other managers, by the row ids of the
    hosts.

    Args:
        gateway: the number of this manager.
    """
    rows = tx.execute(_SQL["running_elsewhere"], {"gateway": gateway})
    return {row["host"]: row["running"] for row in rows}

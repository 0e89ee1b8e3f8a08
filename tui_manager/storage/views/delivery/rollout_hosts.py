"""The hosts of rollouts whose turn it is: chosen, looked at, and moved from state to state."""

from collections.abc import Iterable

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.rollout_decision import HostState
from tui_manager.storage.engine.statements import load_queries, pack_rows, pack_values
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks.command_hosts import CommandOnHost
from tui_manager.storage.views.delivery.command_delivery import UnsentCommand

_SQL = load_queries("rollout_hosts.sql")


def next_waiting(tx: Transaction, task_id: int, batch: int, limit: int) -> list[int]:
    """The next hosts of a batch whose turn has not come, in order."""
    values = {"task_id": task_id, "batch": batch, "limit": limit}
    return [row["host"] for row in tx.execute(_SQL["waiting"], values)]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that is to begin.

    Attributes:
        row_id: of its first command.
        belongs: it is admitted and not removed.
    """

    host: int
    state: HostState
    row_id: int
    belongs: bool
    admission: str
    in_maintenance: bool


def candidates(tx: Transaction, task_id: int, hosts: Iterable[int], now: int) -> list[Candidate]:
    """Those of these hosts that have not begun, in the order of the rollout."""
    values = {"task_id": task_id, "hosts": pack_values(hosts), "now": now}
    return [
        Candidate(
            host=row["host"],
            state=HostState(row["state"]),
            row_id=row["row_id"],
            belongs=bool(row["belongs"]),
            admission=row["admission"],
            in_maintenance=bool(row["in_maintenance"]),
        )
        for row in tx.execute(_SQL["candidates"], values)
    ]


def not_begun(tx: Transaction, task_id: int, limit: int) -> list[int]:
    """Hosts whose turn has not come, or which are waited for and have not begun."""
    values = {"task_id": task_id, "limit": limit}
    return [row["host"] for row in tx.execute(_SQL["not_begun"], values)]


def take_overdue(tx: Transaction, task_id: int, now: int, limit: int) -> list[UnsentCommand]:
    """The current commands of hosts that were waited for long enough; they are not waited for any
    more."""
    values = {"task_id": task_id, "now": now, "limit": limit}
    rows = tx.execute(_SQL["overdue"], values).fetchall()
    set_wait(tx, task_id, [row["host"] for row in rows], None)
    return [
        UnsentCommand(row["id"], row["task_id"], row["host"], row["position"])
        for row in rows
        if row["unsent"]
    ]


def next_wait(tx: Transaction, task_id: int) -> int | None:
    """When the first host is not waited for any more; None: no host is waited for."""
    due: int | None = tx.execute(_SQL["next_wait"], {"task_id": task_id}).fetchone()["due"]
    return due


@dataclass(frozen=True, slots=True)
class BegunHost:
    """A host of a running rollout that is waited for or under way.

    Attributes:
        paused_at: since when its task is paused, in microseconds since 1970 UTC.
        unsent: its next command was not sent.
        new: no command of it was sent, as far as the manager knows.
    """

    task_id: int
    host: int
    state: HostState
    offline: Offline
    paused_at: int | None
    unsent: bool
    new: bool


def begun(tx: Transaction, hosts: Iterable[int]) -> list[BegunHost]:
    """What these hosts are in the running rollouts that they have begun, or wait to begin."""
    return [
        BegunHost(
            task_id=row["task_id"],
            host=row["host"],
            state=HostState(row["state"]),
            offline=Offline(row["offline"]),
            paused_at=row["paused_at"],
            unsent=bool(row["unsent"]),
            new=bool(row["new"]),
        )
        for row in tx.execute(_SQL["begun"], {"hosts": pack_values(hosts)})
    ]


def begun_of_task(tx: Transaction, task_id: int) -> list[int]:
    """The hosts of one task that are waited for or under way."""
    return [row["host"] for row in tx.execute(_SQL["begun_of_task"], {"task_id": task_id})]


def stop_at_barrier(tx: Transaction, ended: Iterable[CommandOnHost]) -> set[tuple[int, int]]:
    """Hosts whose next command behind one of these has a barrier wait there; task and host of
    each."""
    rows = tx.execute(_SQL["stop_at_barrier"], {"rows": pack_rows(ended)}).fetchall()
    return {(row["task_id"], row["host"]) for row in rows}


def at_barrier(tx: Transaction, task_id: int, batch: int, step: int, limit: int) -> list[int]:
    """Hosts of a batch that wait before the step at this position, in order."""
    values = {"task_id": task_id, "batch": batch, "step": step, "limit": limit}
    return [row["host"] for row in tx.execute(_SQL["at_barrier"], values)]


def set_state(
    tx: Transaction,
    task_id: int,
    hosts: Iterable[int],
    state: HostState,
    wait_until: int | None = None,
) -> None:
    """Moves hosts that have not ended to another state.

    Args:
        wait_until: microseconds since 1970 UTC; then they are not waited for any more.
    """
    values = {"task_id": task_id, "hosts": pack_values(hosts), "state": state}
    tx.execute(_SQL["set_state"], {**values, "wait_until": wait_until})


def set_wait(tx: Transaction, task_id: int, hosts: Iterable[int], wait_until: int | None) -> None:
    """Until when these hosts are waited for; None: they are there, or only the delivery timeout
    ends the wait."""
    values = {"task_id": task_id, "hosts": pack_values(hosts), "wait_until": wait_until}
    tx.execute(_SQL["set_wait"], values)


def set_ready(tx: Transaction, task_id: int, hosts: Iterable[int], *, ready: bool) -> int:
    """Whether the current commands of these hosts may be sent. Those that were sent already, as
    another manager does it at any moment, are left alone. Returns how many are not sent."""
    values = {"task_id": task_id, "hosts": pack_values(hosts), "ready": ready}
    return tx.execute(_SQL["set_ready"], values).rowcount


def start_delivery(
    tx: Transaction, task_id: int, hosts: Iterable[int], deliver_before: int
) -> None:
    """The delivery timeout of hosts that are offline at their turn, or when their barrier opens,
    begins."""
    values = {"task_id": task_id, "hosts": pack_values(hosts), "deliver_before": deliver_before}
    tx.execute(_SQL["start_delivery"], values)


def set_delivery_left(
    tx: Transaction, task_id: int, hosts: Iterable[int], delivery_timeout: int
) -> None:
    """The delivery timeout of hosts that are connected begins when they have a place."""
    values = {"task_id": task_id, "hosts": pack_values(hosts)}
    tx.execute(_SQL["set_delivery_left"], {**values, "delivery_timeout": delivery_timeout})


def stop_delivery(tx: Transaction, task_id: int, host: int, now: int) -> None:
    """The delivery timeout of a host that is connected again stands still while the host waits for
    a place."""
    values = {"task_id": task_id, "host": host}
    tx.execute(_SQL["keep_delivery_left"], {**values, "now": now})
    tx.execute(_SQL["stop_current_delivery"], values)


def continue_delivery(tx: Transaction, task_id: int, hosts: Iterable[int], now: int) -> None:
    """Delivery timeouts that stood still go on: the hosts have gone, or have a place."""
    values = {"task_id": task_id, "hosts": pack_values(hosts)}
    tx.execute(_SQL["continue_delivery"], {**values, "now": now})
    tx.execute(_SQL["forget_delivery_left"], values)


def take_back(tx: Transaction, task_id: int) -> int:
    """Takes the turn of the hosts that may begin, and were sent nothing; returns how many there
    are."""
    hosts = [row["host"] for row in tx.execute(_SQL["not_sent"], {"task_id": task_id})]
    set_ready(tx, task_id, hosts, ready=False)
    tx.execute(_SQL["stop_delivery"], {"task_id": task_id, "hosts": pack_values(hosts)})
    set_state(tx, task_id, hosts, HostState.WAITING)
    return len(hosts)

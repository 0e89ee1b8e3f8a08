"""The tables of the managers that share a database: who is there, and which of them leads.

No wall clock is compared here. A manager counts up `beats` while it runs, and the leader also
`renewals`; the others notice by their own clocks that a number stands still.
"""

from collections.abc import Iterable
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.storage.engine.statements import load_queries, pack_values, to_datetime
from tui_manager.storage.engine.transaction import Row, Transaction, leads

_SQL = load_queries("gateways.sql")


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A manager.

    Attributes:
        number: names it in other tables.
        key: made with its state folder.
        name: of its machine.
        address: that agents dial; empty: not known.
        beats: counted up while it runs.
        stopped_at: when it stopped in order; None: it has not.
        presumed_dead_at: when the others decided that it is dead, because it was silent; None: they
            have not, or it was heard since. The column is `missed_at`.
        figures: of its newest beat, as JSON; see `domain/manager/gateway.py`.
        runs: how often it has started.
    """

    number: int
    key: str
    name: str
    address: str
    version: str
    started_at: datetime
    beats: int
    stopped_at: datetime | None
    presumed_dead_at: datetime | None = None
    figures: str = "{}"
    runs: int = 0


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """The lease of the leader.

    Attributes:
        gateway: who leads; 0: nobody.
        epoch: counts the leaders.
        renewals: counted up while the leader runs.
    """

    gateway: int
    epoch: int
    renewals: int


def begin(tx: Transaction, number: int, name: str, version: str, now: int) -> None:
    """A manager starts."""
    values = {"gateway": number, "name": name, "version": version, "now": now}
    tx.execute(_SQL["begin"], values)


def store_heartbeat(
    tx: Transaction, number: int, address: str, figures: str, vitals: str | None = None
) -> bool:
    """A manager runs.

    Args:
        figures: as JSON.
        vitals: of its hosts, packed; None: those that are stored stay.

    Returns:
        Whether others have taken it for dead since its last beat: its hosts count as offline.
    """
    before = tx.execute(_SQL["lock"], {"gateway": number}).fetchone()  # nobody is about to miss it
    tx.execute(_SQL["beat"], {"gateway": number, "address": address, "figures": figures})
    if vitals is not None:
        tx.execute(_SQL["store_vitals"], {"gateway": number, "vitals": vitals})
    return before is not None and before["missed_at"] is not None


def vitals_of(tx: Transaction, numbers: Iterable[int]) -> dict[int, str]:
    """The packed vitals of the hosts of some managers, by their numbers."""
    rows = tx.execute(_SQL["vitals"], {"gateways": pack_values(numbers)})
    return {row["gateway"]: row["vitals"] for row in rows}


def stop(tx: Transaction, number: int, now: int) -> None:
    """A manager stops in order."""
    tx.execute(_SQL["stop"], {"gateway": number, "now": now})


def all_gateways(tx: Transaction) -> list[GatewayRow]:
    """All managers that ever used the database, by number."""
    return [_gateway(row) for row in tx.execute(_SQL["all"])]


def _gateway(row: Row) -> GatewayRow:
    started_at = to_datetime(row["started_at"])
    assert started_at is not None
    return GatewayRow(
        number=row["id"],
        key=row["key"],
        name=row["name"],
        address=row["address"],
        version=row["version"],
        started_at=started_at,
        beats=row["beats"],
        stopped_at=to_datetime(row["stopped_at"]),
        presumed_dead_at=to_datetime(row["missed_at"]),
        figures=row["figures"],
        runs=row["runs"],
    )


def committed(tx: Transaction) -> dict[int, int]:
    """How many transactions each manager has committed, by its number."""
    return {row["gateway"]: row["number"] for row in tx.execute(_SQL["numbers"])}


def declare_dead(tx: Transaction, number: int, beats: int, now: int) -> list[int] | None:
    """A manager was not heard for too long; its hosts are offline.

    Args:
        beats: those that were seen last.

    Returns:
        The row ids of its hosts; None: it has been heard meanwhile, or was missed already.
    """
    values = {"gateway": number, "beats": beats, "now": now}
    if not tx.execute(_SQL["miss"], values).rowcount:
        return None
    rows = tx.execute(_SQL["leave_hosts"], {"gateway": number, "now": now}).fetchall()
    return [row["id"] for row in rows]


def server_time(tx: Transaction) -> int:
    """What the clock of the server shows just now, in microseconds since 1970 UTC."""
    return int(tx.execute(_SQL["server_time"]).fetchone()["now"])


def leader(tx: Transaction) -> LeaderRow:
    """Who leads."""
    return LeaderRow(*tx.execute(_SQL["leader"]).fetchone())


def renew(tx: Transaction, number: int) -> bool:
    """The leader goes on; False: this manager is not the leader any more."""
    return leads(tx) and bool(tx.execute(_SQL["renew"], {"gateway": number}).rowcount)


def take_over(tx: Transaction, number: int, seen: LeaderRow) -> LeaderRow | None:
    """This manager leads from now on; None: since `seen` was read somebody has renewed the lease or
    taken over."""
    values = {"gateway": number, "epoch": seen.epoch, "renewals": seen.renewals}
    rows = tx.execute(_SQL["take_over"], values).fetchall()
    return LeaderRow(*rows[0]) if rows else None


def release(tx: Transaction, number: int) -> None:
    """The leader stops, and another one need not wait."""
    tx.execute(_SQL["release"], {"gateway": number})

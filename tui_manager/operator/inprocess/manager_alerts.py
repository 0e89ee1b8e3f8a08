"""What needs attention about the managers of one database. Pure. All other alerts are in
`alerts.py`."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby

from tui_manager_protos.rules.duration import rough_duration

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.gateway import HEARS_NOBODY, GatewayState, ManagerGroup

CLOCK_OFF = timedelta(minutes=1)  # between two clocks; a larger difference is said
NOBODY: Mapping[int, int] = {}
_NAMED = 5  # managers that get their own sentence


def manager_alerts(
    managers: ManagerGroup,
    now: datetime,
    *,
    storage_error: str = "",
    notifier_problem: str = "",
    clock_ahead: timedelta = timedelta(),
    offline: Mapping[int, int] = NOBODY,
) -> Iterator[Alert]:
    """What is wrong with the managers of a database, most urgent first; nothing if this one shares
    none.

    Args:
        storage_error: why this manager cannot use the database. It then does not hear the others.
        notifier_problem: why managers cannot tell each other of changes; empty: they can.
        clock_ahead: how far the clock of this machine is ahead of the database's.
        offline: how many hosts are offline that had each manager last, by its number.
    """
    if storage_error and _hears_nobody(managers.recent(now)):
        yield Alert(HEARS_NOBODY)
    if not storage_error and managers.gateways:
        yield from _leader(managers)
        yield from _not_heard(managers.recent(now), now, offline)
        if notifier_problem and any(one.alive for one in managers.others):
            yield Alert(
                f"Managers cannot tell each other of changes: {notifier_problem} Until they can, "
                "they look every 5 s, and what happens on hosts of other managers is shown later."
            )
    yield from _clock(clock_ahead)
    if not storage_error:
        yield from _versions(managers)


def _hears_nobody(managers: ManagerGroup) -> bool:
    """Whether other managers may run, and none of them is heard."""
    states = {one.state for one in managers.others}
    return GatewayState.NOT_HEARD in states and states <= {
        GatewayState.NOT_HEARD,
        GatewayState.STOPPED,
    }


def _leader(managers: ManagerGroup) -> Iterator[Alert]:
    if managers.leader is None:
        yield Alert(
            "No manager leads: no batch, no schedule and no end of a task is decided. A manager "
            "that reaches the database takes the lead within 10 s. If none does, see their logs."
        )


def _not_heard(
    managers: ManagerGroup, now: datetime, offline: Mapping[int, int]
) -> Iterator[Alert]:
    gone = [one for one in managers.others if one.state is GatewayState.NOT_HEARD]
    gone.sort(key=lambda one: -offline.get(one.number, 0))
    for one in gone[:_NAMED]:
        silent = one.silent_for(now)
        long = f" for {rough_duration(silent)}" if silent is not None else ""
        where = f" ({one.address})" if one.address else ""
        count = offline.get(one.number, 0)
        left = (
            "1 host that it had last is" if count == 1 else f"{count:,} hosts that it had last are"
        )
        hosts = f"{left} offline" if count else "no host that it had last is offline"
        yield Alert(
            f"Manager {one.name}{where} was not heard{long}: {hosts}. "
            "Look at its machine, and start the manager again."
        )
    if len(gone) > _NAMED:
        yield Alert(f"{len(gone) - _NAMED} other managers were not heard either.")


def _clock(ahead: timedelta) -> Iterator[Alert]:
    if abs(ahead) > CLOCK_OFF:
        side = "ahead of" if ahead > timedelta() else "behind"
        yield Alert(
            f"The clock of this machine is {rough_duration(abs(ahead))} {side} the clock of the "
            "database, by which all managers go. Set the wrong one, for example with NTP."
        )


def _versions(managers: ManagerGroup) -> Iterator[Alert]:
    """A plain hint: while managers are upgraded one by one, it is so for some time."""
    alive = sorted((one for one in managers.gateways if one.alive), key=lambda one: one.version)
    having = [
        f"{version} on {', '.join(one.name for one in ones)}"
        for version, ones in groupby(alive, key=lambda one: one.version)
    ]
    if len(having) > 1:
        yield Alert(
            f"Managers have different versions: {'; '.join(having)}. That works during an upgrade. "
            "Upgrade the others, too."
        )

"""The state of this manager, and of the managers that share its database, as operators see them.

What of it needs attention is found in `alerts.py` and `manager_alerts.py`.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

import tui_manager
from tui_manager.domain.manager.gateway import Gateway, ManagerGroup
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.operator.inprocess.alerts import HostCounts, attention
from tui_manager.service.core.clock import ClockWatch
from tui_manager.service.core.core import Core
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.tasks.work_summary import WorkSummary


@dataclass(frozen=True, slots=True)
class Identity:
    """Facts that do not change while the manager runs."""

    manager_id: str
    state_dir: Path
    address: str
    security: str
    started_at: datetime
    enroll_address: str = ""
    database: str = ""
    name: str = ""


def manager_status(
    identity: Identity, core: Core, clock: ClockWatch, work: WorkSummary
) -> ManagerStatus:
    """The state of this manager now."""
    now = clock.now()
    total, online, pending = fleet_counts.counts(core.directory)
    maintained, _ = fleet_counts.in_maintenance(core.directory, now)
    untrusted = clock.untrusted
    recovering = fleet_counts.recovering(core.directory)
    load = fleet_counts.load_of_fleet(core.directory, now)
    managers = core.statistics.gauges.managers().recent(now)
    leader = managers.leader
    return ManagerStatus(
        manager_id=identity.manager_id,
        version=tui_manager.__version__,
        pid=os.getpid(),
        state_dir=bytes(identity.state_dir).decode(errors="replace"),
        address=identity.address,
        security=identity.security,
        started_at=identity.started_at,
        recovering=bool(recovering),
        hosts_total=total,
        hosts_online=online,
        hosts_pending=pending,
        tasks_running=work.running,
        attention=attention(
            core,
            HostCounts(load.offline, pending, recovering, maintained, load.newest_offline),
            untrusted,
            now,
            work,
        ),
        health=core.statistics.health,
        enroll_address=identity.enroll_address,
        database=identity.database,
        clock_ahead=untrusted.ahead if untrusted else None,
        clock_waits=untrusted.waits if untrusted else None,
        kill_grace=core.limits.kill_grace,
        hosts_offline=load.offline,
        hosts_busy=load.busy,
        tasks_failed_today=work.failed_today,
        other_managers=len(managers.others),
        others_alive=sum(one.alive for one in managers.others),
        leader=managers.label(leader.number) if leader else "",
        leads=leader is not None and leader.number == managers.own,
        number=managers.own,
        agent_addresses=managers.agent_addresses,
        others_heard=tuple(one.with_address for one in managers.others if one.alive),
    )


def list_managers(identity: Identity, core: Core, now: datetime) -> Sequence[Gateway]:
    """The managers of the database, with the newest state of this one."""
    managers = core.statistics.gauges.managers()
    own = Gateway(
        number=managers.own,
        name=identity.name,
        address=identity.address,
        version=tui_manager.__version__,
        started_at=identity.started_at,
        leads=True,
        last_seen=now,
        health=core.statistics.health,
    )
    return list_gateways(managers, own, now)


def list_gateways(managers: ManagerGroup, own: Gateway, now: datetime) -> Sequence[Gateway]:
    """The managers that operators are shown, by number.

    Args:
        own: what this manager says of itself. It is the whole list if it shares no database.
    """
    if not managers.gateways:
        return (own,)
    listed = [
        replace(one, alive=True, last_seen=own.last_seen, health=own.health)
        if one.number == managers.own
        else one
        for one in managers.recent(now).gateways
    ]
    return sorted(listed, key=lambda one: one.number)

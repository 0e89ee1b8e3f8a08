"""Three managers of one database, of which one is not heard: for pictures and tests of screens."""

from dataclasses import replace
from datetime import timedelta

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tui_manager.domain.manager.gateway import Gateway, ManagerGroup
from tui_manager.domain.manager.manager_status import Health
from tui_manager.operator.inprocess.manager_alerts import manager_alerts

LOAD = Health(
    sessions=8, commands_per_second=1.6, loop_lag_seconds=0.003, memory_bytes=71_000_000,
    cpu_percent=2, write_queue=14,
)  # fmt: skip


def add_managers(fleet: FakeOperator) -> None:
    """The fleet's manager is m1; m2 died, and m3 leads."""
    up, seen = START - timedelta(days=3), START - timedelta(seconds=12)
    m2 = Gateway(2, "m2", "10.0.0.2:7443", "0.1.0", up, False, False, last_seen=seen)
    fleet.managers = (
        Gateway(1, "m1", "10.0.0.1:7443", "0.1.0", START - timedelta(days=1), health=fleet.health),
        replace(m2, health=replace(LOAD, sessions=4000)),
        Gateway(3, "m3", "10.0.0.3:7443", "0.1.0", up, True, last_seen=START, health=LOAD),
    )
    alerts = manager_alerts(ManagerGroup(1, fleet.managers), START)
    fleet.attention = (*alerts, *fleet.attention)
    for host in fleet.hosts.values():
        if host.online:
            fleet.manager_of[host.host_id] = "m1" if host.name.startswith("web") else "m3"

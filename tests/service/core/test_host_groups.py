"""Hosts by what the status says of them, after any change of a host."""

import random

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import ManagerError
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.core.hosts.host_groups import group_hosts

ANA = "ana@tty1"
ACTS = ("connect", "connect", "close", "rest", "work", "revoke", "label", "time")
NAMES = [f"web{number:02}" for number in range(1, 7)]


async def test_groups_are_right_after_any_change(parts: Parts) -> None:
    directory, chance = parts.directory, random.Random(4)

    async def change(name: str) -> None:
        entry = next((one for one in directory if one.row.name == name), None)
        act = chance.choice(
            ("connect", "connect", "close", "rest", "work", "revoke", "label", "time")
        )
        if act == "connect":
            await parts.connect(name, agent_version=chance.choice(("0.1.0", "0.2.0")))
        elif act == "close" and entry and entry.session:
            await parts.hosts.close_session(entry.row.host_id, entry.session.generation, "gone")
        elif act == "rest":
            await parts.host_management.set_maintenance([name], "new disks", None, ANA)
        elif act == "work":
            await parts.host_management.end_maintenance([name], ANA)
        elif act == "revoke":
            await parts.admission.revoke([name], ANA)
        elif act == "label":
            await parts.host_management.label([name], {"zone": str(chance.random())}, [], ANA)
        else:
            parts.clock.turn(60.0)

    for _ in range(120):
        try:
            await change(chance.choice(NAMES))
        except ManagerError:  # the host is not there yet, or was turned away
            continue
        now, entries = parts.clock.instant, list(directory)
        assert directory.groups == group_hosts(entries)
        admitted = [one for one in entries if one.row.admission == "admitted"]
        away = [one for one in admitted if not one.online and not one.maintenance(now)]
        online = sum(one.online for one in admitted)
        assert fleet_counts.counts(directory)[:2] == (len(admitted), online)
        assert fleet_counts.load_of_fleet(directory, now).offline == len(away)
    assert directory.groups.by_agent
    assert directory.groups is directory.groups


async def test_the_last_host_that_left_is_found_when_a_maintenance_ends(parts: Parts) -> None:
    for name in NAMES[:2]:
        host = await parts.connect(name)
        parts.clock.turn(10.0)
        await parts.hosts.close_session(host.host_id, host.generation, "gone")
    before = parts.clock.instant
    await parts.host_management.set_maintenance(
        NAMES[1:2], "disks", before.replace(year=before.year + 1), ANA
    )
    load = fleet_counts.load_of_fleet(parts.directory, before)
    assert load.newest_offline
    assert (load.offline, load.newest_offline.row.name) == (1, NAMES[0])
    after = before.replace(year=before.year + 2)
    load = fleet_counts.load_of_fleet(parts.directory, after)
    assert load.newest_offline
    assert (load.offline, load.newest_offline.row.name) == (2, NAMES[1])

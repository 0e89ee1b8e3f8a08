"""An idle manager does not walk through all hosts each second, and misses nothing by that."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.service.enrollment.test_host_management import ANA
from tests.support.managers.manager_parts import Parts
from tui_manager.service.core.hosts.host_directory import Directory
from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.storage.tables.manager import notifications

LOST_AFTER = 301.0


async def lost(parts: Parts) -> set[int]:
    """Row ids of the hosts that are stored as lost."""
    return await parts.database.read(notifications.lost_hosts)


async def _silent(parts: Parts, *names: str) -> list[str]:
    opened = [await parts.connect(name) for name in names]
    for host in opened:
        await parts.hosts.close_session(host.host_id, host.generation, "test")
    return [host.host_id for host in opened]


async def test_nothing_is_walked_while_nothing_changes(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = 0

    def counted(self: Directory) -> Iterator[HostEntry]:
        nonlocal walks
        walks += 1
        return iter(self._entries.values())

    monkeypatch.setattr(Directory, "__iter__", counted)
    hosts = await _silent(parts, "web01", "web02")
    await parts.silence.run_once()
    assert walks
    walks = 0
    for _ in range(5):
        parts.clock.turn(1.0)
        await parts.silence.run_once()
    assert not walks
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()
    assert len(await lost(parts)) == 2
    walks = 0
    for _ in range(5):
        parts.clock.turn(1.0)
        await parts.silence.run_once()
    assert not walks
    await parts.connect("web01", host_id=hosts[0])
    await parts.silence.run_once()
    assert len(await lost(parts)) == 1


async def test_each_silence_ends_at_its_own_time(parts: Parts) -> None:
    for name in ("web01", "web02", "web03"):
        await _silent(parts, name)
        parts.clock.turn(20.0)
        await parts.silence.run_once()
    found = []
    parts.clock.turn(LOST_AFTER - 60.0)
    for _ in range(3):
        await parts.silence.run_once()
        found.append(len(await lost(parts)))
        parts.clock.turn(20.0)
    assert found == [1, 2, 3]


async def test_a_host_is_lost_some_time_after_its_maintenance(parts: Parts) -> None:
    end = parts.core.clock.now() + timedelta(seconds=2 * LOST_AFTER)
    await _silent(parts, "web01")
    await parts.host_management.set_maintenance(["web01"], "new disks", end, ANA)
    parts.clock.turn(LOST_AFTER)
    await parts.silence.run_once()
    parts.clock.turn(LOST_AFTER - 1.0)
    await parts.silence.run_once()
    assert not await lost(parts)
    parts.clock.turn(60.0)
    await parts.silence.run_once()
    assert len(await lost(parts)) == 1


async def test_hosts_that_are_back_are_not_expected_any_longer(parts: Parts) -> None:
    expected = parts.core.directory.expected
    (host_id,) = await _silent(parts, "web01")
    entry = parts.core.directory.get(host_id)
    assert entry
    parts.core.directory.expect([entry.row.row_id], parts.core.clock.monotonic())
    await parts.connect("web01", host_id=host_id)
    assert expected.not_back(parts.core.clock.monotonic()) == []
    assert not expected._entries

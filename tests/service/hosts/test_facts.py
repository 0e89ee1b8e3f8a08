"""What agents tell of their machines is stored, shown with its age, and used for targets."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from tui_manager.domain.hosts.facts import NO_FACTS, PackedFacts
from tui_manager.domain.hosts.host import TASKS_SHOWN
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway, ManagerGroup
from tui_manager.service.hosts import host_service
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.hosts.hosts import HostRow

DEBIAN = PackedFacts.pack({"os": "debian", "cores": "8"})
FEDORA = PackedFacts.pack({"os": "fedora", "cores": "8"})


def row_of(parts: Parts, host_id: str) -> HostRow:
    entry = parts.directory.get(host_id)
    assert entry is not None
    return entry.row


async def stored(parts: Parts, host_id: str) -> HostRow:
    row = await parts.database.read(lambda tx: hosts.by_host_id(tx, host_id))
    assert row is not None
    assert row == row_of(parts, host_id)
    return row


async def test_the_facts_of_a_hello_are_stored_with_their_time(parts: Parts) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    row = await stored(parts, host.host_id)
    assert row.facts == {"os": "debian", "cores": "8"}
    assert row.facts_at == parts.clock.instant
    parts.clock.turn(60)
    await parts.connect("web01", facts=DEBIAN)
    assert (await stored(parts, host.host_id)).facts_at == parts.clock.instant


async def test_an_agent_that_tells_none_leaves_what_is_known(parts: Parts) -> None:
    """An old one, or one that has not looked yet."""
    host = await parts.connect("web01")
    row = await stored(parts, host.host_id)
    assert (row.facts, row.facts_at) == (NO_FACTS, None)
    await parts.connect("web01", facts=DEBIAN)
    told_at = parts.clock.instant
    parts.clock.turn(60)
    await parts.connect("web01")
    row = await stored(parts, host.host_id)
    assert (row.facts, row.facts_at) == (DEBIAN, told_at)


async def test_a_change_is_stored_once(parts: Parts) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    parts.clock.turn(60)
    await parts.hosts.record_facts(host.host_id, host.generation, FEDORA)
    row = await stored(parts, host.host_id)
    assert (row.facts, row.facts_at) == (FEDORA, parts.clock.instant)
    parts.clock.turn(60)
    await parts.hosts.record_facts(host.host_id, host.generation, FEDORA)
    assert (await stored(parts, host.host_id)).facts_at == parts.clock.instant - timedelta(0, 60)


async def test_an_old_session_changes_nothing(parts: Parts) -> None:
    old = await parts.connect("web01", facts=DEBIAN)
    await parts.connect("web01", facts=FEDORA)
    await parts.hosts.record_facts(old.host_id, old.generation, DEBIAN)
    assert (await stored(parts, old.host_id)).facts == FEDORA


async def test_they_are_there_after_a_restart(tmp_path: Path) -> None:
    async with manager_parts(tmp_path) as parts:
        host = await parts.connect("web01", facts=DEBIAN)
    async with manager_parts(tmp_path) as parts:
        row = row_of(parts, host.host_id)
        assert (row.facts, row.facts_at) == (DEBIAN, parts.clock.instant)


async def test_a_target_finds_the_changed_fact(parts: Parts) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    await parts.connect("web02")
    assert (await parts.tasks.preview_target("fact.os=debian")).hosts == ("web01",)
    await parts.hosts.record_facts(host.host_id, host.generation, FEDORA)
    assert (await parts.tasks.preview_target("fact.os=fedora")).hosts == ("web01",)
    with pytest.raises(InvalidInputError, match="No host matches"):
        await parts.tasks.preview_target("fact.os=debian")


async def test_who_watches_hears_of_a_change(parts: Parts) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    watching = parts.feed.watch()
    await anext(watching)
    await parts.hosts.record_facts(host.host_id, host.generation, FEDORA)
    assert await anext(watching) == Changes(hosts=True)


async def test_a_change_waits_for_the_database(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agent does not tell it again."""
    host = await parts.connect("web01", facts=DEBIAN)
    failed = asyncio.Event()
    write = parts.database.write

    async def fails(*given: object, **more: object) -> None:
        failed.set()
        raise StorageError("The disk is full.")

    monkeypatch.setattr(host_service, "_RETRY", 0.001)
    monkeypatch.setattr(parts.database, "write", fails)
    recording = asyncio.create_task(parts.hosts.record_facts(host.host_id, host.generation, FEDORA))
    await failed.wait()
    assert row_of(parts, host.host_id).facts == DEBIAN
    monkeypatch.setattr(parts.database, "write", write)
    await recording
    assert (await stored(parts, host.host_id)).facts == FEDORA


async def test_facts_of_a_session_that_ends_before_they_are_stored_change_nothing(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    write = parts.database.write

    async def reconnects(work: Callable[[Transaction], object]) -> object:
        monkeypatch.setattr(parts.database, "write", write)
        await parts.connect("web01", facts=FEDORA)
        return await write(work)

    monkeypatch.setattr(parts.database, "write", reconnects)
    await parts.hosts.record_facts(host.host_id, host.generation, PackedFacts.pack({"os": "old"}))
    assert (await stored(parts, host.host_id)).facts == FEDORA


async def test_facts_of_a_host_that_is_removed_meanwhile_do_not_bring_it_back(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await parts.connect("web01", facts=DEBIAN)
    write = parts.database.write

    async def is_removed(work: Callable[[Transaction], object]) -> object:
        monkeypatch.setattr(parts.database, "write", write)
        await parts.hosts.close_session(host.host_id, host.generation, "gone")
        await parts.host_management.remove(["web01"], "ana@pts/3")
        return await write(work)

    monkeypatch.setattr(parts.database, "write", is_removed)
    await parts.hosts.record_facts(host.host_id, host.generation, FEDORA)
    assert parts.directory.get(host.host_id) is None
    row = await parts.database.read(lambda tx: hosts.by_host_id(tx, host.host_id))
    assert row is not None
    assert row.facts == DEBIAN


async def test_a_host_is_shown_with_its_facts_and_its_tasks(parts: Parts) -> None:
    host = await parts.connect("web01", facts=DEBIAN, labels={"env": "prod"})
    await parts.connect("web02")
    told_at = parts.clock.instant
    await parts.host_management.label(["web01"], {"role": "web"}, [], "ana@pts/3")
    tasks = [await parts.started("web01") for _ in range(TASKS_SHOWN + 1)]
    await parts.started("web02")
    parts.clock.turn(60)
    for name in ("web01", host.host_id, f"web01/{host.host_id}"):
        detail = await parts.host_management.get_host(name)
        assert (detail.host.name, detail.host.online) == ("web01", True)
        assert (detail.facts, detail.facts_at) == ({"os": "debian", "cores": "8"}, told_at)
        assert [task.task_id for task in detail.tasks] == tasks[:0:-1]
        assert detail.operator_labels == {"role": "web"}
        assert detail.host.labels == {"env": "prod", "role": "web"}
    with pytest.raises(NotFoundError, match="no host 'web03'"):
        await parts.host_management.get_host("web03")


async def test_a_host_is_shown_with_its_manager_if_there_are_several(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.connect("web02")
    number = parts.database.gateway
    own = Gateway(number, "m1", "10.0.0.1:7443", "0.1.0")
    other = Gateway(number + 1, "m2", "10.0.0.2:7443", "0.1.0")
    gauges = parts.statistics.gauges
    assert (await parts.host_management.get_host("web01")).manager == ""
    gauges.managers = lambda: ManagerGroup(number, (own,))
    assert (await parts.host_management.get_host("web01")).manager == ""
    gauges.managers = lambda: ManagerGroup(number, (own, other))
    assert (await parts.host_management.get_host("web01")).manager == "m1"
    await parts.hosts.close_session(host.host_id, host.generation, "gone")
    assert (await parts.host_management.get_host("web01")).manager == ""
    assert (await parts.host_management.get_host("web02")).manager == "m1"


async def test_of_several_hosts_of_a_name_the_admitted_one_is_shown(parts: Parts) -> None:
    pending = [await parts.enroll("web01", key=key) for key in ("a", "b")]
    with pytest.raises(IllegalMoveError, match="2 hosts are called web01"):
        await parts.host_management.get_host("web01")
    assert (await parts.host_management.get_host(pending[0].host_id)).tasks == ()
    await parts.admission.reject([pending[0].host_id], False, "ana@pts/3")
    assert (await parts.host_management.get_host("web01")).host.host_id == pending[1].host_id
    await parts.admission.approve([pending[1].host_id], False, "ana@pts/3")
    assert (await parts.host_management.get_host("web01")).host.host_id == pending[1].host_id
    await parts.admission.revoke(["web01"], "ana@pts/3")
    with pytest.raises(IllegalMoveError, match="2 hosts are called web01"):
        await parts.host_management.get_host("web01")

"""Hosts that are connected to other managers: vitals, identity, managers that come and go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.managers.following_managers import Manager, Managers, following_managers
from tests.support.managers.manager_parts import manager_parts, result, spec
from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.vitals import Disk, Vitals
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.operator.inprocess.alerts import HostCounts, attention
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.service.core.hosts.host_entry import SessionElsewhere
from tui_manager.service.limits import RETURN_TIMEOUT
from tui_manager.service.managers.database_watch import LOOKS_MAX, DatabaseWatch
from tui_manager.service.managers.vitals_elsewhere import pack, unpack
from tui_manager.storage.engine.transaction import Work
from tui_manager.storage.tables.hosts import hosts as stored_hosts
from tui_manager.storage.tables.manager import gateways

pytestmark = pytest.mark.postgresql
MIB = 1 << 20
VITALS = Vitals(
    cpu_percent=12.5,
    load_1m=0.25,
    memory_used=100 * MIB,
    memory_total=400 * MIB,
    disks=(Disk("/", 5 * MIB, 10 * MIB),),
    queued=1,
    cores=4,
    uptime=timedelta(hours=3),
    skew=timedelta(seconds=-1.5),
)


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[Managers]:
    async with following_managers(tmp_path) as made:
        yield made


def _shown(manager: Manager) -> Host:
    (host,) = manager.list_hosts(Window()).rows
    return host  # type: ignore[no-any-return]


async def _exchange(teller: Manager, reader: Manager) -> None:
    """What a beat writes, and what another manager reads later."""
    await teller.exchange.pack_own()
    packed, number = teller.exchange.packed, teller.number
    await teller.database.write(lambda tx: gateways.store_heartbeat(tx, number, "", "{}", packed))
    await reader.exchange.run_once()


async def test_vitals_and_features_come_with_the_beats(managers: Managers) -> None:
    a, b, _ = managers
    opened = await b.connect("web1", features=("cgroup", "script"))
    b.hosts.record_vitals(opened.host_id, opened.generation, VITALS)
    b.hosts.add_unknown(opened.host_id, opened.generation, ["an id"])
    await managers.settle()
    assert _shown(a).vitals is None
    await _exchange(b, a)
    shown = _shown(a)
    assert shown.vitals == _shown(b).vitals
    assert shown.features == {Feature.CGROUP, Feature.SCRIPT}
    assert shown.cpu_history == (12.5,)
    assert len((await a.host_management.get_host("web1")).vitals_history) == 1
    (alert,) = attention(a.core, HostCounts())
    assert alert.text.startswith("web1 holds 1 execution that this database does not know")
    await a.exchange.run_once()  # there is nothing new
    assert _shown(a).cpu_history == (12.5,)
    await b.hosts.close_session(opened.host_id, opened.generation, "test")
    await managers.settle()
    await a.exchange.run_once()
    assert (_shown(a).vitals, _shown(a).features) == (None, frozenset())


async def test_what_runs_is_counted_by_what_is_stored(managers: Managers) -> None:
    """Vitals come later, and may tell of what has ended."""
    a, b, _ = managers
    opened = await b.connect("web1")
    b.hosts.record_vitals(opened.host_id, opened.generation, VITALS)
    await managers.settle()
    await a.tasks.start_task(await a.tasks.create_task(spec("web1", "true")))
    await managers.settle()
    ((host_id, run),) = await b.send()
    await b.report(host_id, Started(run.execution_id, timedelta()))
    await managers.settle()
    await a.running.run_once()
    await _exchange(b, a)
    now = managers.clock.instant
    assert (_shown(a).running, fleet_counts.load_of_fleet(a.directory, now).busy) == (1, 1)
    await b.report(host_id, result(run.execution_id))
    await managers.settle()
    await a.running.run_once()
    assert (_shown(a).running, fleet_counts.load_of_fleet(a.directory, now).busy) == (0, 0)


async def test_vitals_that_cannot_be_read_are_left_out(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, _ = managers
    await b.connect("web1")
    await managers.settle()
    for text in ("?", pack({})[:-4]):
        await b.database.write(
            lambda tx, text=text: gateways.store_heartbeat(tx, b.number, "", "{}", text)
        )
        await a.exchange.run_once()
    assert _shown(a).vitals is None
    assert len([record for record in caplog.records if "vitals" in record.message]) == 1


def test_vitals_are_packed_to_a_mebibyte_and_a_newer_manager_may_add_to_them() -> None:
    told = {7: (VITALS, SessionElsewhere(frozenset({Feature.CGROUP}), 3))}
    assert unpack(pack(told)) == told


async def test_a_host_is_online_while_its_manager_is_alive(managers: Managers) -> None:
    a, b, c = managers
    await b.connect("web1")
    await managers.settle()
    assert fleet_counts.counts(a.directory) == (1, 1, 0)
    row_id = next(iter(a.directory.online_rows()))
    a.directory.take_moved()
    managers.clock.turn(30)
    managers.stand(gone=[b])
    for manager in (a, c):
        assert not _shown(manager).online
        assert fleet_counts.counts(manager.directory) == (1, 0, 0)
        monotonic = managers.clock.seconds
        assert manager.directory.expected.seconds_left(monotonic) == {row_id: RETURN_TIMEOUT}
        assert manager.directory.reachable_rows(monotonic) == {row_id}
    assert a.directory.take_moved() == {row_id}
    managers.clock.turn(RETURN_TIMEOUT + 1)
    assert a.directory.reachable_rows(managers.clock.seconds) == frozenset()


async def test_a_task_waits_for_the_hosts_of_a_manager_that_has_died(managers: Managers) -> None:
    a, b, _ = managers
    host = await b.connect("web1")
    await managers.settle()
    managers.stand(gone=[b])
    task_id = await a.tasks.create_task(spec("web1"))
    await a.tasks.start_task(task_id)
    (row,) = await a.rows(task_id)
    assert row.status is CommandHostStatus.PENDING
    await a.connect("web1", host_id=host.host_id)
    a.hosts.session_ready(host.host_id)
    assert [run.command.text for _, run in await a.send()] == ["true"]


async def test_a_manager_that_starts_sees_who_is_connected_elsewhere(
    managers: Managers, tmp_path: Path
) -> None:
    _, b, _ = managers
    await b.connect("web1")
    async with manager_parts(tmp_path, managers.clock, key="another") as late:
        (host,) = late.list_hosts(Window()).rows
        assert host.online
        assert late.directory.expected.seconds_left(managers.clock.seconds) == {}
        assert late.directory.connected == 0


async def test_a_manager_that_was_killed_gives_up_its_hosts_when_it_is_back(
    managers: Managers, tmp_path: Path
) -> None:
    a, _, _ = managers
    async with manager_parts(tmp_path, managers.clock, key="killed") as before:
        await before.connect("web1")
    async with manager_parts(tmp_path, managers.clock, key="killed") as parts:
        back = Manager(parts, managers.wire)
        managers.all.append(back)
        managers.stand()
        await managers.settle()
        assert len(parts.directory.expected.seconds_left(managers.clock.seconds)) == 1
        assert _shown(a).online
        await back.follower.give_up_expected()
        await managers.settle()
        assert _shown(a).online
        managers.clock.turn(RETURN_TIMEOUT + 1)
        await back.follower.give_up_expected()
        await managers.settle()
        assert not _shown(a).online
        assert not _shown(back).online


async def test_hosts_that_others_took_for_offline_are_online_again(managers: Managers) -> None:
    a, b, _ = managers
    await b.connect("web1")
    await managers.settle()

    def miss(tx):  # type: ignore[no-untyped-def]
        beats = {one.number: one.beats for one in gateways.all_gateways(tx)}
        return gateways.declare_dead(tx, b.number, beats[b.number], 1)

    assert len(await a.database.write(miss)) == 1
    await a.follower.run_once()
    assert not _shown(a).online
    await b.follower.run_once()
    await managers.settle()
    assert _shown(a).online
    row = await a.database.read(lambda tx: stored_hosts.by_host_id(tx, _shown(a).host_id))
    assert row.online


async def test_another_agent_with_the_same_identity_is_refused_while_its_manager_lives(
    managers: Managers,
) -> None:
    a, b, _ = managers
    opened = await b.connect("web1")
    with pytest.raises(RefusedError) as refused:
        await a.connect("web1", host_id=opened.host_id, instance_id="a copy")
    assert refused.value.refusal is Refusal.DUPLICATE_IDENTITY
    managers.stand(gone=[b])
    assert (await a.connect("web1", host_id=opened.host_id, instance_id="a copy")).generation == 2


async def test_the_refusal_of_an_agent_that_has_restarted_is_no_alert_when_it_has_come_in(
    managers: Managers,
) -> None:
    """The manager that it was connected to takes it, because that has not heard it for a while."""
    a, b, _ = managers
    opened = await b.connect("web1")
    await managers.settle()
    with pytest.raises(RefusedError, match=r"at another manager.*has just restarted"):
        await a.connect("web1", host_id=opened.host_id, instance_id="restarted")
    assert a.core.violations.recent_refusals.newest_first()
    managers.clock.turn(60)
    assert (
        await b.connect("web1", host_id=opened.host_id, instance_id="restarted")
    ).generation == 2
    await managers.settle()
    assert not a.core.violations.recent_refusals.newest_first()


async def test_an_agent_whose_manager_was_cut_off_is_not_refused(managers: Managers) -> None:
    a, b, _ = managers
    opened = await b.connect("web1")
    assert (await a.connect("web1", host_id=opened.host_id)).generation == 2


async def test_a_key_that_is_in_use_elsewhere_does_not_enroll_again(managers: Managers) -> None:
    a, b, _ = managers
    await b.member("web1")
    with pytest.raises(RefusedError) as refused:
        await a.enroll("web1", auto_approve=True)
    assert refused.value.refusal is Refusal.DUPLICATE_IDENTITY


async def test_a_host_that_is_connected_elsewhere_is_not_removed(managers: Managers) -> None:
    a, b, _ = managers
    await b.connect("web1")
    await managers.settle()
    with pytest.raises(Exception, match="it is online"):
        await a.host_management.remove(["web1"], "ana@tty1")


async def test_a_refusal_is_no_alert_any_more_when_the_host_is_connected_elsewhere(
    managers: Managers,
) -> None:
    a, b, _ = managers
    opened = await a.connect("web1")
    with pytest.raises(RefusedError):
        await a.connect("web1", host_id=opened.host_id, instance_id="a copy")
    assert len(a.violations.recent_refusals.newest_first()) == 1
    await managers.settle()
    await b.connect("web1", host_id=opened.host_id)
    await managers.settle()
    assert a.violations.recent_refusals.newest_first() == []


async def test_nothing_is_sent_on_a_session_whose_successor_is_stored(managers: Managers) -> None:
    """The row of the new session may be read back before the session is open here."""
    a, _, _ = managers
    opened = await a.connect("web1")
    write, is_stored, opens = a.database.write, asyncio.Event(), asyncio.Event()

    async def write_and_wait(work: Work) -> Any:
        done = await write(work)
        is_stored.set()
        await opens.wait()
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(a.database, "write", write_and_wait)
        connecting = asyncio.create_task(a.connect("web1", host_id=opened.host_id))
        await is_stored.wait()
    await a.bridge.compare()
    await a.started("web1")
    assert a.dispatcher.sent == []
    opens.set()
    await connecting
    a.hosts.session_ready(opened.host_id)
    assert len(await a.send()) == 1


class _NoAgents:
    """An AgentConnections whose sessions a test ends."""

    def disconnect_all(self, _why: str) -> None:
        pass

    def accept_again(self) -> None:
        pass


async def test_hosts_are_waited_for_after_nobody_could_reach_the_database(
    managers: Managers,
) -> None:
    """All managers have sent their agents away, and a task starts before the agents are back."""
    a, b, _ = managers
    sessions = [(a, await a.connect("web1")), (b, await b.connect("web2"))]
    await managers.settle()
    watch = DatabaseWatch(a.core, _NoAgents())
    watch.run_once()
    for _ in range(LOOKS_MAX):
        watch.run_once()
    for manager, opened in sessions:
        await manager.hosts.close_session(opened.host_id, opened.generation, "sent away")
    watch.run_once()
    await managers.settle()
    task_id = await a.tasks.create_task(spec("@all"))
    await a.tasks.start_task(task_id)
    assert {row.status for row in await a.rows(task_id)} == {CommandHostStatus.PENDING}
    back = await a.connect("web2")
    a.hosts.session_ready(back.host_id)
    assert len(await a.send()) == 1
    managers.clock.turn(RETURN_TIMEOUT + 1)
    await a.silence.run_once()
    assert [row.reason for row in await a.rows(task_id)] == [Reason.UNDELIVERABLE, Reason.NONE]

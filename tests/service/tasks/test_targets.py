"""Which hosts a task starts on: by state, maintenance and earlier tasks; who is left out."""

from dataclasses import dataclass

import pytest

from tests.support.managers.manager_parts import Parts, failed, result, spec
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.facts import NO_FACTS, PackedFacts
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.tasks.task_plan import PlannedHost
from tui_manager.service.tasks.target_hosts import find_hosts
from tui_manager.storage.tables.hosts import host_changes

DEBIAN = PackedFacts.pack({"os": "debian"})


@dataclass(frozen=True)
class Hosts:
    """The ids of hosts by their names."""

    parts: Parts
    ids: dict[str, str]

    async def rest(self, name: str) -> None:
        """Puts a host into maintenance."""
        maintenance = Maintenance("new disk", None, "ana@pts/1")
        row = await self.parts.database.write(
            lambda tx: host_changes.set_maintenance(tx, self.ids[name], maintenance)
        )
        self.parts.directory.put(row, self.parts.clock.instant, self.parts.clock.seconds)


@pytest.fixture
async def hosts(parts: Parts) -> Hosts:
    """Four hosts, of which web04 is offline."""
    names = [f"web0{number}" for number in range(1, 5)]
    sessions = {name: await parts.connect(name) for name in names}
    away = sessions["web04"]
    await parts.hosts.close_session(away.host_id, away.generation, "test")
    return Hosts(parts, {name: session.host_id for name, session in sessions.items()})


async def names_of(parts: Parts, task_id: int) -> list[str]:
    return [row.host for row in await parts.rows(task_id)]


async def test_a_task_leaves_out_hosts_in_maintenance(parts: Parts, hosts: Hosts) -> None:
    await hosts.rest("web02")
    task_id = await parts.tasks.create_task(spec("web*"))
    assert await parts.tasks.start_task(task_id, "ana") == ("web02",)
    assert await names_of(parts, task_id) == ["web01", "web03", "web04"]
    assert (await parts.tasks.get_task(task_id)).left_out == ("web02",)
    (entry,) = await parts.audited("start_task")
    assert (entry.detail["names"], entry.detail["left_out"]) == ("web[01,03-04]", "web02")


@pytest.mark.parametrize(
    ("target", "facts"), [("fact.os=debian", DEBIAN), ("@all", NO_FACTS), ("web05", NO_FACTS)]
)
async def test_a_start_reads_facts_only_if_the_target_asks_for_them(
    parts: Parts, target: str, facts: PackedFacts
) -> None:
    """Those of thousands of hosts take long, and nothing else is written meanwhile."""
    await parts.connect("web05", facts=DEBIAN)
    found, _ = await parts.database.read(
        lambda tx: find_hosts(
            tx, target, include_maintenance=False, groups={}, online=frozenset(), now=1
        )
    )
    assert [host.facts for host in found.hosts] == [facts]


async def test_a_repeat_of_the_start_says_again_who_is_left_out(parts: Parts, hosts: Hosts) -> None:
    await hosts.rest("web02")
    request = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
    task_id = await parts.tasks.create_task(spec("web*"))
    for _ in range(2):
        assert await parts.tasks.start_task(task_id, "ana", request) == ("web02",)


async def test_a_task_can_include_hosts_in_maintenance(parts: Parts, hosts: Hosts) -> None:
    await hosts.rest("web02")
    task_id = await parts.tasks.create_task(spec("@maintenance", include_maintenance=True))
    assert await parts.tasks.start_task(task_id) == ()
    assert await names_of(parts, task_id) == ["web02"]
    detail = await parts.tasks.get_task(task_id)
    assert detail.include_maintenance
    (entry,) = await parts.audited("start_task")
    assert "left_out" not in entry.detail


async def test_maintenance_is_looked_at_when_the_task_starts(parts: Parts, hosts: Hosts) -> None:
    task_id = await parts.tasks.create_task(spec("web01"))
    await hosts.rest("web01")
    with pytest.raises(InvalidInputError, match=r"In maintenance: web01 \(new disk\)"):
        await parts.tasks.start_task(task_id)
    with pytest.raises(InvalidInputError, match="@maintenance matches only hosts in maintenance"):
        await parts.tasks.create_task(spec("@maintenance"))


@pytest.mark.parametrize(
    ("target", "names"), [("@online", ["web01", "web03"]), ("@offline", ["web04"])]
)
async def test_hosts_are_online_or_offline_when_the_task_starts(
    parts: Parts, hosts: Hosts, target: str, names: list[str]
) -> None:
    await hosts.rest("web02")
    preview = await parts.tasks.preview_target(target)
    assert list(preview.hosts) == names
    task_id = await parts.started(target)
    assert await names_of(parts, task_id) == names


async def test_a_preview_says_who_would_be_left_out(parts: Parts, hosts: Hosts) -> None:
    await hosts.rest("web02")
    preview = await parts.tasks.preview_target("web[02-04]")
    assert (preview.hosts, preview.offline) == (("web03", "web04"), ("web04",))
    assert (preview.folded, preview.left_out) == ("web[03-04]", ("web02",))
    everyone = await parts.tasks.preview_target("web02", include_maintenance=True)
    assert (everyone.hosts, everyone.left_out) == (("web02",), ())


async def test_facts_are_those_that_are_stored(parts: Parts) -> None:
    await parts.connect("web01", facts=PackedFacts.pack({"os": "debian"}))
    await parts.connect("web02", facts=PackedFacts.pack({"os": "fedora"}))
    await parts.connect("web03")
    for target, host in (("fact.os=deb*", "web01"), ("fact.os!=debian", "web02")):
        assert (await parts.tasks.preview_target(target)).hosts == (host,)
        assert await names_of(parts, await parts.started(target)) == [host]


async def _end_earlier(parts: Parts) -> int:
    """A task that completed on web01, failed on web02 and web03, and did not reach web04."""
    earlier = await parts.started("web*")
    for row in await parts.rows(earlier):
        if row.status is CommandHostStatus.PENDING:
            done = result if row.host == "web01" else failed
            await parts.report(row.host_id, done(row.execution_id))
    return earlier


async def test_hosts_of_an_earlier_task_are_a_target(parts: Parts, hosts: Hosts) -> None:
    earlier = await _end_earlier(parts)
    preview = await parts.tasks.preview_target(f"task:{earlier}:failed")
    assert preview.hosts == ("web02", "web03")
    task_id = await parts.started(f"@all,!task:{earlier}:completed&@online,!web02")
    assert await names_of(parts, task_id) == ["web02", "web03", "web04"][1:]


async def test_hosts_of_an_earlier_task_that_are_gone_are_left_out(
    parts: Parts, hosts: Hosts
) -> None:
    earlier = await _end_earlier(parts)
    await parts.admission.revoke(["web02"], "ana")
    target = f"task:{earlier}:failed"
    assert (await parts.tasks.preview_target(target)).left_out == ("web02",)
    task_id = await parts.tasks.create_task(spec(target))
    assert await parts.tasks.start_task(task_id) == ("web02",)
    await parts.admission.revoke(["web03"], "ana")
    with pytest.raises(InvalidInputError, match=r"not in the fleet any more: web\[02-03\]"):
        await parts.tasks.preview_target(target)


async def test_the_earlier_task_must_have_ended(parts: Parts, hosts: Hosts) -> None:
    running = await parts.started("web01")
    with pytest.raises(InvalidInputError, match=f"Task {running} is running"):
        await parts.tasks.preview_target(f"task:{running}:failed")
    with pytest.raises(InvalidInputError, match="There is no task 999"):
        await parts.tasks.preview_target("@all,task:999:failed")
    task_id = await parts.tasks.create_task(spec("task:999:failed"))
    with pytest.raises(InvalidInputError, match="There is no task 999"):
        await parts.tasks.start_task(task_id)
    assert [task.task_id for task in (await parts.tasks.list_tasks(Window())).rows] == [2, 1]


async def test_a_plan_says_who_is_in_maintenance_and_who_is_left_out(
    parts: Parts, hosts: Hosts
) -> None:
    await hosts.rest("web02")
    plan = await parts.tasks.plan_task(spec("web[01-02]"))
    assert (plan.hosts, plan.left_out) == ((PlannedHost("web01", 1, True),), ("web02",))
    plan = await parts.tasks.plan_task(spec("@maintenance", include_maintenance=True))
    assert (plan.hosts, plan.left_out) == ((PlannedHost("web02", 1, True, True),), ())

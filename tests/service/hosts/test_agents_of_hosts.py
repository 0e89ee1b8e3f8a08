"""What the manager knows of the agents of its hosts: stored, filtered by, and used for targets."""

import pytest

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.hosts.facts import PackedFacts
from tui_manager.domain.lists.list_window import Window
from tui_manager.storage.tables.hosts import hosts

BUILD = "0123456789ab"


async def test_the_build_of_an_agent_is_stored(parts: Parts) -> None:
    host = await parts.connect(
        "web01", agent_version="0.3.0", agent_build=BUILD, installed_by="bundle"
    )
    row = await parts.database.read(lambda tx: hosts.by_host_id(tx, host.host_id))
    assert row is not None
    assert (row.agent_version, row.agent_build, row.installed_by) == ("0.3.0", BUILD, "bundle")
    await parts.hosts.close_session(host.host_id, host.generation, "it left")
    (shown,) = parts.list_hosts(Window()).rows
    assert shown.agent == f"0.3.0 (build {BUILD})"
    await parts.connect("web01", agent_version="0.2.0", installed_by="deb")
    (shown,) = parts.list_hosts(Window()).rows
    assert shown.agent == "0.2.0 (deb)"
    assert (shown.agent_build, shown.installed_by) == ("", "deb")


@pytest.fixture
async def fleet(parts: Parts) -> Parts:
    """web01 runs from a bundle, web02 from a package, web03 is old and offline."""
    await parts.connect("web01", agent_version="0.3.0", agent_build=BUILD, installed_by="bundle")
    await parts.connect("web02", agent_version="0.3.0", installed_by="deb")
    away = await parts.connect("web03", agent_version="0.1.0")
    await parts.hosts.close_session(away.host_id, away.generation, "it left")
    return parts


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("agent=0.3.0", ["web01", "web02"]),
        ("agent=0.1*", ["web03"]),
        (f"agent={BUILD}", ["web01"]),
        (f"!agent={BUILD} agent=0.3*", ["web02"]),
        ("fact.agent_installed_by=deb", ["web02"]),
        ("fact.agent_version!=0.3.0", ["web03"]),
    ],
)
async def test_hosts_are_filtered_by_their_agents(
    fleet: Parts, text: str, names: list[str]
) -> None:
    assert [host.name for host in fleet.list_hosts(Window(text=text)).rows] == names


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("fact.agent_version=0.1*", ["web03"]),
        ("web*&fact.agent_version!=0.1.0", ["web01", "web02"]),
        (f"fact.agent_build={BUILD}", ["web01"]),
        ("@all,!fact.agent_installed_by=*", ["web03"]),
    ],
)
async def test_a_target_names_hosts_by_their_agents(
    fleet: Parts, target: str, names: list[str]
) -> None:
    assert list((await fleet.tasks.preview_target(target)).hosts) == names
    task_id = await fleet.started(target)
    assert [row.host for row in await fleet.rows(task_id)] == names


async def test_a_host_that_was_updated_is_no_target_any_more(fleet: Parts) -> None:
    target = "fact.agent_version=0.1.0"
    assert (await fleet.tasks.preview_target(target)).hosts == ("web03",)
    await fleet.connect("web03", agent_version="0.3.0")
    assert (await fleet.tasks.preview_target("fact.agent_version=0.3.0")).hosts == (
        "web01",
        "web02",
        "web03",
    )


async def test_what_the_owner_of_a_host_says_of_the_agent_does_not_count(parts: Parts) -> None:
    facts = PackedFacts.pack({"agent_version": "9.9", "agent_build": "mine"})
    await parts.connect("web01", agent_version="0.3.0", agent_build=BUILD, facts=facts)
    for target in ("fact.agent_version=0.3.0", f"fact.agent_build={BUILD}"):
        assert (await parts.tasks.preview_target(target)).hosts == ("web01",)


async def test_hosts_are_sorted_by_the_versions_of_their_agents(parts: Parts) -> None:
    for name, version in (("web01", "0.10.0"), ("web02", "0.9.0"), ("web03", "")):
        await parts.connect(name, agent_version=version)
    found = parts.list_hosts(Window(sort="agent")).rows
    assert [host.name for host in found] == ["web03", "web02", "web01"]

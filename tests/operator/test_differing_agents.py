"""The alert about hosts whose agents differ from what they should be."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import tui_manager
from tests.support.managers.manager_parts import Parts, manager_parts
from tui_manager.domain.hosts.agent_version import platform_of
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, UpdateSpec
from tui_manager.operator.inprocess.agent_alerts import differing_agents as found

SEE = "See: tui-manager agent update"
BUILD, OTHER = "0123456789ab", "ba9876543210"
FILES = FileSet("ab" * 32, 90, 1000, 1, 1000)
NEWEST = UpdateSpec(FILES, "0.3.0", BUILD, "linux", "x86_64")
FOR_ARM = UpdateSpec(FILES, "0.3.0", OTHER, "linux", "aarch64")


@pytest.fixture
async def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parts]:
    monkeypatch.setattr(tui_manager, "__version__", "0.3.0")
    async with manager_parts(tmp_path) as made:
        yield made


async def connect(parts: Parts, name: str, version: str, build: str = "", **given: Any) -> str:
    by = {"installed_by": "bundle"} if build else {}
    host = await parts.connect(name, agent_version=version, agent_build=build, **by, **given)
    return host.host_id


def alerts(parts: Parts, *updates: UpdateSpec) -> list[Alert]:
    by_platform = {platform_of(one.system, one.arch): one for one in updates}
    return list(found(parts.directory, by_platform, parts.clock.instant))


def shown(parts: Parts, alert: Alert) -> list[str]:
    """The hosts that the filter of an alert shows."""
    return [host.name for host in parts.list_hosts(Window(text=alert.hosts)).rows]


async def test_nothing_is_said_while_no_agent_differs(parts: Parts) -> None:
    await connect(parts, "web01", "0.3.0")
    await connect(parts, "web02", "0.3.0", BUILD)
    await connect(parts, "web03", "0.4.0")
    assert alerts(parts) == []


async def test_agents_that_are_older_than_the_manager_are_counted(parts: Parts) -> None:
    one = await connect(parts, "web01", "0.2.0")
    await connect(parts, "web02", "0.3.0")
    (alert,) = alerts(parts)
    assert alert == Alert(
        f"web01 runs agent 0.2.0, not 0.3.0, the version of this manager. {SEE}", host_id=one
    )
    await connect(parts, "web03", "0.1.0")
    (alert,) = alerts(parts)
    assert alert.text == f"2 hosts run another agent than 0.3.0, the version of this manager. {SEE}"
    assert shown(parts, alert) == ["web01", "web03"]


async def test_agents_are_compared_with_the_newest_update(parts: Parts) -> None:
    await connect(parts, "web01", "0.3.0", BUILD)
    assert alerts(parts, NEWEST) == []
    two = await connect(parts, "web02", "0.3.0", OTHER)
    await connect(parts, "web03", "0.3.0", "", installed_by="deb")
    (alert,) = alerts(parts, NEWEST)
    assert alert == Alert(
        f"web02 runs agent 0.3.0 (build {OTHER}), not 0.3.0 (build {BUILD}). {SEE}", host_id=two
    )
    await connect(parts, "web04", "0.2.0")
    await connect(parts, "web05", "0.4.0", OTHER)
    (alert,) = alerts(parts, NEWEST)
    assert alert.text == f"3 hosts run another agent than 0.3.0 (build {BUILD}). {SEE}"
    assert shown(parts, alert) == ["web02", "web04", "web05"]


async def test_each_platform_has_its_own_bundle(parts: Parts) -> None:
    await connect(parts, "web01", "0.3.0", BUILD)
    await connect(parts, "arm01", "0.3.0", OTHER, arch="aarch64")
    assert alerts(parts, NEWEST, FOR_ARM) == []
    await connect(parts, "web02", "0.2.0")
    await connect(parts, "arm02", "0.2.0", arch="aarch64")
    (alert,) = alerts(parts, NEWEST, FOR_ARM)
    assert alert.text == f"2 hosts run another agent than the newest one. {SEE}"
    assert shown(parts, alert) == ["arm02", "web02"]


async def test_hosts_that_are_away_in_maintenance_or_not_admitted_do_not_count(
    parts: Parts,
) -> None:
    away = await parts.connect("web01", agent_version="0.2.0")
    await parts.hosts.close_session(away.host_id, away.generation, "it left")
    await connect(parts, "web02", "0.2.0")
    await parts.host_management.set_maintenance(["web02"], "new disks", None, "ana")
    enrolled = await parts.enroll("web03")
    await parts.dial(enrolled.host_id, "web03", agent_version="0.2.0")
    assert alerts(parts) == []


async def test_what_an_agent_says_of_itself_is_only_text(parts: Parts) -> None:
    await connect(parts, "web01", "\x1b[2J0.2,*")
    (alert,) = alerts(parts)
    assert "\x1b" not in alert.text
    await connect(parts, "web02", "x y")
    await connect(parts, "web03", "0.3.0")
    (alert,) = alerts(parts)
    assert alert.text.startswith("2 hosts run another agent than 0.3.0")
    assert shown(parts, alert) == ["web01", "web02", "web03"]  # no filter can name such versions

"""Which versions are newer, and which agents differ from what they should be."""

import pytest
from tui_manager_protos.rules.version_order import version_key

from tui_manager.domain.hosts.agent_version import (
    ExpectedAgents,
    HostAgent,
    platform_of,
)
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, UpdateSpec

FILES = FileSet("ab" * 32, 90, 1000, 1, 1000)
LINUX = platform_of("Linux", "x86_64")


def agent(version: str, build: str = "", by: str = "", arch: str = "x86_64") -> HostAgent:
    return HostAgent(version, build, by, "Linux", arch)


def update(version: str, build: str = "a" * 12, arch: str = "x86_64") -> UpdateSpec:
    return UpdateSpec(FILES, version, build, "linux", arch)


def test_versions_have_an_order() -> None:
    ordered = ["", "no version", "0.1", "0.1.9", "0.2.0rc1", "0.2", "0.10.0", "1.0", "999999999"]
    mixed = [*ordered[4:], *ordered[:4]]
    assert sorted(mixed, key=version_key) == ordered
    assert version_key("0.2.0") == version_key("0.2")


def test_a_very_long_version_is_no_trouble() -> None:
    assert version_key("9" * 100_000) > version_key("1.0")
    assert version_key("1" + ".0" * 100_000) > version_key("0.9")


@pytest.mark.parametrize(
    ("one", "differs"),
    [
        (agent("0.1.0"), True),
        (agent("0.2.0"), False),
        (agent("0.2.0", "b" * 12, "bundle"), False),
        (agent("0.3.0"), False),  # the owner of the host has updated it
    ],
)
def test_without_an_update_an_older_agent_than_the_manager_differs(
    one: HostAgent, differs: bool
) -> None:
    assert ExpectedAgents("0.2.0", {}).differs(one) is differs


@pytest.mark.parametrize(
    ("one", "differs"),
    [
        (agent("0.2.0", "a" * 12, "bundle"), False),
        (agent("0.2.0", "b" * 12, "bundle"), True),
        (agent("0.2.0", "", "deb"), False),  # it has no build that could be another one
        (agent("0.2.0"), False),
        (agent("0.1.0", "", "deb"), True),
        (agent("0.3.0", "c" * 12, "bundle"), True),
        (agent("0.1.0", "a" * 12, "bundle", "aarch64"), True),  # older than the manager
        (agent("0.2.0", "b" * 12, "bundle", "aarch64"), False),  # that update was for others
    ],
)
def test_the_newest_update_of_a_platform_says_what_its_agents_should_be(
    one: HostAgent, differs: bool
) -> None:
    assert ExpectedAgents("0.2.0", {LINUX: update("0.2.0")}).differs(one) is differs


def test_an_update_that_is_older_than_the_manager_does_not_count() -> None:
    expected = ExpectedAgents("0.2.0", {LINUX: update("0.1.0")})
    assert expected.differs(agent("0.1.0", "a" * 12, "bundle"))
    assert not expected.differs(agent("0.2.0"))

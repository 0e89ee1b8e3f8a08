"""Targets in the filter of a list of hosts, and filters that become targets."""

from datetime import UTC, datetime

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_by_target import HOST_KEYS, filter_as_target, read_host_terms
from tui_manager.domain.targets.target import TargetContext, TargetHost, TargetHosts, TaskHost
from tui_manager.domain.tasks.host_class import HostClass

HOSTS = (
    TargetHost("1", "web01", {"role": "web", "zone": "eu"}, {"os": "debian"}),
    TargetHost("2", "web02", {"role": "web", "zone": "us"}, {"os": "alpine"}),
    TargetHost("3", "db01", {"role": "db", "zone": "eu"}),
    TargetHost("4", "web03", {"role": "web"}),  # pending
    TargetHost("5", "web03", {}),  # revoked, of the same name
)
ADMITTED = frozenset({"1", "2", "3"})
CONTEXT = TargetContext(
    datetime(2026, 3, 2, tzinfo=UTC),
    is_online=lambda host_id: host_id == "1",
    task_hosts={7: (TaskHost("2", "web02", HostClass.FAILED),)},
)


def matching(text: str) -> str | None:
    terms = read_host_terms(text, HOST_KEYS, {"eu": "zone=eu"})
    found = terms.matching(TargetHosts(HOSTS), ADMITTED, CONTEXT)
    return None if found is None else "".join(sorted(found))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", None),
        ('"role=web"', None),
        ("state=online name=web*", None),
        ("role=web", "124"),
        ("role=web & zone=eu", "1"),
        ("role=web zone=eu", "1"),
        ("role!=web", "35"),
        ("!role=web", "35"),
        ("role=web !web01,web02", "4"),
        ("fact.os=deb*", "1"),
        ("web[01-02]", "12"),
        ("web[03-09]", "45"),
        ("web*", "1245"),
        ("db01,web02", "23"),
        ("@all", "123"),
        ("@online", "1"),
        ("@offline", "23"),
        ("@eu", "13"),
        ("@all,!web01", "23"),
        ("task:7:failed", "2"),
        ("web* eu", "1245"),
    ],
)
def test_a_target_in_a_filter(text: str, expected: str | None) -> None:
    assert matching(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [("@we", "There is no group @we."), ("a=b=c", "is not a label"), ("web[1", "web[1")],
)
def test_a_wrong_target_is_an_error_of_the_filter(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said.replace("[", r"\[")) as caught:
        matching(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("", ""),
        ("web", ""),
        ("state=online", ""),
        ("role=web web", ""),
        ("!role=web", ""),
        ('"unfinished', ""),
        ("role=web", "role=web"),
        ("role=web & zone=eu", "role=web&zone=eu"),
        ("role=web zone=eu", "role=web&zone=eu"),
        ("web*, db1", "web*,db1"),
        ("web*,db1 zone=eu", ""),
        ("role=web !web03", ""),
        ("role=web !web03* !zone=us", "role=web,!web03*,!zone=us"),
        ("@offline", "@offline"),
        ("task:62:failed", "task:62:failed"),
    ],
)
def test_the_target_of_a_filter(text: str, target: str) -> None:
    assert filter_as_target(text) == target

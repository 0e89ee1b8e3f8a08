"""Targets by state, fact and earlier task; who is left out, and what the errors say."""

from datetime import UTC, datetime, timedelta

import pytest

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.targets.target import (
    TargetContext,
    TargetHost,
    TargetHosts,
    TaskHost,
    check_target,
    fold_names,
    read_notation,
    resolve_target,
)
from tui_manager.domain.tasks.host_class import HostClass

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KERNEL = Maintenance("new kernel", None, "ana@pts/1")
ENDED = Maintenance("new disk", NOW, "ana@pts/1")
SOON = Maintenance("new disk", NOW + timedelta(seconds=1), "ana@pts/1")


def host(
    name: str, maintenance: Maintenance | None = None, os: str = "", **labels: str
) -> TargetHost:
    facts = {"os": os, "os.version": "12"} if os else {}
    return TargetHost(f"id-{name}", name, labels, facts, maintenance)


HOSTS = [
    host("web01", os="debian", role="web"),
    host("web02", SOON, os="debian", role="web"),
    host("web03", KERNEL, os="fedora", role="web"),
    host("web04", ENDED, role="web"),
    host("db1", os="fedora"),
]
ONLINE = {"id-web01", "id-web02", "id-db1"}
GROUPS = {
    "named": "web03,db1",
    "resting": "@maintenance&role=web",
    "inner": "@resting",
    "rest": "@all,!@resting",
    "again": "task:62:failed",
}
EARLIER = [
    TaskHost("id-web01", "web01", HostClass.FAILED),
    TaskHost("id-web03", "web03", HostClass.FAILED),
    TaskHost("id-old1", "old1", HostClass.FAILED),
    TaskHost("id-web04", "web04", HostClass.UNREACHED),
    TaskHost("id-old2", "old2", HostClass.UNKNOWN),
    TaskHost("id-db1", "db1", HostClass.COMPLETED),
]


def resolved(target: str, *, include: bool = False) -> tuple[str, str]:
    """The hosts of a target, and who is left out, both folded."""
    context = TargetContext(
        now=NOW,
        include_maintenance=include,
        is_online=ONLINE.__contains__,
        task_hosts={62: EARLIER},
    )
    result = resolve_target(read_notation(target, GROUPS), TargetHosts(HOSTS), context)
    return fold_names(one.name for one in result.hosts), fold_names(result.left_out)


def refusal(target: str, *, include: bool = False) -> str:
    with pytest.raises(InvalidInputError) as caught:
        resolved(target, include=include)
    assert caught.value.field == "target"
    return str(caught.value)


@pytest.mark.parametrize(
    ("target", "hosts", "left_out"),
    [
        ("@online", "db1,web01", "web02"),
        ("@offline", "web04", "web03"),
        ("@online&role=web", "web01", "web02"),
        ("@all,!@offline", "db1,web01", "web02"),
        ("web[01-04]", "web[01,04]", "web[02-03]"),
        ("web0[1-4],!web03", "web[01,04]", "web02"),
        ("web*", "web[01,04]", "web[02-03]"),
        ("role=web", "web[01,04]", "web[02-03]"),
        ("@named", "db1", "web03"),
        ("@all,!@maintenance", "db1,web[01,04]", ""),
        ("@rest", "db1,web[01,04]", ""),
        ("web[01-04],db1,!web02", "db1,web[01,04]", "web03"),
        ("web04", "web04", ""),
        ("fact.os=debian", "web01", "web02"),
        ("fact.os!=debian", "db1", "web03"),
        ("fact.os.version=1?,!fact.os=fedora", "web01", "web02"),
        ("fact.os=*", "db1,web01", "web[02-03]"),
        ("task:62:failed", "web01", "old1,web03"),
        ("task:62:unreached", "web04", ""),
        ("task:62:completed", "db1", ""),
        ("task:62:failed,task:62:unreached,task:62:unknown", "web[01,04]", "old[1-2],web03"),
        ("task:62:failed&@online", "web01", ""),
        ("@again,!web03", "web01", "old1"),
        ("@all,!task:62:failed", "db1,web04", "web02"),
    ],
)
def test_what_a_target_means_and_who_is_left_out(target: str, hosts: str, left_out: str) -> None:
    assert resolved(target) == (hosts, left_out)


@pytest.mark.parametrize(
    ("target", "hosts", "left_out"),
    [
        ("@maintenance", "web[02-03]", ""),
        ("@inner", "web[02-03]", ""),
        ("web03,db1", "db1,web03", ""),
        ("@offline", "web[03-04]", ""),
        ("task:62:failed", "web[01,03]", "old1"),
    ],
)
def test_hosts_in_maintenance_can_be_included(target: str, hosts: str, left_out: str) -> None:
    assert resolved(target, include=True) == (hosts, left_out)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "db1,web03",
            "In maintenance: web03 (new kernel). To run there, include hosts in maintenance "
            "(--include-maintenance); otherwise leave the name out.",
        ),
        ("web*,web03&role=web,web02", "In maintenance: web02 (new disk), web03 (new kernel)."),
        ("@maintenance", "@maintenance matches only hosts in maintenance, and these are left out;"),
        ("db1,@inner", "@maintenance matches only hosts in maintenance"),
        (
            "web0[2-3]",
            "All hosts that match are left out: in maintenance: web[02-03]. To run on hosts in "
            "maintenance, include hosts in maintenance (--include-maintenance).",
        ),
        (
            "task:62:unknown",
            "All hosts that match are left out: not in the fleet any more: old2.",
        ),
        (
            "task:62:failed,!web01",
            "All hosts that match are left out: in maintenance: web03; not in the fleet any more: "
            "old1.",
        ),
        ("fact.os=suse", "No host matches fact.os=suse."),
        ("fact.zone!=x", "No host matches fact.zone!=x."),
        ("fact.=x", "fact.=x names no fact: write fact.KEY=VALUE"),
        ("@online&@offline", "No host matches @online&@offline."),
        ("task:62", "task:62 does not say which hosts of which task: write task:ID:CLASS, as in"),
        ("task:62:late", "CLASS is unknown, failed, unreached, completed."),
        ("task:0:failed", "task:0:failed does not say"),
        ("task::failed", "task::failed does not say"),
        ("task:62:failed:x=1", "task:62:failed:x=1 does not say"),
        ("task:9999999999999999999:failed", "does not say"),
    ],
)
def test_errors_say_what_is_wrong(target: str, message: str) -> None:
    assert message in refusal(target)


def test_a_name_that_is_taken_away_again_may_be_in_maintenance() -> None:
    assert resolved("@all,web03,!web*") == ("db1", "")


def test_many_hosts_in_maintenance_are_not_all_named() -> None:
    many = [host(f"n{number}", KERNEL) for number in range(30)]
    context = TargetContext(NOW)
    with pytest.raises(InvalidInputError) as caught:
        resolve_target(read_notation("n*", {}), TargetHosts(many), context)
    assert "in maintenance: n[0-4] and 25 more." in str(caught.value)
    target = ",".join(one.name for one in many)
    with pytest.raises(InvalidInputError) as caught:
        resolve_target(read_notation(target, {}), TargetHosts(many), context)
    assert "n4 (new kernel) and 25 more." in str(caught.value)


def test_the_notation_alone_tells_that_hosts_in_maintenance_are_wanted() -> None:
    check_target("@all,!@maintenance", GROUPS)
    check_target("@maintenance", GROUPS, include_maintenance=True)
    with pytest.raises(InvalidInputError, match="--include-maintenance"):
        check_target("db1,@inner", GROUPS)


def test_a_target_tells_which_tasks_it_names() -> None:
    assert read_notation("@again,task:7:failed&db1,!task:8:unknown", GROUPS).task_ids == {7, 8, 62}
    assert read_notation("@all", GROUPS).task_ids == frozenset()

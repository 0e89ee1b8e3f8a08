"""Operators label and rename hosts, and put them into maintenance."""

import itertools
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts, stored_hosts
from tests.support.run_length import ALL
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
    RefusedError,
)
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.service.core.hosts import fleet_counts
from tui_manager.storage.maintenance.check import contradictions

ANA = "ana@pts/3"


def shown(parts: Parts) -> dict[str, Host]:
    """The hosts of the list by name."""
    return {host.name: host for host in parts.list_hosts(Window()).rows}


async def stays(parts: Parts, act: Awaitable[object], error: type[ManagerError], say: str) -> None:
    """`act` raises, and nothing is different after it."""
    before, audit = parts.list_hosts(Window()).rows, await parts.audited()
    stored = await parts.database.read(stored_hosts)
    with pytest.raises(error, match=say):
        await act
    assert parts.list_hosts(Window()).rows == before
    assert await parts.audited() == audit
    assert await parts.database.read(stored_hosts) == stored


async def test_labels_of_an_operator_win_and_unset_shows_the_lower_one(parts: Parts) -> None:
    token = await parts.token(labels={"env": "prod", "role": "web"}, auto_approve=True)
    own = {"env": "test", "rack": "r1"}
    enrolled = await parts.enroll("web01", token=token, labels=own)
    await parts.dial(enrolled.host_id, "web01", labels=own)
    before = {"env": "prod", "role": "web", "rack": "r1"}
    assert shown(parts)["web01"].labels == before

    to_set = {"env": "lab", "rack": "r9", "note": ""}
    assert await parts.host_management.label(["web01"], to_set, [], ANA) == ("web01",)
    assert shown(parts)["web01"].labels == {**before, **to_set}
    targets = {host.name: host.labels for host in parts.directory.sorted.targets()}
    assert targets["web01"] == {**before, **to_set}
    (entry,) = await parts.audited("label_host")
    assert (entry.actor, entry.host, entry.host_id) == (ANA, "web01", enrolled.host_id)
    assert entry.detail["set"] == "env=lab note= rack=r9"

    await parts.host_management.label(["web01"], {"role": "db"}, ["env", "note", "rack"], ANA)
    assert shown(parts)["web01"].labels == {**before, "role": "db"}
    (*_, entry) = await parts.audited("label_host")
    assert (entry.detail["set"], entry.detail["unset"]) == ("role=db", "env,note,rack")
    assert await parts.database.read(contradictions) == []


EVENTS = ("label", "dial", "enroll", "restart")
# Each event comes at each place, and directly after each other one.
_ORDERS = [tuple(EVENTS[place] for place in row) for row in ((0, 1, 3, 2), (1, 2, 0, 3),
    (2, 3, 1, 0), (3, 0, 2, 1))]  # fmt: skip
ORDERS = list(itertools.permutations(EVENTS)) if ALL else _ORDERS


@pytest.mark.parametrize("order", ORDERS, ids=">".join)
async def test_labels_have_their_order_whatever_comes_first(tmp_path: Any, order: Any) -> None:
    """The agent comes with other labels, enrols again, or the manager starts again."""
    own, bound = {"agent": "1", "token": "1", "operator": "1"}, {"token": "2", "operator": "2"}
    host_id, labeled, own_now = "", False, own

    def expected() -> dict[str, str]:
        return {**own_now, **bound, **({"operator": "3"} if labeled else {})}

    for count, event in enumerate((None, *order)):
        async with manager_parts(tmp_path) as parts:
            if event is None:
                token = await parts.token(labels=bound, auto_approve=True)
                host_id = (await parts.enroll("web01", token=token, labels=own)).host_id
            elif event == "label":
                await parts.host_management.label([host_id], {"operator": "3"}, [], ANA)
                labeled = True
            elif event in ("dial", "enroll"):
                own_now = {**own, "agent": str(count)}
                if event == "dial":
                    await parts.dial(host_id, "web01", labels=own_now)
                else:
                    token = await parts.token(labels={"token": "9"})
                    await parts.enroll("web01", token=token, labels=own_now)
            assert shown(parts)["web01"].labels == expected()
            assert await parts.database.read(contradictions) == []


async def test_labels_that_cannot_be_are_refused(parts: Parts) -> None:
    await parts.connect("web01", labels={"own": "1"})
    await parts.connect("web02")
    for names, to_set, to_unset, error, say in (
        (["web01", "web09"], {"a": "1"}, [], NotFoundError, "There is no host 'web09'"),
        ([], {"a": "1"}, [], InvalidInputError, "Name the hosts that are to be labeled"),
        (["web01"], {}, [], InvalidInputError, "Say which labels"),
        (["web01"], {"a": "1"}, ["a"], InvalidInputError, "'a' is both set and unset"),
        (["web01"], {"a b": "1"}, [], InvalidInputError, "'a b' is not a label's key"),
        (["web01"], {"a": "x y"}, [], InvalidInputError, "'x y' is not a value"),
        (["web01"], {}, ["own"], InvalidInputError, "No operator has given this host .* 'own'"),
        (
            ["web01", "web02"],
            {f"k{n}": "" for n in range(65)},
            [],
            InvalidInputError,
            "at most 64 labels, not 65",
        ),
    ):
        act = parts.host_management.label(names, to_set, to_unset, ANA)
        await stays(parts, act, error, say)


async def test_a_host_has_no_more_labels_than_it_may_have_from_all_who_give_some(
    parts: Parts,
) -> None:
    await parts.connect("web01", labels={f"own{n}": "1" for n in range(63)})
    await parts.host_management.label(["web01"], {"own0": "2", "a": "1"}, [], ANA)
    act = parts.host_management.label(["web01"], {"b": "1"}, [], ANA)
    await stays(parts, act, InvalidInputError, "web01 would have 65 labels.* at most 64")
    await parts.host_management.label(["web01"], {"b": "1"}, ["a"], ANA)
    await parts.connect("web01", labels={f"new{n}": "1" for n in range(64)})
    assert len(shown(parts)["web01"].labels) == 66
    await parts.host_management.label(["web01"], {"b": "2"}, [], ANA)
    await parts.host_management.label(["web01"], {}, ["b"], ANA)
    assert len(shown(parts)["web01"].labels) == 65


async def test_unset_takes_away_where_it_was_set(parts: Parts) -> None:
    for name in ("web01", "web02"):
        await parts.connect(name)
    await parts.host_management.label(["web01"], {"a": "1"}, [], ANA)
    assert await parts.host_management.label(["web02", "web01"], {}, ["a"], ANA) == (
        "web01",
        "web02",
    )
    assert all(host.labels == {} for host in shown(parts).values())
    assert [entry.host for entry in await parts.audited("label_host")] == ["web01", "web01"]


async def test_a_renamed_host_keeps_its_name_when_its_agent_comes_back(parts: Parts) -> None:
    host = await parts.member("web01")
    task_id = await parts.started("web01")
    assert await parts.host_management.rename("web01", "shop-db", ANA) == "shop-db"
    (row,) = await parts.rows(task_id)
    assert row.host == "shop-db"
    for again in ("web01", "another-name"):
        parts.fall_silent()
        opened = await parts.dial(host.host_id, again, key="web01", instance_id=again)
        assert (opened.name, opened.admission) == ("shop-db", Admission.ADMITTED)
    assert not parts.hosts.has_changed(host.host_id, "web01", "machine-web01")
    parts.fall_silent()
    enrolled = await parts.enroll("web01")
    assert (enrolled.host_id, enrolled.name) == (host.host_id, "shop-db")
    assert list(shown(parts)) == ["shop-db"]
    (entry,) = await parts.audited("rename_host")
    assert (entry.actor, entry.host, entry.host_id) == (ANA, "shop-db", host.host_id)
    assert (entry.detail["before"], entry.detail["after"]) == ("web01", "shop-db")
    await parts.started("shop-db")
    with pytest.raises(InvalidInputError, match=r"Not known: web01\."):
        await parts.started("web01")


async def test_a_renamed_host_on_another_machine_is_still_put_back(parts: Parts) -> None:
    host = await parts.member("web01")
    await parts.host_management.rename("web01", "shop-db", ANA)
    parts.fall_silent()
    opened = await parts.dial(
        host.host_id, "web01", instance_id="other", machine_id="another machine"
    )
    assert (opened.name, opened.admission) == ("shop-db", Admission.PENDING)
    assert "calls itself" not in shown(parts)["shop-db"].note


async def test_a_host_without_tls_is_renamed_too(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.host_management.rename("web01", "shop-db", ANA)
    parts.fall_silent()
    opened = await parts.connect("web01", host_id=host.host_id, instance_id="2")
    assert (opened.host_id, opened.name) == (host.host_id, "shop-db")
    assert [entry.actor for entry in await parts.audited("rename_host")] == [ANA]
    other = await parts.connect("web01", journal_id="another", machine_id="another")
    assert other.host_id != host.host_id
    with pytest.raises(RefusedError, match="known as shop-db already"):
        await parts.connect("shop-db", journal_id="third", machine_id="third")


async def test_a_pending_host_is_approved_beside_another_once_it_is_renamed(parts: Parts) -> None:
    await parts.member("web01")
    other = await parts.enroll("web01", key="other", machine_id="other")
    with pytest.raises(IllegalMoveError, match="2 hosts are called web01"):
        await parts.host_management.rename("web01", "web02", ANA)
    await parts.host_management.rename(f"web01/{other.host_id}", "web02", ANA)
    assert await parts.admission.approve(["web02"], False, ANA) == ("web02",)
    opened = await parts.dial(other.host_id, "web01", key="other", machine_id="other")
    assert (opened.name, opened.admission) == ("web02", Admission.ADMITTED)


async def test_a_name_that_cannot_be_given_is_refused(parts: Parts) -> None:
    await parts.member("web01")
    taken = await parts.enroll("web02")
    rejected = await parts.enroll("web03")
    await parts.admission.reject(["web03"], False, ANA)
    for name, new_name, error, say in (
        ("web09", "web10", NotFoundError, "no host 'web09'"),
        ("web01", "web01", IllegalMoveError, "is called web01 already"),
        ("web01", "web02", IllegalMoveError, "another host has this name .pending"),
        ("web02", "web01", IllegalMoveError, "another host has this name .admitted"),
        ("web01", "-web", InvalidInputError, "not a host's name.*Give the host another name"),
        ("web01", "x" * 65, InvalidInputError, "not a host's name"),
        ("web01", taken.host_id, InvalidInputError, "is the id of a host"),
        (f"web09/{taken.host_id}", "web10", IllegalMoveError, "is called web02 by now"),
    ):
        await stays(parts, parts.host_management.rename(name, new_name, ANA), error, say)
    assert await parts.host_management.rename("web01", "web03", ANA) == "web03"
    assert rejected.name == "web03"


async def test_a_host_is_in_maintenance_until_its_end(parts: Parts) -> None:
    await parts.connect("web01")
    await parts.connect("web02")
    end = parts.clock.instant + timedelta(hours=2)
    begun = await parts.host_management.set_maintenance(["web01"], " new disks ", end, ANA)
    assert begun == ("web01",)
    assert shown(parts)["web01"].maintenance == Maintenance("new disks", end, ANA)
    (entry,) = await parts.audited("set_maintenance")
    assert (entry.actor, entry.host) == (ANA, "web01")
    assert (entry.detail["reason"], entry.detail["until"]) == ("new disks", "2026-01-02T05:04:05Z")

    def found(text: str) -> list[str]:
        return [host.name for host in parts.list_hosts(Window(text=text)).rows]

    assert found("maintenance") == ["web01"]
    assert fleet_counts.in_maintenance(parts.directory, parts.clock.instant) == (1, 0)
    parts.clock.turn(timedelta(hours=2).total_seconds())
    assert shown(parts)["web01"].maintenance is None
    assert found("maintenance") == []
    assert fleet_counts.in_maintenance(parts.directory, parts.clock.instant) == (0, 0)
    act = parts.host_management.end_maintenance(["web01"], ANA)
    await stays(parts, act, IllegalMoveError, "web01 is not in maintenance")


async def test_a_maintenance_is_replaced_ended_and_survives_a_restart(tmp_path: Any) -> None:
    async with manager_parts(tmp_path) as parts:
        await parts.connect("web01")
        end = parts.clock.instant + timedelta(hours=2)
        await parts.host_management.set_maintenance(["web01"], "new disks", end, ANA)
        await parts.host_management.set_maintenance(["web01"], "new memory", None, "bob")
    async with manager_parts(tmp_path) as parts:
        assert shown(parts)["web01"].maintenance == Maintenance("new memory", None, "bob")
        assert await parts.host_management.end_maintenance(["web01"], ANA) == ("web01",)
        assert shown(parts)["web01"].maintenance is None
        (entry,) = await parts.audited("end_maintenance")
        assert (entry.actor, entry.detail["reason"]) == (ANA, "new memory")


async def test_a_maintenance_that_cannot_be_is_refused(parts: Parts) -> None:
    await parts.connect("web01")
    gone = await parts.member("web02")
    await parts.admission.revoke(["web02"], ANA)
    now = parts.clock.instant
    for names, reason, until, error, say in (
        (["web01", "web09"], "why", None, NotFoundError, "no host 'web09'"),
        ([], "why", None, InvalidInputError, "Name the hosts"),
        (["web01"], " ", None, InvalidInputError, "Give the reason"),
        (["web01"], "x" * 201, None, InvalidInputError, "longer than 200"),
        (["web01"], "two\nlines", None, InvalidInputError, "one line"),
        (["web01"], "\x1b[2J", None, InvalidInputError, "control characters"),
        (["web01"], "why", now, InvalidInputError, "2026-01-02 03:04:05 UTC, which has passed"),
        ([gone.host_id], "why", None, IllegalMoveError, "it is revoked"),
    ):
        act = parts.host_management.set_maintenance(names, reason, until, ANA)
        await stays(parts, act, error, say)
    await parts.connect("web03")
    await parts.host_management.set_maintenance(["web01"], "why", None, ANA)
    act = parts.host_management.end_maintenance(["web01", "web03"], ANA)
    await stays(parts, act, IllegalMoveError, "web03 is not in maintenance")


async def test_an_offline_host_in_maintenance_is_no_fault(parts: Parts) -> None:
    for name in ("away", "kept", "web01"):
        opened = await parts.connect(name)
        if name != "web01":
            await parts.hosts.close_session(opened.host_id, opened.generation, "gone")
    await parts.host_management.set_maintenance(["kept"], "new disks", None, ANA)
    faults = parts.list_hosts(Window(faults_only=True)).rows
    assert [host.name for host in faults] == ["away"]
    assert fleet_counts.in_maintenance(parts.directory, parts.clock.instant) == (1, 1)
    by_state = parts.list_hosts(Window(sort="state")).rows
    assert [host.name for host in by_state] == ["away", "kept", "web01"]

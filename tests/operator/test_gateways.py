"""The managers of one database as operators see them: the list, and what of it needs attention."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.managers.manager_parts import Parts, manager_parts
from tui_manager.domain.manager.gateway import HEARS_NOBODY, Gateway, ManagerGroup
from tui_manager.domain.manager.manager_status import Health
from tui_manager.operator.inprocess.alerts import HostCounts, attention
from tui_manager.operator.inprocess.manager_alerts import manager_alerts
from tui_manager.operator.inprocess.manager_status import list_gateways

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
A = Gateway(1, "web-a", "10.0.0.1:7443", "0.1.0", NOW, True, health=Health(sessions=3))
B = Gateway(2, "web-b", "10.0.0.2:7443", "0.1.0", NOW, health=Health(sessions=4000))
C = Gateway(3, "web-c", "10.0.0.3:7443", "0.1.0", NOW)
SEEN = NOW - timedelta(seconds=12)
DEAD = replace(B, alive=False, last_seen=SEEN)
ALL = ManagerGroup(1, (A, B, C))


def said(managers: ManagerGroup, problem: str = "", ahead: timedelta = timedelta()) -> list[str]:
    found = manager_alerts(managers, NOW, notifier_problem=problem, clock_ahead=ahead)
    return [alert.text for alert in found]


def test_all_is_well() -> None:
    assert said(ALL) == said(ManagerGroup()) == said(ManagerGroup(1, (A,))) == []


@pytest.mark.parametrize(
    ("gone", "offline", "expected"),
    [
        (
            DEAD,
            4000,
            "web-b (10.0.0.2:7443) was not heard for 12 s: 4,000 hosts that it had last are",
        ),
        (DEAD, 1, "12 s: 1 host that it had last is offline. Look"),
        (DEAD, 0, "12 s: no host that it had last is offline. Look"),
        (replace(DEAD, last_seen=None), 0, "not heard: no host"),
        (replace(DEAD, address=""), 2, "web-b was not heard for 12 s: 2 hosts that"),
    ],
)
def test_a_manager_that_is_not_heard_is_named(gone: Gateway, offline: int, expected: str) -> None:
    (alert,) = manager_alerts(ManagerGroup(1, (A, gone, C)), NOW, offline={2: offline})
    assert alert.text.startswith("Manager web-b")
    assert expected in alert.text
    assert alert.text.endswith("Look at its machine, and start the manager again.")


def test_agents_are_given_all_managers_but_those_that_were_stopped() -> None:
    assert ManagerGroup(2, (A, replace(B, alive=False), C)).agent_addresses == (
        "10.0.0.2:7443",
        "10.0.0.1:7443",
        "10.0.0.3:7443",
    )
    assert ManagerGroup(1, (A, replace(B, stopped=True))).agent_addresses == ()


def test_a_manager_that_stopped_in_order_or_a_day_ago_is_not_missed() -> None:
    stopped = replace(DEAD, stopped=True)
    long_gone = replace(DEAD, last_seen=NOW - timedelta(hours=25))
    assert said(ManagerGroup(1, (A, stopped, C))) == said(ManagerGroup(1, (A, long_gone, C))) == []


def test_of_many_that_are_not_heard_those_with_the_most_hosts_are_named() -> None:
    numbers = range(10, 17)
    gone = [replace(DEAD, number=number, name=f"web-{number}") for number in numbers]
    offline = {number: number for number in numbers}
    *named, others = manager_alerts(ManagerGroup(1, (A, *gone)), NOW, offline=offline)
    assert [alert.text.split()[1] for alert in named] == [f"web-{n}" for n in (16, 15, 14, 13, 12)]
    assert others.text == "2 other managers were not heard either."


@pytest.mark.parametrize(
    "managers",
    [ManagerGroup(2, (B, C)), ManagerGroup(2, (replace(A, alive=False, stopped=True), B))],
)
def test_that_no_manager_leads_is_said_first(managers: ManagerGroup) -> None:
    first, *others = said(managers)
    assert first.startswith("No manager leads: no batch, no schedule and no end of a task")
    assert others == []


def test_that_managers_cannot_tell_each_other_is_said_if_there_are_others() -> None:
    problem = "The server nats://n1:4222 does not answer."
    (sentence,) = said(ALL, problem)
    assert sentence.startswith(f"Managers cannot tell each other of changes: {problem} Until")
    assert said(ManagerGroup(1, (A,)), problem) == []
    assert said(ManagerGroup(1, (A, replace(B, alive=False, stopped=True))), problem) == []


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=3), "3 min ahead of the clock of the database"),
        (timedelta(minutes=-3), "3 min behind the clock of the database"),
        (timedelta(seconds=60), ""),
    ],
)
def test_a_clock_that_is_not_that_of_the_database_is_said(ahead: timedelta, words: str) -> None:
    for managers in (ManagerGroup(1, (A,)), ALL):
        found = said(managers, ahead=ahead)
        assert len(found) == bool(words)
        assert all(words in sentence for sentence in found)


def test_different_versions_are_said_last() -> None:
    newer = replace(A, version="0.2.0")
    gone = replace(DEAD, version="0.0.9")
    *_, hint = said(ManagerGroup(1, (newer, gone, C)))
    assert hint.startswith("Managers have different versions: 0.1.0 on web-c; 0.2.0 on web-a. ")


def test_who_cannot_use_the_database_says_nothing_of_the_others() -> None:
    managers = ManagerGroup(1, (DEAD, C))
    assert list(manager_alerts(managers, NOW, storage_error="away", notifier_problem="Away.")) == []


def test_who_hears_nobody_without_the_database_says_that_what_it_shows_is_old() -> None:
    (alert,) = manager_alerts(ALL.without_others(), NOW, storage_error="away")
    assert alert.text == HEARS_NOBODY
    stopped = ManagerGroup(1, (A, replace(B, alive=False, stopped=True)))
    for managers in (stopped, ManagerGroup(1, (A,)), ManagerGroup()):
        assert list(manager_alerts(managers, NOW, storage_error="away")) == []


OWN = Gateway(
    0, "m1", "0.0.0.0:7443", "0.1.0", NOW, True, last_seen=NOW, health=Health(cpu_percent=7)
)


def test_a_manager_that_shares_no_database_is_alone_in_the_list() -> None:
    assert list_gateways(ManagerGroup(), OWN, NOW) == (OWN,)


def test_the_list_has_the_newest_that_this_manager_knows_of_itself() -> None:
    long_gone = replace(C, alive=False, last_seen=NOW - timedelta(days=2))
    behind = replace(A, alive=False, last_seen=SEEN)
    listed = list_gateways(ManagerGroup(1, (long_gone, DEAD, behind)), OWN, NOW)
    assert listed == [replace(A, last_seen=NOW, health=OWN.health), DEAD]


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with manager_parts(tmp_path) as made:
        yield made


async def test_what_the_managers_gauges_say_is_among_all_alerts(parts: Parts) -> None:
    gauges = parts.statistics.gauges
    gauges.managers = lambda: ManagerGroup(1, (A, replace(DEAD, last_seen=None), C))
    gauges.notifier_problem = lambda: "It is gone."
    gauges.clock_ahead = lambda: timedelta(hours=3)
    found = attention(parts.core, HostCounts(), None, parts.clock.instant)
    assert [alert.text.split(":")[0] for alert in found] == [
        "Manager web-b (10.0.0.2",
        "Managers cannot tell each other of changes",
        "The clock of this machine is 3 h ahead of the clock of the database, by which all "
        "managers go. Set the wrong one, for example with NTP.",
    ]
    gauges.storage_problem = lambda: "The disk is full."  # the statistics have not met it yet
    found = attention(parts.core, HostCounts(), None, parts.clock.instant)
    assert [alert.text[:12] for alert in found] == ["The clock of"]
    parts.statistics.record_transaction(0.1, "The disk is full.")
    found = attention(parts.core, HostCounts(), None, parts.clock.instant)
    assert [alert.text[:12] for alert in found] == ["Results wait", "The clock of"]

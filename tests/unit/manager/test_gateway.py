"""The managers of one database, as each of them is told about the others."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

from tests.operator.examples import made
from tui_manager.domain.manager.gateway import (
    Gateway,
    GatewayState,
    ManagerGroup,
    figures_text,
    read_figures,
)
from tui_manager.domain.manager.manager_status import Health

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def gateway(
    number: int, *, leads: bool = False, alive: bool = True, stopped: bool = False
) -> Gateway:
    name, address = f"web-{number}", f"10.0.0.{number}:7443"
    return Gateway(number, name, address, "0.1.0", NOW, leads, alive, stopped)


@given(made(Health), made(datetime))
def test_figures_come_back_as_they_were_written(health: Health, at: datetime) -> None:
    assert read_figures(figures_text(health, at)) == (health, at)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "3", '{"at": "yesterday"}', '{"at": 3}'])
def test_what_is_no_figures_tells_nothing(text: str) -> None:
    assert read_figures(text) == (None, None)


def test_figures_of_another_version_are_read_as_far_as_they_are_known() -> None:
    told = {"sessions": 4, "cpu_percent": 12, "memory_bytes": "much", "moon": 2, "write_queue": 1.5}
    health, at = read_figures(json.dumps(told))
    assert health == Health(sessions=4, cpu_percent=12.0)
    assert at is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"leads": True}, GatewayState.LEADS),
        ({}, GatewayState.RUNNING),
        ({"alive": False}, GatewayState.NOT_HEARD),
        ({"alive": False, "leads": True}, GatewayState.NOT_HEARD),
        ({"alive": False, "stopped": True}, GatewayState.STOPPED),
    ],
)
def test_the_state_of_a_manager(state: dict[str, bool], expected: GatewayState) -> None:
    assert gateway(1, **state).state is expected


def test_a_leader_that_is_not_heard_leads_nobody() -> None:
    gone = gateway(1, leads=True, alive=False)
    assert ManagerGroup(2, (gone, gateway(2))).leader is None
    leader = gateway(2, leads=True)
    standing = ManagerGroup(2, (gone, leader))
    assert standing.leader == leader
    assert standing.others == (gone,)


def test_a_manager_that_is_gone_for_a_day_is_forgotten() -> None:
    def seen(number: int, hours: float, *, alive: bool = False) -> Gateway:
        at = NOW - timedelta(hours=hours)
        return Gateway(number, "web", "10.0.0.1:1", "0.1.0", alive=alive, last_seen=at)

    own, known = seen(1, 30), (seen(2, 23.9), seen(3, 40, alive=True), gateway(4, alive=False))
    standing = ManagerGroup(1, (own, *known, seen(5, 24.1)))
    assert standing.recent(NOW).gateways == (own, *known)


def test_managers_of_one_machine_are_told_apart_by_their_addresses() -> None:
    twin = Gateway(3, "web-1", "10.0.0.1:7500", "0.1.0")
    standing = ManagerGroup(2, (gateway(1), gateway(2), twin))
    labels = [standing.label(number) for number in (1, 2, 3, 4)]
    assert labels == ["web-1 (10.0.0.1:7443)", "web-2", "web-1 (10.0.0.1:7500)", ""]


def test_figures_that_were_not_measured_yet_are_not_known() -> None:
    measured = Health(sessions=3, memory_bytes=1)
    found = gateway(1)
    assert replace(found, health=measured).newest_health == measured
    assert replace(found, health=measured, alive=False).newest_health is None
    assert replace(found, health=Health(sessions=3)).newest_health is None
    assert found.newest_health is None


def test_how_long_a_manager_was_silent_is_never_negative() -> None:
    seen = Gateway(1, "web-1", "", "", last_seen=NOW)
    assert seen.silent_for(NOW + timedelta(seconds=12)) == timedelta(seconds=12)
    assert seen.silent_for(NOW - timedelta(seconds=1)) == timedelta()
    assert gateway(1).silent_for(NOW) is None

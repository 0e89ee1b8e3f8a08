"""`managers`, and what operators see of several managers on one database when one of them dies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.postgresql import new_database
from tests.support.programs.processes import Machine
from tui_manager.domain.presentation.json_fields import manager_shape


def managers(of: Machine) -> list[dict[str, Any]]:
    """All managers, each as `managers --json` tells."""
    return [manager_shape(each) for each in of.ask(lambda operator: operator.list_managers())]


def test_a_manager_alone_is_the_whole_list(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1")
    (alone,) = machine.json("managers")
    assert (alone["number"], alone["address"]) == (0, machine.address)
    assert (alone["leads"], alone["alive"]) == (True, True)
    machine.wait_for(
        "the host to be counted", lambda: managers(machine), lambda found: found[0]["hosts"] == 1
    )
    assert machine.json("managers")[0]["hosts"] == 1
    assert machine.json("hosts", "show", "h1")["manager"] is None
    assert machine.run("managers").out.split()[0] == b"NAME"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two managers on one database."""
    made = [Machine(tmp_path / name) for name in ("m1", "m2")]
    with new_database() as url:
        try:
            for each in made:
                each.folder.mkdir()
                each.configure(f'database = "{url}"\n')
                each.serve()
            yield made[0], made[1]
        finally:
            for each in made:
                each.stop()


Standing = dict[str, tuple[bool, bool]]


def standing(listed: list[dict[str, Any]]) -> Standing:
    """Whether each of the managers leads and is alive, by address."""
    return {each["address"]: (each["leads"], each["alive"]) for each in listed}


def wait_for_standing(of: Machine, expected: Standing) -> None:
    """Waits until a manager lists all of them so, and the program prints that."""
    for look in (lambda: managers(of), lambda: of.json("managers")):
        of.wait_for("the managers", look, lambda seen: standing(seen) == expected)


def test_one_of_two_managers_dies(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    for each in pair:
        wait_for_standing(each, {first.address: (True, True), second.address: (False, True)})
    agent = first.agent("h1")
    for each in pair:
        each.wait_until_online("h1")
        assert f"({first.address})" in each.json("hosts", "show", "h1")["manager"]
    first.wait_for(
        "the agent to know the other one", lambda: agent.err, lambda seen: second.address in seen
    )
    first.programs[0].process.kill()
    wait_for_standing(second, {first.address: (False, False), second.address: (True, True)})
    status = second.ask(lambda operator: operator.manager_status())
    assert (status.other_managers, status.others_alive, status.leads) == (1, 0, True)
    alerts = [alert.text for alert in status.attention]
    assert any(f"({first.address}) was not heard for " in text for text in alerts), alerts
    second.wait_until_online("h1")
    done = second.run("run", "h1", "--", "echo here")
    assert (done.code, done.out) == (0, b"h1: here\n")
    assert agent.process.poll() is None

"""What the agent of the selected host tells of its machine."""

from datetime import timedelta

from tests.support.fake_operator.fake_core import START
from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.hosts.host import HostDetail
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.hosts.host_facts import machine_facts


def two_hosts() -> FakeOperator:
    fleet = FakeOperator()
    fleet.add_host("web01")
    fleet.add_host("web02")
    fleet.facts["host-web01"] = {"os": "debian", "cores": "8"}
    return fleet


async def test_the_facts_are_those_of_the_selected_host(running: Running) -> None:
    fleet = two_hosts()
    async with running(fleet) as pilot:
        await press(pilot, "2")
        assert "ago: cores=8  os=debian" in shown(pilot)
        await press(pilot, "down")
        assert "os=debian" not in shown(pilot)
        fleet.facts["host-web02"] = {"os": "fedora"}
        await press(pilot, "up", "down")
        assert "ago: os=fedora" in shown(pilot)


async def test_a_change_is_seen_soon(running: Running) -> None:
    fleet = two_hosts()
    async with running(fleet) as pilot:
        await press(pilot, "2")
        fleet.facts["host-web01"] = {"os": "fedora"}
        for _ in range(5):
            pilot.app.screen.tick()  # type: ignore[attr-defined]
        await settle(pilot)
        assert "ago: os=fedora" in shown(pilot)


async def test_a_host_that_was_removed_meanwhile_is_no_error(running: Running) -> None:
    fleet = two_hosts()
    async with running(fleet) as pilot:
        await press(pilot, "2")
        del fleet.hosts["web02"]  # the screen does not know it yet
        fleet._order = None
        await press(pilot, "down")
        assert "There is no host" not in shown(pilot)


def test_facts_are_text_in_as_many_lines_as_they_need() -> None:
    fleet = two_hosts()
    host = fleet.hosts["web01"]
    facts = {"odd": "\x1b[2J[red]x[/red]\n", **{f"f{n}": "v" * 20 for n in range(20)}}
    detail = HostDetail(host, facts, START)
    lines = [plain(line) for line in machine_facts(detail, START + timedelta(minutes=3), 40)]
    assert lines[0].startswith("facts    told 3m ago:")
    assert all(line.isprintable() and len(line) <= 40 for line in lines)
    assert any("[red]x[/red]" in line for line in lines)
    assert machine_facts(HostDetail(host), START, 40) == ()

"""Several managers on the manager's screen; with one, nothing of it is there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.fake_operator.fake_operator import START, FakeOperator
from tests.support.seeded.seeded_managers import add_managers
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import Gateway
from tui_manager.domain.manager.manager_status import Health
from tui_manager.ui.drawing.spans import plain, width_of
from tui_manager.ui.manager.gateway_pane import gateway_lines
from tui_manager.ui.manager.manager_text import figure_lines

NOW = START
SIZES = [(80, 24), (160, 48)]
HOSTILE = "\x1b]0;owned\x07[red]x\u202e\nline"


def rows(gateways: tuple[Gateway, ...], own: int = 1, width: int = 120) -> list[list[str]]:
    return [plain(line).split() for line in gateway_lines(gateways, own, NOW, width)]


def test_who_is_not_heard_comes_first_and_then_the_leader() -> None:
    fleet = FakeOperator()
    add_managers(fleet)
    m1, m2, m3 = fleet.managers
    stopped = replace(m2, number=4, name="m4", stopped=True, last_seen=NOW - timedelta(hours=2))
    header, *found = rows((stopped, m1, m2, m3))
    assert header[:3] == ["MANAGER", "STATE", "HOSTS"]
    assert [" ".join(row[:5]) for row in found] == [
        "m2 ✘ not heard 12s",
        "m3 ● leads 8 2%",
        "m1 (this) ● running 0",
        "m4 ○ stopped 2h 0.1.0",
    ]


def test_figures_of_a_manager_that_is_not_heard_are_left_out() -> None:
    fleet = FakeOperator()
    add_managers(fleet)
    _, away, *_ = rows(fleet.managers)
    assert away == ["m2", "✘", "not", "heard", "12s", "0.1.0", "10.0.0.2:7443"]


def test_how_managers_stand_is_not_known_while_the_joined_one_does_not_answer() -> None:
    fleet = FakeOperator()
    add_managers(fleet)
    _, *lines = gateway_lines(fleet.managers, 1, NOW, 120, away=True)
    assert [plain(line).split()[-4:-1] for line in lines] == [["not", "known", "0.1.0"]] * 3
    assert not any(word in plain(line) for line in lines for word in ("leads", "running", "%"))


@pytest.mark.parametrize("width", [56, 76, 116, 196])
def test_every_line_fits_and_says_state_and_address(width: int) -> None:
    big = Health(2**40, 1e9, 1e9, 9e9, 9e9, 2**50, 1e5, 2**40, 2**40)
    odd = Gateway(2**40, f"m{HOSTILE}" * 9, "10.0.0.1:7443", HOSTILE * 9, START, True, health=big)
    lines = gateway_lines((odd, replace(odd, alive=False)), odd.number, NOW, width)
    assert max(map(width_of, lines)) <= width
    for line, state in zip(lines[1:], ("✘ not heard", "● leads"), strict=True):
        assert state in plain(line)
        assert "10.0.0.1:7443" in plain(line)
        assert "\x1b" not in plain(line)


@pytest.mark.parametrize(
    ("trouble", "words"), [("", "leader    no manager leads"), ("away", "leader    not known")]
)
async def test_without_the_database_nobody_knows_who_leads(trouble: str, words: str) -> None:
    fleet = FakeOperator()
    add_managers(fleet)
    status = await fleet.manager_status()
    health = replace(status.health, storage_error=trouble)
    status = replace(status, leader="", leads=False, health=health)
    assert words in "\n".join(plain(line) for line in figure_lines(status, NOW, 120))


@pytest.mark.parametrize("size", SIZES)
async def test_one_manager_is_not_listed(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "4")
        assert "─ Manager ─" in shown(pilot)
        assert "─ Managers" not in shown(pilot)
        assert "leader" not in shown(pilot)
        assert "list_managers" not in fleet.calls


@pytest.mark.parametrize("size", SIZES)
async def test_the_pane_comes_and_goes_with_the_other_managers(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(fleet, size) as pilot:
        await press(pilot, "4")
        add_managers(fleet)
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        text = shown(pilot)
        assert "─ Managers 3 ─" in text
        assert "─ This manager ─" in text
        assert "leader    m3" in text
        assert "m2" in text
        assert "✘ not heard 12s" in text
        fleet.managers = ()
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert "─ Manager ─" in shown(pilot)
        assert "─ Managers" not in shown(pilot)


async def test_tab_goes_to_the_managers_too(fleet: FakeOperator, running: Running) -> None:
    add_managers(fleet)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "4")
        seen = []
        for _ in range(4):
            assert pilot.app.screen.focused is not None
            seen.append(pilot.app.screen.focused.id)
            await press(pilot, "tab")
        assert seen == ["audit", "attention", "managers", "figures"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_screen_of_a_host_names_its_manager_if_there_are_several(
    fleet: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    keys = ("2", "slash", *"web06", "enter", "enter")
    async with running(fleet, size) as pilot:
        await press(pilot, *keys)
        assert "at manager" not in shown(pilot)
    add_managers(fleet)
    async with running(fleet, size) as pilot:
        await press(pilot, *keys)
        assert "at manager m1" in shown(pilot)

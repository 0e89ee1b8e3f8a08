"""What is shown is read and laid out when it changes, and not more often."""

from dataclasses import replace
from typing import Any

import pytest
from textual._compositor import Compositor

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import A_DAY, Running, press, settle, shown
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui import paced_reader
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.frame.key_footer import KeyFooter
from tui_manager.ui.listing.row_list import RowList


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one at each layout of a whole screen."""
    made: list[str] = []
    reflow = Compositor.reflow

    def counted(compositor: Compositor, *arguments: object) -> object:
        made.append("layout")
        return reflow(compositor, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Compositor, "reflow", counted)
    return made


def hosts_with_facts(number: int = 30) -> FakeOperator:
    fleet = FakeOperator()
    for count in range(number):
        fleet.add_host(name := f"web{count:03}")
        fleet.facts[f"host-{name}"] = {"os": "debian", "cores": "8"}
    return fleet


async def test_a_move_in_the_hosts_reads_the_facts_of_one_host_and_lays_out_nothing(
    running: Running, laid_out: list[str]
) -> None:
    fleet = hosts_with_facts()
    async with running(fleet) as pilot:
        await press(pilot, "2", "down", "down")
        before = shown(pilot).count("\n")
        fleet.calls.clear()
        laid_out.clear()
        await press(pilot, "down", "down", "up")
        assert fleet.calls == ["get_host"] * 3
        assert laid_out == []
        assert "ago: cores=8  os=debian" in shown(pilot)
        assert shown(pilot).count("\n") == before


async def test_a_form_is_laid_out_once_when_it_opens_and_nothing_is_when_it_closes(
    fleet: FakeOperator, running: Running, laid_out: list[str]
) -> None:
    """If it is more, look at what `HookedScreen` and `HookedApp` do to Textual's layouts."""
    async with running(fleet) as pilot:
        assert len(laid_out) <= 5, "Textual alone makes ten when the app starts"
        laid_out.clear()
        await press(pilot, "n")
        assert len(laid_out) == 1
        await press(pilot, "escape")
        assert len(laid_out) == 1


async def test_keys_are_not_shown_for_each_change_of_the_focus(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_keys: list[object] = []
    async with running(fleet) as pilot:
        await settle(pilot)
        monkeypatch.setattr(KeyFooter, "show_keys", lambda _, keys: shown_keys.append(keys))
        dashboard = pilot.app.screen
        assert isinstance(dashboard, DashboardScreen)
        for pane in (dashboard.output, dashboard.recent, dashboard.output):
            dashboard.set_focus(pane)
        await settle(pilot)
        assert 1 <= len(shown_keys) <= 2  # Textual asks six times, in two moments


async def test_vitals_of_the_selected_host_do_not_read_its_facts_again(running: Running) -> None:
    fleet = hosts_with_facts()
    async with running(fleet) as pilot:
        await press(pilot, "2")
        fleet.calls.clear()
        host = fleet.hosts["web000"]
        for cpu in range(10, 50, 10):
            fleet.hosts["web000"] = replace(host, vitals=Vitals(cpu_percent=cpu))
            fleet.publish(Changes(hosts=True))
            await settle(pilot)
        assert "cpu 40%" in shown(pilot)
        assert "get_host" not in fleet.calls


async def test_a_list_with_all_rows_in_sight_is_not_read_when_its_size_changes(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    reload = RowList.reload

    def counted(rows: RowList[Any]) -> None:
        reads.append(rows)
        reload(rows)

    monkeypatch.setattr(RowList, "reload", counted)
    async with running(hosts_with_facts(200), (120, 30)) as pilot:
        await press(pilot, "2")
        reads.clear()
        await pilot.resize_terminal(110, 36)
        await settle(pilot)
        assert reads == []
        await pilot.resize_terminal(110, 120)
        await settle(pilot)
        assert reads, "more rows are in sight than were read"
        assert "web095" in shown(pilot)


async def test_tasks_that_ended_are_not_looked_for_at_each_change(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced_reader, "PAUSE", A_DAY)
    fleet = hosts_with_facts(1)
    async with running(fleet) as pilot:
        await press(pilot, "4")
        fleet.calls.clear()
        for _ in range(5):
            fleet.publish(Changes(all_tasks=True))
            await settle(pilot)
        assert fleet.calls.count("list_tasks") == 0

"""What could not be read is read again as soon as the manager answers."""

from datetime import datetime

import pytest
from textual.app import App
from textual.dom import DOMNode

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.hosts.all_hosts_table import HostTable
from tui_manager.ui.hosts.hosts_screen import HostsScreen

EVERY_SECOND = Changes(manager=True)  # what a manager says while nothing else changes


async def test_a_list_that_could_not_be_read_is_read_again(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        fleet.failure = StorageError("The disk is full.")
        fleet.change_host("web01", labels={"moved": "yes"})
        await settle(pilot)
        assert "moved=yes" not in shown(pilot)
        fleet.failure = None
        fleet.publish(EVERY_SECOND)
        await settle(pilot)
        assert "moved=yes" in shown(pilot)


async def test_a_task_that_could_not_be_read_when_it_was_opened_is_read_again(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3")
        fleet.failure = StorageError("The disk is full.")
        await press(pilot, "enter")
        fleet.failure = None
        fleet.publish(EVERY_SECOND)
        await settle(pilot)
        assert "restart web" in shown(pilot)


async def test_what_was_read_is_not_read_again_each_second(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        fleet.calls.clear()
        fleet.publish(EVERY_SECOND)
        await settle(pilot)
        assert "list_tasks" not in fleet.calls


async def test_the_cells_of_a_row_that_has_changed_are_made_once(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostsScreen, "tick", lambda screen: None)  # it makes all rows
    made, cell = [], HostTable.cell

    def count(table: HostTable, row: Host, key: str, width: int, now: datetime) -> Spans:
        made.append((row.name, key))
        return cell(table, row, key, width, now)

    async with running(fleet) as pilot:
        await press(pilot, "2")
        monkeypatch.setattr(HostTable, "cell", count)
        fleet.change_host("web01", labels={"moved": "yes"})
        await settle(pilot)
        assert "moved=yes" in shown(pilot)
        assert made.count(("web01", "labels")) == 1


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_screen_that_is_shown_is_read_once_and_not_styled_again(
    fleet: FakeOperator,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    styled: list[DOMNode] = []
    read: list[Changes] = []
    update, read_again = App.update_styles, HostsScreen.read_again

    def count_style(app: App[None], node: DOMNode, animate: bool = True) -> None:
        styled.append(node)
        update(app, node, animate)

    def count_read(screen: HostsScreen, changes: Changes) -> None:
        read.append(changes)
        read_again(screen, changes)

    monkeypatch.setattr(App, "update_styles", count_style)
    monkeypatch.setattr(HostsScreen, "read_again", count_read)
    async with running(fleet, size) as pilot:
        for times in (1, 2):
            await press(pilot, "2")
            assert not [node for node in styled if isinstance(node, HostsScreen)]
            assert len(read) == times
            await press(pilot, "1")

"""Cursor and marks belong to their rows, and keys act on no row that is not in the list."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from textual.events import MouseScrollDown, Paste
from textual.pilot import Pilot

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.fake_operator.held_operator import HeldOperator
from tests.support.seeded.seeded_fleet import seeded_fleet
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.status import Admission
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.listing.row_list import HEADER, RowList
from tui_manager.ui.tasks.lists.all_tasks_table import WideTaskTable
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen


def many_hosts(count: int = 300) -> FakeOperator:
    fleet = FakeOperator()
    add_hosts(fleet, count)
    return fleet


def add_hosts(fleet: FakeOperator, count: int) -> None:
    for number in range(count):
        fleet.add_host(f"n{number:04}", labels={"role": "db" if number % 3 == 0 else "web"})


async def many_tasks(fleet: FakeOperator, count: int = 120) -> FakeOperator:
    fleet.add_host("web01")
    for number in range(count):
        role = "db" if number % 3 == 0 else "web"
        await fleet.create_task(TaskSpec(f"role={role}", (CommandSpec("true"),), f"job {number}"))
    return fleet


def hosts_of(pilot: "Pilot[None]") -> HostsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, HostsScreen)
    return screen


def selected_name(pilot: "Pilot[None]") -> str:
    host = hosts_of(pilot).hosts.selected
    return host.name if host else ""


def in_sight(rows: RowList[Any]) -> bool:
    return 0 <= rows.list.cursor - rows.first < rows.size.height - HEADER


async def test_the_cursor_goes_with_an_approved_host_out_of_what_was_read(running: Running) -> None:
    fleet = many_hosts()
    fleet.add_host("n0250x", admission=Admission.PENDING)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "a", "y")
        await settle(pilot)
        assert selected_name(pilot) == "n0250x"
        assert hosts_of(pilot).hosts.list.cursor == 251
        assert in_sight(hosts_of(pilot).hosts)
        await press(pilot, "x")
        assert "Revoke n0250x?" in shown(pilot)
        await press(pilot, "y")
        revoked = [h.name for h in fleet.hosts.values() if h.admission is Admission.REVOKED]
        assert revoked == ["n0250x"]
        await press(pilot, "x", "y")
        revoked = [h.name for h in fleet.hosts.values() if h.admission is Admission.REVOKED]
        assert revoked == ["n0250x"]


async def test_what_is_asked_about_is_what_is_done_though_rows_move(running: Running) -> None:
    fleet = many_hosts(6)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "down", "x")
        assert "Revoke n0001?" in shown(pilot)
        fleet.add_host("a0")
        fleet.add_host("a1", admission=Admission.PENDING)
        await settle(pilot)
        await press(pilot, "y")
        assert [h.name for h in fleet.hosts.values() if h.admission is Admission.REVOKED] == [
            "n0001"
        ]


async def test_no_key_acts_on_a_host_that_has_left_the_list(running: Running) -> None:
    fleet = many_hosts(6)
    for name in ("n0002", "n0003", "n0004"):
        fleet.change_host(name, online=False)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "ctrl+z", "down")
        assert selected_name(pilot) == "n0003"
        fleet.change_host("n0003", online=True)
        await settle(pilot)
        assert selected_name(pilot) == ""
        await press(pilot, "x", "y", "enter")
        assert not [h for h in fleet.hosts.values() if h.admission is Admission.REVOKED]
        assert isinstance(pilot.app.screen, HostsScreen)
        await press(pilot, "down")
        assert selected_name(pilot) == "n0004"


async def test_keys_act_on_no_marked_host_that_is_filtered_away(running: Running) -> None:
    fleet = many_hosts(9)
    async with running(fleet, (120, 24)) as pilot:
        await press(pilot, "2", "space", "space", "slash", *"role=db", "enter")
        await settle(pilot)
        assert "2 marked, 1 not in this list" in shown(pilot)
        assert [host.name for host in hosts_of(pilot).marked_hosts()] == ["n0000"]
        await press(pilot, "slash", *["backspace"] * 2, *"xx", "enter", "x")
        assert "2 marked, 2 not in this list" in shown(pilot)
        assert not isinstance(pilot.app.screen, ConfirmScreen)
        await press(pilot, "slash", *["backspace"] * 7, "enter", "x")
        assert "Revoke 2 hosts?" in shown(pilot)


async def test_marks_out_of_sight_stay_marks_and_follow_their_hosts(running: Running) -> None:
    fleet = many_hosts(2500)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "2", "end", "space", "home", "space")
        table = hosts_of(pilot).hosts
        for number in range(100):
            fleet.add_host(f"a{number:04}")
        await settle(pilot)
        assert [host.name for host in table.marked] == ["n2499", "n0000"]
        fleet.change_host("n2499", online=False)
        await settle(pilot)
        assert not table.marked[0].online
        del fleet.hosts["n2499"]
        fleet.change_host("n0000", online=False)
        await settle(pilot)
        assert [host.name for host in table.marked] == ["n0000"]
        assert "2 marked, 1 not in this list" in shown(pilot)


async def test_a_sorted_list_keeps_the_selected_host(running: Running) -> None:
    fleet = many_hosts(1500)
    async with running(fleet, (120, 24)) as pilot:
        await press(pilot, "2", "down", "down")
        table = hosts_of(pilot).hosts
        for _ in range(2):
            table.sort_by("name")
        await settle(pilot)
        assert selected_name(pilot) == "n0002"
        assert in_sight(table)
        assert table.list.rows[table.list.cursor].name == "n0002"


class GrowingFilter(FakeOperator):
    """Of a filtered list of tasks it has looked at sixty tasks more with each question."""

    looked = 0

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        if not window.text:
            return await super().list_tasks(window, wanted)
        self.looked += 60
        page = await super().list_tasks(replace(window, offset=0, limit=1000), wanted)
        newest = len(self.tasks) - self.looked
        rows = [task for task in page.rows if task.task_id > newest]
        shown_rows = rows[window.offset : window.offset + window.limit]
        return Page(shown_rows, len(rows), page.total, partial=newest > 0)


async def test_a_filter_that_still_looks_selects_what_is_in_its_list(running: Running) -> None:
    """A page of the whole list is under way when the filter is set."""
    held = HeldOperator(await many_tasks(GrowingFilter(), 401))
    async with running(held, (80, 24)) as pilot:
        await press(pilot, "3", *["down"] * 6, "slash")
        screen = pilot.app.screen
        assert isinstance(screen, TasksScreen)
        held.hold()
        screen.tasks.reload()
        await settle(pilot, 1)
        pilot.app.post_message(Paste("target=role=db"))
        await settle(pilot, 1)
        held.release()
        await press(pilot, "enter")
        while screen.tasks.list.partial:
            await settle(pilot, 1)
        task = screen.tasks.selected
        assert task is not None
        assert task.target == "role=db"
        assert screen.tasks.list.rows[screen.tasks.list.cursor] == task
        assert in_sight(screen.tasks)
        await press(pilot, "enter")
        opened = pilot.app.screen
        assert isinstance(opened, TaskScreen)
        assert opened.task_id == task.task_id


async def test_a_resize_does_not_pull_the_view_to_a_cursor_that_was_out_of_sight(
    running: Running,
) -> None:
    async with running(many_hosts(), (80, 24)) as pilot:
        await press(pilot, "2")
        table = hosts_of(pilot).hosts
        x, y = (int(part) for part in table.region.center)
        for _ in range(30):
            turn = MouseScrollDown(table, x, y, 0, 1, 0, False, False, False)
            pilot.app.screen._forward_event(turn)
        await settle(pilot)
        first = table.first
        assert first > 20
        await pilot.resize_terminal(90, 28)
        await settle(pilot)
        assert table.first == first
        assert selected_name(pilot) == "n0000"
        await press(pilot, "down")
        assert in_sight(table)
        await pilot.resize_terminal(80, 20)
        await settle(pilot)
        assert in_sight(table)


async def test_enter_behind_the_key_of_a_list_opens_its_first_row_when_it_is_read(
    running: Running,
) -> None:
    held = HeldOperator(await many_tasks(FakeOperator()))
    async with running(held, (80, 24)) as pilot:
        held.hold()
        await press(pilot, "3", "enter")
        assert isinstance(pilot.app.screen, TasksScreen)
        held.release()
        await settle(pilot)
        assert isinstance(pilot.app.screen, TaskScreen)


class CountingOperator(FakeOperator):
    """It counts what is read of the hosts."""

    rows_read = 0

    async def list_hosts(self, window: Window) -> Page[Host]:
        page = await super().list_hosts(window)
        self.rows_read += len(page.rows)
        return page


async def mark_every(pilot: "Pilot[None]", step: int, count: int) -> None:
    await press(pilot, "2")
    for number in range(count):
        hosts_of(pilot).hosts.go_to(number * step)
        await settle(pilot, 1)
        await press(pilot, "space")


async def test_a_reload_reads_few_rows_of_a_long_list_with_many_marks(running: Running) -> None:
    fleet = CountingOperator()
    add_hosts(fleet, 10_000)
    async with running(fleet, (80, 24)) as pilot:
        await mark_every(pilot, 500, 20)
        assert len(hosts_of(pilot).hosts.marked) == 20
        for number in range(5):
            fleet.rows_read = 0
            fleet.change_host(f"n{number:04}", online=False)
            await settle(pilot)
            assert 0 < fleet.rows_read < 400
        assert len(hosts_of(pilot).hosts.marked) == 20


async def test_marks_are_looked_up_in_turn_and_by_a_key_that_acts_on_them(running: Running) -> None:
    fleet = many_hosts(1000)
    async with running(fleet, (80, 24)) as pilot:
        await mark_every(pilot, 100, 9)
        table = hosts_of(pilot).hosts
        fleet.change_host("n0001", online=False)
        await settle(pilot)
        del fleet.hosts[table.list.marks[[*table.list.missing_marks][-1]].name]
        fleet.change_host("n0002", online=False)
        await settle(pilot)
        assert len(table.marked) == 9
        await press(pilot, "x")
        assert "Revoke 8 hosts?" in shown(pilot)
        await press(pilot, "n")
        assert "9 marked, 1 not in this list" in shown(pilot)
        for number in range(3):
            fleet.change_host("n0001", online=bool(number % 2))
            await settle(pilot)
            del fleet.hosts[table.list.marks[next(iter(table.list.missing_marks))].name]
            fleet.change_host("n0002", online=bool(number % 2))
            await settle(pilot)
            assert len(table.marked) == 7 - number


async def test_a_key_does_nothing_while_it_cannot_look_up_the_marks(running: Running) -> None:
    fleet = many_hosts(1000)
    async with running(fleet, (80, 24)) as pilot:
        await mark_every(pilot, 100, 9)
        fleet.change_host("n0001", online=False)
        await settle(pilot)
        fleet.failure = StorageError("The database cannot be read.")
        await press(pilot, "x")
        assert not isinstance(pilot.app.screen, ConfirmScreen)
        fleet.failure = None
        await press(pilot, "x")
        assert "Revoke 9 hosts?" in shown(pilot)


async def test_tasks_are_sorted_by_how_long_they_took(running: Running) -> None:
    async with running(await seeded_fleet(), (160, 40)) as pilot:
        await press(pilot, "3")
        table = pilot.app.screen.query_one(WideTaskTable)
        (key,) = {column.sort for column in table.columns if column.key == "time"}
        for descending in (True, False):
            table.sort_by(key)
            await settle(pilot)
            rows = [table.list.rows[number] for number in sorted(table.list.rows)]
            took = [
                (task.finished_at - task.started_at) if task.finished_at and task.started_at
                else timedelta.max if task.started_at else timedelta(0)
                for task in rows
            ]  # fmt: skip
            assert len(set(took)) > 1
            assert took == sorted(took, reverse=descending)

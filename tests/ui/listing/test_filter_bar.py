"""The line in which a filter is typed: what it says, and what becomes of a wrong filter."""

from typing import Any

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.ui.hosts.all_hosts_table import HostTable
from tui_manager.ui.listing.filter_bar import FilterBar, KeySuggester
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager.audit_table import AuditTable
from tui_manager.ui.schedules.schedule_table import ScheduleTable
from tui_manager.ui.schedules.template_table import TemplateTable
from tui_manager.ui.tasks.lists.all_tasks_table import TaskTable
from tui_manager.ui.tasks.one_task.command_host_table import CommandHostTable


async def test_a_wrong_filter_leaves_the_list_and_says_why(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "2", "slash", *"role=db")
        assert "3 of 18" in shown(pilot)
        assert "state= name= agent=" in shown(pilot)
        await press(pilot, *" /we")
        assert "A /pattern/ ends with a slash." in shown(pilot)
        assert "3 of 18  / role=db   ▲ not as typed" in shown(pilot)
        hosts = pilot.app.screen.query_one(HostTable)
        assert hosts.has_class("-not-as-typed")
        await press(pilot, "enter")
        assert pilot.app.screen.query_one(FilterBar).display
        await press(pilot, *"b/")
        assert "0 of 18" in shown(pilot)
        assert "not as typed" not in shown(pilot)
        assert not hosts.has_class("-not-as-typed")
        await press(pilot, "escape", "slash", *"web @no")
        assert "There is no group @no." in shown(pilot)
        assert "▲ not as typed" in shown(pilot)
        await press(pilot, *["backspace"] * 3, "enter")
        assert "/ web" in shown(pilot)
        assert "not as typed" not in shown(pilot)
        assert not pilot.app._notifications


async def test_a_filter_that_the_manager_refuses_later_ends_with_a_notice(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3")
        pilot.app.screen.query_one(TaskTable).filter_by("hots=web")
        await settle(pilot)
        said = [note.message for note in pilot.app._notifications]
        assert said == [
            "A list of tasks has no key 'hots'; it has status, by, target, name, id, template. "
            "To look for this text, put it in quotes."
        ]
        assert "/ hots" not in shown(pilot)


@pytest.mark.parametrize(
    "table",
    [TaskTable, HostTable, CommandHostTable, AuditTable, TemplateTable, ScheduleTable],
)
def test_what_a_list_can_be_filtered_by_fits_the_smallest_terminal(
    table: type[RowTable[Any]],
) -> None:
    assert len(table.FILTERS) <= 78
    assert all(f" {key}=" in table.FILTERS for key in table.FILTER_KEYS)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("st", "status="),
        ("web !st", "web !status="),
        ("web ", None),
        ("status=", None),
        ("x", None),
    ],
)
async def test_a_key_is_completed(typed: str, completed: str | None) -> None:
    assert await KeySuggester(("status", "by")).get_suggestion(typed) == completed

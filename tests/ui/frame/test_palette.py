"""The palette finds actions by other words, also those of other screens, and items by name."""

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.lists.list_window import Window
from tui_manager.ui.action_table import ACTIONS, BY_ID
from tui_manager.ui.frame.palette import words_score
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen

_ALL = Window()


@pytest.mark.parametrize(
    ("typed", "action"),
    [
        ("again", "rerun_task"),
        ("repeat", "rerun_task"),
        ("rerun", "rerun_task"),
        ("kill", "cancel_task"),
        ("stop", "cancel_task"),
        ("logs", "all_output"),
        ("delete", "delete_saved"),
        ("reboot", "maintenance"),
        ("resume", "pause_task"),
        ("diff", "compare"),
        ("dark", "theme"),
        ("cron", "show_schedules"),
        ("failed", "faults_only"),
        ("failed", "next_failure"),
        ("token", "join_token"),
        ("audit", "show_manager"),
        ("blame", "show_manager"),
        ("who", "show_manager"),
        ("who", "show_tasks"),
        ("who", "filter"),
        ("author", "filter"),
        ("quarantine", "maintenance"),
        ("undo", "rerun_task"),
        ("run command", "new_task"),
    ],
)
def test_an_action_is_found_by_other_words(typed: str, action: str) -> None:
    scores = {found.id: words_score(found, found.label, typed) for found in ACTIONS}
    assert scores[action] >= 0.9
    assert scores["quit"] == 0
    assert max(scores.values()) == scores[action]


def test_its_own_label_counts_most() -> None:
    assert words_score(BY_ID["run_saved"], "Run", "run") == 1
    assert words_score(BY_ID["pause_task"], "Resume", "resu") == 1
    assert 0 < words_score(BY_ID["filter"], "Filter", "or by terms") < 0.2
    assert words_score(BY_ID["filter"], "Filter", " ") == 0


async def test_the_palette_goes_to_the_screen_of_an_action(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3", "colon", *"cron")
        await settle(pilot, 8)
        text = shown(pilot)
        assert "Schedules  (5)" in text
        assert "Edit  (in Schedules: e)" in text
        await press(pilot, "escape", "colon", *"forget", "enter")
        await settle(pilot, 8)
        assert isinstance(pilot.app.screen, HostsScreen)


async def test_the_palette_finds_templates_and_schedules(
    fleet: FakeOperator, running: Running
) -> None:
    templates = [row.name for row in (await fleet.list_templates(_ALL)).rows]
    schedules = [row.spec.name for row in (await fleet.list_schedules(_ALL)).rows]
    async with running(fleet) as pilot:
        await press(pilot, "3", "colon", *templates[-1])
        await settle(pilot, 8)
        assert f"template {templates[-1]}" in shown(pilot)
        await press(pilot, "escape", "colon", *schedules[-1], "enter")
        await settle(pilot, 8)
        screen = pilot.app.screen
        assert isinstance(screen, SchedulesScreen)
        assert screen.selected_schedule is not None
        assert screen.selected_schedule.spec.name == schedules[-1]
        await press(pilot, "3")
        assert isinstance(pilot.app.screen, TasksScreen)


async def test_the_palette_offers_no_action_that_its_pane_does_not_have_now(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "colon", *"again")
        await settle(pilot, 8)
        text = shown(pilot)
        assert "Run again  (r)" in text
        assert "Next match" not in text  # nothing is searched for


async def test_the_palette_finds_tasks_by_their_author(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "colon", *"who")
        await settle(pilot, 8)
        text = shown(pilot)
        assert text.index("Filter  (/)") < text.index("Zoom")
        assert text.index("Tasks  (3)") < text.index("Zoom")
        await press(pilot, "escape", "colon", *"by=ana uptime")
        await settle(pilot, 8)
        text = shown(pilot)
        assert "✔ #1 uptime" in text
        assert "check disk" not in text.split("by=ana uptime")[1].split("▁▁▁")[0]

"""Keys, colours and calls that an operator has set."""

from dataclasses import replace
from itertools import product

import pytest
from textual.color import Color

from tests.support.fake_operator.fake_core import START
from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import press, settle, shown
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission
from tui_manager.ui.action import KeyMap
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.drawing.theme import CONTRAST, DARK, LIGHT, TERMINAL, THEMES
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.hosts.all_hosts_table import host_cell
from tui_manager.ui.listing.table_layout import no_match_lines
from tui_manager.ui.preferences import Preferences, ThemeName, key_map, read_keys
from tui_manager.ui.schedules.schedule_table import no_schedules
from tui_manager.ui.tasks.lists.all_tasks_table import no_tasks
from tui_manager.ui.tasks.lists.running_tasks_table import waits_text
from tui_manager.ui.tasks.one_task.command_host_table import not_started
from tui_manager.ui.tasks.one_task.task_head import waiting_lines


def luminance(colour: str) -> float:
    """The relative luminance of the WCAG."""
    channels = [value / 255 for value in Color.parse(colour).rgb]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """The contrast of the WCAG, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("theme", "least"), [(DARK, 4.5), (LIGHT, 4.5), (CONTRAST, 7.0)])
def test_every_text_can_be_read_on_every_background(theme: object, least: float) -> None:
    assert isinstance(theme, type(DARK))
    texts = [theme.primary, theme.warning, theme.error, theme.success, theme.foreground]
    backgrounds = [theme.background, theme.panel, theme.variables["cursor"]]
    for text, background in product([*texts, theme.variables["quiet"]], backgrounds):
        assert text is not None
        assert background is not None
        assert contrast(text, background) >= least, (text, background)


def test_the_theme_of_the_terminal_names_no_colour_of_its_own() -> None:
    colours = [TERMINAL.primary, TERMINAL.background, TERMINAL.error, *TERMINAL.variables.values()]
    for colour in colours:
        assert colour is not None
        assert colour.startswith("ansi_") or colour in ("reverse", "none")
    assert list(THEMES) == list(ThemeName)


def test_keys_of_the_settings_are_named_as_textual_does() -> None:
    read = read_keys({"filter": ["Y", "ctrl+Y", "?"], "help": "F1", "back": "Esc"})
    assert read == {"filter": ("Y", "ctrl+y", "?"), "help": ("f1",), "back": ("esc",)}
    assert key_map(read) == KeyMap(
        {"filter": ("Y", "ctrl+y", "question_mark"), "help": ("f1",), "back": ("escape",)}
    )


def test_a_key_may_go_to_another_action_if_its_own_has_another() -> None:
    assert read_keys({"new_task": "c", "cancel_task": "n"})
    with pytest.raises(ValueError, match="both new_task and cancel_task"):
        read_keys({"new_task": "c"})


async def test_the_keys_of_the_settings_work_and_are_shown(fleet: FakeOperator) -> None:
    keys = key_map(read_keys({"new_task": "c", "cancel_task": ["Z", "f8"], "help": "f1"}))
    preferences = Preferences(keys=keys, theme=ThemeName.LIGHT)
    app = DashboardApp(fleet.open, now=fleet.now, preferences=preferences)
    async with app.run_test(size=(120, 50), notifications=True) as pilot:
        await settle(pilot)
        assert not app.current_theme.dark
        footer = shown(pilot).splitlines()[-1]
        assert " c New " in footer
        assert " Z Cancel " in footer
        await press(pilot, "n")
        assert not isinstance(app.screen, NewTaskScreen)
        await press(pilot, "f1")
        assert "Z f8      Cancel the selected or marked tasks" in shown(pilot)
        await press(pilot, "escape", "colon", *"kill")
        await settle(pilot, 8)
        assert "Cancel  (Z f8)" in shown(pilot)
        await press(pilot, "escape", "3", "c")
        assert isinstance(app.screen, NewTaskScreen)


async def test_every_theme_is_shown_in_turn(fleet: FakeOperator) -> None:
    app = DashboardApp(fleet.open, now=fleet.now)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        seen = []
        for _ in ThemeName:
            seen.append(app.theme)
            await press(pilot, "t")
        assert seen == [theme.name for theme in THEMES.values()]
        assert app.theme == seen[0]


@pytest.mark.parametrize("name", ThemeName)
async def test_the_theme_of_the_settings_is_there_from_the_start(
    fleet: FakeOperator, name: ThemeName
) -> None:
    """As if it were chosen after the start."""

    def looks(app: DashboardApp) -> object:
        filters = [(type(one), getattr(one, "enabled", None)) for one in app._filters]
        drawn = app.screen._compositor.render_strips()
        return app.theme, app.classes, app.native_ansi_color, app.theme_variables, filters, drawn

    first = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(theme=name))
    later = DashboardApp(fleet.open, now=fleet.now)
    seen = []
    for app in (first, later):
        assert app is later or app.theme == THEMES[name].name
        async with app.run_test(size=(80, 24)) as pilot:
            app.theme = THEMES[name].name
            await settle(pilot)
            seen.append(looks(app))
    assert seen[0] == seen[1]


KEYS = key_map(
    read_keys(
        {
            "pause_task": "f9", "cancel_task": "Z", "start_task": "f2", "new_task": "f3",
            "approve": "A", "reject": "K", "join_token": "f4", "back": "f10", "filter": "f7",
            "faults_only": "f8", "add_schedule": "f5", "pause_schedule": "f12", "next_pane": "f6",
            "show_tasks": "f11",
        }
    )
)  # fmt: skip


async def test_hints_name_the_keys_of_the_settings(fleet: FakeOperator) -> None:
    task = replace(fleet.tasks[5].row, paused=True)
    assert waits_text(task, 40, KEYS) == "paused: f9 goes on, Z cancels"
    (line,) = waiting_lines(task, START, None, None, KEYS)
    assert plain(line).endswith("f9 goes on, Z cancels")
    assert plain(not_started(KEYS)[-1]).startswith("f2 starts")
    assert plain(no_tasks(KEYS)[-1]).startswith("f3 starts")
    assert plain(no_schedules(KEYS)[-1]) == "f5 adds one."
    lines = no_match_lines("hosts", 7, Window(text="x", faults_only=True), KEYS)
    assert [plain(line) for line in lines[1:]] == [
        "f8 shows the others too.", "f7 changes the filter, f10 clears it.",
    ]  # fmt: skip
    host = replace(fleet.hosts["db1"], admission=Admission.PENDING, fingerprint="a-b", note="")
    assert plain(host_cell(host, "rest", 60, START, keys=KEYS)) == (
        "pending: a-b  A approves, K rejects"
    )


async def test_screens_name_the_keys_of_the_settings(fleet: FakeOperator) -> None:
    app = DashboardApp(fleet.open, now=fleet.now, preferences=Preferences(keys=KEYS))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        assert "[Output]   f6 " in shown(pilot)
        await press(pilot, "f11", "f7")
        assert "enter keeps the filter, f10 clears it" in shown(pilot)
        await press(pilot, *"zz", "enter")
        assert "f7 changes the filter, f10 clears it." in shown(pilot)
        await press(pilot, "5", "down", "down")
        assert "paused: nothing is due until f12 resumes it" in shown(pilot)

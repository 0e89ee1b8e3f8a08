"""No widget sends a character that is not visible to the terminal."""

import re

import pytest
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Button, Checkbox, Input, Label, OptionList, Select, TextArea

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.ui.forms.new_task.command_area import CommandArea
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.tasks.task_file_area import TaskFileArea
from tui_manager.ui.forms.tasks.task_form import TaskForm
from tui_manager.ui.terminal.clean_exit_app import CleanExitApp

HOSTILE = "mark\x1b]0;title\x07\x9b31m\u202ebidi\u200b\ufeff\x00\x7f\x85end"
UNSAFE = ("\x1b]0", "\x07", "\x9b", "\u202e", "\u200b", "\ufeff", "\x00", "\x7f", "\x85")


def written(pilot: "Pilot[None]") -> str:
    """What a driver would write to draw the whole screen."""
    update = pilot.app.screen._compositor.render_full_update()
    return update.render_segments(pilot.app.console)


class Widgets(CleanExitApp):
    """One of each kind of widget that shows a text of others."""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.styles.border = ("solid", "red")
            box.border_title = HOSTILE
            yield Label(HOSTILE, markup=False)
            yield Button(HOSTILE, compact=True)
            yield Checkbox(HOSTILE, compact=True)
            yield Select([(HOSTILE, 1)], value=1, compact=True)
            yield Input(HOSTILE, compact=True)
            yield Input(placeholder=HOSTILE, compact=True)
            for area in (CommandArea(HOSTILE), TaskFileArea(HOSTILE), TextArea(HOSTILE)):
                area.styles.height = 3
                yield area
            yield OptionList(HOSTILE)


async def test_no_widget_writes_what_is_not_visible() -> None:
    async with Widgets().run_test(size=(100, 60), notifications=True) as pilot:
        pilot.app.notify(HOSTILE, markup=False)
        await settle(pilot)
        text = written(pilot)
        assert [char for char in UNSAFE if char in text] == []
        assert text.count("mark") == 12, "each widget is drawn"
        width = pilot.app.size.width
        strips = pilot.app.screen._compositor.render_strips()
        assert {sum(part.cell_length for part in strip) for strip in strips} == {width}


async def test_characters_of_a_width_keep_it() -> None:
    async with Widgets().run_test(size=(40, 60)) as pilot:
        pilot.app.query_one(Label).update("a\u3164b\u00adc")
        await settle(pilot)
        line = next(line for line in shown(pilot).split("\n") if "\ufffd" in line)
        assert "\u3164" not in line
        assert len(line.rstrip()) <= 40


async def test_a_notice_and_a_hint_show_what_was_not_visible(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        await press(pilot, "n")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert isinstance(form, TaskForm)
        form.hint("target", "bad \u202e target")
        form.notify("a notice \u202e of it", markup=False)
        await settle(pilot)
        text = shown(pilot)
        assert "bad <U+202E> target" in text
        assert "a notice <U+202E> of it" in text


async def test_no_colour_is_sent_with_no_color(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(fleet) as pilot:
        for keys in ((), ("down", "c"), ("escape", "n"), ("escape", "question_mark"), ("q", "5")):
            await press(pilot, *keys)
            styles = re.findall(r"\x1b\[([0-9;]*)m", written(pilot))
            assert styles
            codes = {code for style in styles for code in style.split(";")}
            assert codes <= {"0", "1", "2", "4", "7"}  # bold, dim, underlined, reverse
        await press(pilot, "t")
        assert "NO_COLOR is set" in shown(pilot)

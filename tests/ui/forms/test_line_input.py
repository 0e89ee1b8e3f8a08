"""Fields and labels of forms that change without a layout of the whole screen."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle
from tui_manager.ui.forms.line_input import LineInput, show_text
from tui_manager.ui.terminal.textual_internals import forget_sizes


@pytest.fixture
def layouts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each layout of a screen."""
    made: list[str] = []
    lay_out = Screen._refresh_layout

    def count(screen: Screen[object], *arguments: object, **keywords: object) -> None:
        made.append("layout")
        lay_out(screen, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(Screen, "_refresh_layout", count)
    return made


def marked_term(pilot: Pilot[None]) -> str:
    """The term that is offered for a target and marked."""
    label = pilot.app.screen.query_one("#target-terms", Label)
    strips = label.render_lines(label.region.reset_offset)
    return "".join(
        part.text for line in strips for part in line if part.style and part.style.reverse
    )


async def test_a_text_of_another_style_is_another_text(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (100, 30)) as pilot:
        await press(pilot, "n", *"web")
        await settle(pilot)
        seen = []
        for key in ("down", "down", "up"):
            await press(pilot, key)
            await settle(pilot)
            seen.append(marked_term(pilot).strip())
    assert seen == ["web01", "web02", "web01"]


async def test_a_key_in_a_form_leads_to_no_layout(
    fleet: FakeOperator, running: Running, layouts: list[str]
) -> None:
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "n", *"db1", "tab", *"uptime")
        layouts.clear()
        await press(pilot, *" -x", "tab", *"a name", "backspace")
        assert pilot.app.screen.query_one("#name", Input).value == "a nam"
        assert layouts == []
        await press(pilot, "tab", *"1y")
        assert layouts, "a hint below the field has come"


class Labels(App[None]):
    """Two labels, of which one has the width of its text, and a line below each."""

    CSS = """
    Vertical { height: auto; width: 20; }
    Horizontal { height: auto; }
    #fixed { width: 1fr; height: auto; max-height: 3; }
    #own { width: auto; }
    #field { width: 12; height: 1; border: none; padding: 0; }
    """

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Horizontal(Label("", id="fixed", markup=False), Label("m", id="mate"))
            yield Label("below", id="below")
            yield Horizontal(Label("", id="own", markup=False), Label("beside", id="beside"))
            yield LineInput("", id="field")

    def regions(self) -> list[object]:
        return [widget.region for widget in self.screen.walk_children(Widget)]


TEXTS = ("", "one", "another", "a text of two lines, or more", "three", "x" * 90, "y" * 50, "end")


@pytest.fixture
def drawn_at_rest() -> None:
    """Each change is drawn."""


async def rest(pilot: "Pilot[None]") -> None:
    await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("label", ["fixed", "own"])
async def test_a_label_has_the_size_that_a_layout_gives_it(label: str) -> None:
    app = Labels()
    async with app.run_test(size=(60, 20)) as pilot:
        shown = app.query_one(f"#{label}", Label)
        for before, after in pairwise((*TEXTS, *reversed(TEXTS))):
            for width in (20, 30, 20):  # sizes that were found with the text before are found anew
                app.query_one("#box").styles.width = width
                await rest(pilot)
                show_text(shown, after if width == 30 else before)
                await rest(pilot)
                regions = app.regions()
                shown.refresh(layout=True)
                forget_sizes(shown)
                await rest(pilot)
                assert regions == app.regions(), (before, after, width)


async def test_only_another_height_leads_to_a_layout(layouts: list[str]) -> None:
    app = Labels()
    async with app.run_test(size=(60, 20)) as pilot:
        shown = app.query_one("#fixed", Label)
        show_text(shown, "one")
        await rest(pilot)
        layouts.clear()
        show_text(shown, "two")
        await rest(pilot)
        assert (layouts, str(shown.render())) == ([], "two")
        show_text(shown, "two\nthree")
        await rest(pilot)
        assert layouts
        assert shown.size.height == 2


async def test_a_size_that_was_found_between_two_changes_does_not_stay() -> None:
    """Textual's own `update` leaves the label too high: see `forget_sizes`."""

    async def height_after(update: Callable[[Label, str], None]) -> int:
        app = Labels()
        async with app.run_test(size=(60, 20)) as pilot:
            shown = app.query_one("#fixed", Label)
            update(shown, "one\ntwo")
            forget_sizes(app.query_one("#mate"))
            app.screen._refresh_layout()  # for the mate, before the label is idle
            update(shown, "one")
            await rest(pilot)
            return shown.size.height

    def plain(label: Label, text: str) -> None:
        label.update(text)

    assert await height_after(show_text) == 1
    assert await height_after(plain) == 2, "Textual finds the size anew: remove forget_sizes"


async def test_a_line_that_gets_shorter_shows_its_end() -> None:
    ends = []
    for kind in (LineInput, Input):

        class Field(Labels):
            def compose(self) -> ComposeResult:
                yield kind("0123456789" * 3, id="field")  # noqa: B023 (used at once)

        app = Field()
        async with app.run_test(size=(60, 20)) as pilot:
            field = app.query_one("#field", Input)
            field.focus()
            await press(pilot, "end")
            for _ in range(4):
                await press(pilot, *["backspace"] * 5)
                await settle(pilot)
                ends.append((kind, field.value, field.scroll_x, field.cursor_screen_offset))
    shown = [end[1:] for end in ends]
    assert shown[:4] == shown[4:]
    assert shown[0][1] > 0
    assert shown[3][1] == 0

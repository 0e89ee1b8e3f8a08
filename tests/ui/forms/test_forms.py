"""Leaving a form: what was typed is not lost without a question."""

import asyncio
import threading
from pathlib import Path
from typing import IO, Any

import pytest
from rich.color_triplet import ColorTriplet
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Button, Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown, threads_done
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.theme import DARK, LIGHT
from tui_manager.ui.forms.confirm import ConfirmScreen, Question
from tui_manager.ui.forms.form import Form, WrappedArea
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.output.actions.save_output import SaveOutputScreen

OPEN = {
    "new task": (("n",), "web01"),
    "join token": (("J",), "5m"),
    "save output": (("home", "down", "ctrl+s"), ".txt"),
}


async def test_what_was_typed_is_asked_about(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        for form, (keys, text) in OPEN.items():
            await press(pilot, *keys, "tab", "escape")
            assert isinstance(pilot.app.screen, DashboardScreen), f"{form} is untouched"
            await press(pilot, *keys, *text)
            screen = pilot.app.screen
            assert isinstance(screen, Form), form
            field = screen.focused
            assert isinstance(field, Input), form
            typed = field.value
            assert typed.endswith(text), form
            for answer in ("n", "escape", "enter"):
                await press(pilot, "escape")
                assert "What is typed in it is lost." in shown(pilot), form
                await press(pilot, answer)
                assert pilot.app.screen is screen, form
                assert field.value == typed, form
            await press(pilot, "escape", "y")
            assert isinstance(pilot.app.screen, DashboardScreen), form
        await press(pilot, "J", "tab", "tab", "tab", "space", "escape")
        assert isinstance(pilot.app.screen, ConfirmScreen), "a box is ticked"


async def test_esc_while_a_task_is_being_made_loses_nothing(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, create_task = asyncio.Event(), fleet.create_task

    async def slow(spec: TaskSpec, *arguments: object) -> int:
        await answered.wait()
        return await create_task(spec)

    monkeypatch.setattr(fleet, "create_task", slow)
    async with running(fleet) as pilot:
        await press(pilot, "n", *"db1", "tab", *"true", "f5", "escape")
        assert isinstance(pilot.app.screen, NewTaskScreen)
        answered.set()
        await settle(pilot)
        assert isinstance(pilot.app.screen, DashboardScreen)
    assert len(fleet.tasks) == 7


def looks(pilot: "Pilot[None]", name: str) -> tuple[ColorTriplet | None, bool]:
    """The background of a button, and whether it is underlined or reversed, as it is drawn."""
    button = pilot.app.screen.query_one(name, Button)
    style = next(part.style for part in button.render_line(0) if part.text.strip())
    assert style is not None
    return style.bgcolor and style.bgcolor.triplet, bool(style.underline or style.reverse)


async def test_the_focused_button_looks_focused(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        for theme in (DARK.name, LIGHT.name):
            pilot.app.theme = theme
            await press(pilot, "home", "down", "c")
            no, yes = looks(pilot, "#no"), looks(pilot, "#yes")
            assert (no[1], yes[1]) == (True, False), theme
            assert no[0] != yes[0], theme
            await press(pilot, "right")
            assert looks(pilot, "#no")[0] == yes[0], theme  # what has not the focus looks alike
            assert looks(pilot, "#yes")[1], theme
            assert looks(pilot, "#yes")[0] != yes[0], theme
            await press(pilot, "escape")


async def test_it_does_so_without_colours(
    fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = DashboardApp(fleet.open, now=fleet.now)
    async with app.run_test() as pilot:
        await settle(pilot)
        await press(pilot, "down", "c")
        assert (looks(pilot, "#no")[1], looks(pilot, "#yes")[1]) == (True, False)


async def test_a_targets_error_goes_with_its_cause(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        fleet.failure = StorageError("The database is locked.")
        await press(pilot, "n", *"db1", "tab", *"true")
        hint = pilot.app.screen.query_one("#target-hint", Label)
        assert (str(hint.content), hint.has_class("problem")) == ("The database is locked.", True)
        fleet.failure = None
        fleet.publish(Changes(manager=True))
        await settle(pilot)
        assert str(hint.content).startswith("1 host")
        assert not hint.has_class("problem")
        assert "Start on 1 host" in shown(pilot)


async def test_a_host_that_joins_takes_its_error_away(running: Running) -> None:
    fleet = FakeOperator()
    async with running(fleet) as pilot:
        await press(pilot, "n", *"web01")
        hint = pilot.app.screen.query_one("#target-hint", Label)
        assert "web01" in str(hint.content)
        assert hint.has_class("problem")
        fleet.add_host("web01")
        await settle(pilot)
        assert not hint.has_class("problem")


async def test_another_file_name_takes_the_error_away(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(fleet) as pilot:
        await press(pilot, "down", "ctrl+s")
        screen = pilot.app.screen
        (tmp_path / screen.query_one(Input).value).touch()
        await press(pilot, "enter")
        problem = screen.query_one("#problem", Label)

        async def said() -> str:  # a thread looks at the file
            return str(problem.content)

        await wait_until(said, lambda text: "exists already" in text)
        await press(pilot, "2")
        assert str(problem.content) == ""


async def test_an_error_of_a_join_token_goes_with_the_next_change(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "J")
        fleet.failure = StorageError("The database is locked.")
        await press(pilot, "f5")
        await settle(pilot)
        problem = pilot.app.screen.query_one("#problem", Label)
        assert "The database is locked." in str(problem.content)
        await press(pilot, "tab", "tab", "tab", "space")
        assert str(problem.content) == ""  # a notice of another read may still say it


async def test_a_title_shows_a_name_as_it_is(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        for name in (r"a\[bold]", "a[bold]b[/]", r"a\b", "[$x]"):
            question = Question(f"Delete {name}?", ("Text.",), "Delete")
            await pilot.app.push_screen(ConfirmScreen(question))
            await settle(pilot)
            assert f"Delete {name}?" in shown(pilot), name
            await press(pilot, "escape")


async def test_the_button_that_starts_is_in_sight_on_a_narrow_terminal(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(12):
        fleet.add_host(f"h{number}")
    async with running(fleet, (60, 24)) as pilot:
        form = NewTaskScreen(pilot.app.link, "@all")  # type: ignore[attr-defined]
        await pilot.app.push_screen(form)
        await settle(pilot)
        assert "Start  f5" in shown(pilot)
        start = form.query_one("#start", Button)
        assert form.query_one("#form").content_region.contains_region(start.region)


async def test_f5_saves_output_as_in_all_forms(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(fleet) as pilot:
        await press(pilot, "down", "ctrl+s")
        path = tmp_path / pilot.app.screen.query_one(Input).value
        await press(pilot, "f5")

        async def exists() -> bool:  # a thread writes the file
            return path.exists()

        await wait_until(exists, lambda found: found)


@pytest.mark.parametrize("keys", [["escape"], []], ids=["the form", "the app"])
async def test_a_file_that_is_opened_is_closed_if_meanwhile_the_end_comes_of(
    fleet: FakeOperator,
    running: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[str],
) -> None:
    asked, go = threading.Event(), threading.Event()
    files: list[IO[Any]] = []
    real_open = Path.open

    def slow_open(path: Path, mode: str = "r") -> IO[Any]:
        asked.set()
        go.wait()
        files.append(real_open(path, mode))
        return files[0]

    monkeypatch.chdir(tmp_path)
    async with running(fleet) as pilot:
        await press(pilot, "down", "ctrl+s")
        monkeypatch.setattr(Path, "open", slow_open)
        await pilot.press("f5")
        await asyncio.to_thread(asked.wait)
        await press(pilot, *keys)
    go.set()

    async def closed() -> bool:
        return bool(files) and files[0].closed

    await wait_until(closed, lambda found: found)


async def test_a_disk_that_is_full_when_a_file_is_closed_is_said(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is in a buffer until then."""
    monkeypatch.chdir(tmp_path)
    real_open = Path.open

    def full_disk(_path: Path, _mode: str) -> IO[Any]:
        return real_open(Path("/dev/full"), "ab")

    async with running(fleet) as pilot:
        await press(pilot, "down", "ctrl+s")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", full_disk)
            await press(pilot, "f5")
            await threads_done(pilot, "save")
        assert isinstance(pilot.app.screen, SaveOutputScreen)
        problem = str(pilot.app.screen.query_one("#problem", Label).content)
        assert problem.endswith(".log: No space left on device.")


class OneArea(App[None]):
    """A text that takes two lines at 20 cells and at 26."""

    def compose(self) -> ComposeResult:
        yield WrappedArea("some words of a line in two")


async def test_a_text_is_wrapped_at_its_new_width_if_that_takes_as_many_lines() -> None:
    async with OneArea().run_test(size=(26, 8)) as pilot:
        await settle(pilot)
        assert "some words of a" in shown(pilot).splitlines()[1]
        await pilot.resize_terminal(20, 8)
        await settle(pilot)
        lines = [line.strip("│▊▎ ") for line in shown(pilot).splitlines()[1:3]]
        assert lines == ["some words of", "a line in two"]

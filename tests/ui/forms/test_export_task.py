"""The form that exports a task."""

import asyncio
import json
from pathlib import Path

import pytest
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown, threads_done
from tui_manager.domain.errors import StorageError
from tui_manager.export import write_atomically
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.files.export_task import ExportScreen


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names without a folder are of this one."""
    monkeypatch.chdir(tmp_path)


async def test_the_ending_chooses_the_format(
    fleet: FakeOperator, running: Running, tmp_path: Path
) -> None:
    async with running(fleet) as pilot:
        for name, begin in (("", b"<!doctype html>"), ("a.JSON", b"{"), ("b.xml", b"<?xml")):
            await press(pilot, "down", "X")
            screen = pilot.app.screen
            assert isinstance(screen, ExportScreen)
            if name:
                screen.query_one(Input).value = name
            path = tmp_path / screen.query_one(Input).value
            await press(pilot, "f5")
            await threads_done(pilot, "export")
            assert isinstance(pilot.app.screen, DashboardScreen)
            assert path.read_bytes().startswith(begin)
    assert json.loads((tmp_path / "a.JSON").read_bytes())["hosts"]


async def test_the_form_names_the_folder_of_a_name_without_one(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a[b]\x1b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    async with running(fleet) as pilot:
        await press(pilot, "down", "X")
        (line,) = [line for line in shown(pilot).splitlines() if "or give a path" in line]
        assert "a[b]␛, or give a path." in line
        await press(pilot, "escape")
        folder.rmdir()
        await press(pilot, "X")
        assert "The folder here was removed: give a path." in shown(pilot)


async def test_what_cannot_be_written_is_said(
    fleet: FakeOperator, running: Running, tmp_path: Path
) -> None:
    (tmp_path / "old.csv").write_text("before", encoding="utf-8")
    async with running(fleet) as pilot:
        await press(pilot, "down", "X")
        for name, problem in (
            (" ", "Give a name."),
            ("a.pdf", "The name must end in .json, .csv, .html, .xml."),
            ("old.csv", "exists already"),
            ("no/a.csv", "There is no folder"),
        ):
            pilot.app.screen.query_one(Input).value = name
            await press(pilot, "f5")
            await threads_done(pilot, "export")
            assert problem in str(pilot.app.screen.query_one("#problem", Label).content)
            seen = shown(pilot)  # its lines break by the length of the path
            assert all(word in seen for word in problem.split())
        fleet.failure = StorageError("The database cannot be read.")
        pilot.app.screen.query_one(Input).value = "new.csv"
        await press(pilot, "f5")
        await threads_done(pilot, "export")
        assert "The database cannot be read." in shown(pilot)
        fleet.failure = None
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text(encoding="utf-8") == "before"


async def test_a_form_that_is_left_leaves_no_file(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(*arguments: object, **keywords: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with running(fleet) as pilot:
        await press(pilot, "down", "X")
        await settle(pilot)
        with monkeypatch.context() as patched:
            patched.setattr(fleet, "get_task", never)
            patched.setattr(write_atomically, "_open_nameless", lambda folder: None)
            await pilot.press("f5")
            await asked.wait()
            assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
            await press(pilot, "escape")
            await threads_done(pilot, "export")
    assert [*tmp_path.iterdir()] == []

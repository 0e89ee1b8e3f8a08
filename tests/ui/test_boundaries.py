"""A manager that goes away, and hosts that mean no good."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import SOON, Running, press, settle, shown
from tui_manager.domain.errors import StorageError
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui import manager_link
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.output.output_pane import OutputPane

HOSTILE = b"\x1b]0;owned\x07\x1b[2J[bold]not bold[/bold] \x1b[8mhidden\x1b[0m\xe2\x80\xae[red]\n"


async def test_the_screen_says_that_the_manager_is_gone_and_comes_back(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_link, "RETRY", 2 * SOON)
    async with running(fleet) as pilot:
        fleet.end()
        await settle(pilot)
        assert ": The manager has ended. Trying again…" in shown(pilot)
        fleet.revive()

        async def look() -> str:
            return shown(pilot)

        await wait_until(look, lambda screen: "16/17 hosts" in screen)


async def test_quit_works_without_a_manager(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        fleet.end()
        await settle(pilot)
        await press(pilot, "q")
        assert pilot.app._exit


async def test_an_error_is_said_once(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        fleet.failure = StorageError("The database is [locked].")
        for _ in range(3):
            fleet.change_host("web01", online=False)
            await settle(pilot)
        assert [note.message for note in pilot.app._notifications] == ["The database is [locked]."]
        assert "The database is [locked]." in shown(pilot)


async def test_an_operator_that_cannot_be_opened_ends_the_app_with_its_words() -> None:
    fleet = FakeOperator()

    class Failing:
        async def __aenter__(self) -> FakeOperator:
            raise StorageError("The database is from a newer version.")

        async def __aexit__(self, *_: object) -> None:
            return None

    app = DashboardApp(Failing, now=fleet.now)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app._exit
    assert app.return_code == 1


async def test_hostile_output_and_names_reach_the_screen_as_text(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "[red]x\x1b[2J\u202e"))
    await fleet.start_task(task)
    fleet.emit(fleet.execution(task, "web01"), HOSTILE)
    async with running(fleet) as pilot:
        text = shown(pilot)
        assert "[bold]not bold[/bold] hidden<U+202E>[red]" in text
        assert "#1 [red]x<U+202E>" in text
        assert "owned" not in text
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        await press(pilot, "enter", "c")
        assert "[red]x" in shown(pilot)


async def test_a_hundred_thousand_lines_and_characters_do_not_stall(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    fleet.emit(execution, b"x" * 100_000 + b"\n")
    fleet.emit(execution, b"".join(b"line %d\n" % number for number in range(100_000)))
    async with running(fleet, (80, 24)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert "line 99999" in shown(pilot)
        assert len(screen.output.lines) < 30_000
        await press(pilot, "w")
        assert "line 99999" in shown(pilot)


async def test_an_earlier_commands_output_is_found_behind_a_later_flood(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("a"), CommandSpec("b"))))
    await fleet.start_task(task)
    fleet.emit(fleet.execution(task, "web01"), b"from the first\n")
    fleet.finish(fleet.execution(task, "web01"), 1)
    for number in range(1000):
        fleet.emit(fleet.execution(task, "web01", 1), b"flood %d\n" % number)
    async with running(fleet) as pilot:
        await press(pilot, "enter")
        await settle(pilot)
        assert "from the first" in shown(pilot)
        assert not any(
            "flood" in line.text for line in pilot.app.screen.query_one(OutputPane).lines
        )


async def test_rows_that_move_do_not_move_the_selection(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down")
        newer = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "newer"))
        await fleet.start_task(newer)
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert (screen.now.list.key, screen.now.list.cursor) == ("5", 2)


async def test_output_is_saved_as_it_was_stored(
    fleet: FakeOperator, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "down", "enter", "ctrl+s")
        field = pilot.app.screen.query_one(Input)
        assert field.value == "task-5-web03.log"
        field.value = " "
        await press(pilot, "enter")
        assert "Give a name." in shown(pilot)
        monkeypatch.chdir(tmp_path)
        field.value = "out.log"
        await press(pilot, "enter")
        await pilot.app.workers.wait_for_complete()
        (note,) = pilot.app._notifications
        assert note.message.endswith(f" to {tmp_path}/out.log.")
    saved = (tmp_path / "out.log").read_bytes()
    assert saved.startswith(
        b"Reading package lists...\rReading package lists... Done\n\x1b[1;31mE:"
    )


async def test_a_long_name_yields_to_what_stands_behind_it(running: Running) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "name " * 40))
    await fleet.start_task(task)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "tab", "tab", "o")
        assert re.search("Output  #1 name .*… on web01  ▼ following ─", shown(pilot))
        await press(pilot, "enter")
        assert re.search("#1 name .*… +▶ running 0:00", shown(pilot))


@pytest.mark.parametrize("keys", [(), ("w",)])
async def test_output_that_was_cut_says_so_at_its_end(
    running: Running, keys: tuple[str, ...]
) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    execution = fleet.execution(task, "web01")
    fleet.emit(execution, b"line\n" * 100)
    row = fleet.tasks[task].rows[execution]
    fleet.tasks[task].rows[execution] = replace(row, truncated_bytes=14_700_000)
    fleet.finish(execution)
    async with running(fleet, (80, 24)) as pilot:
        await press(pilot, "enter", *keys)
        assert "✂ 15 MB past the output limit were not kept" in shown(pilot)
        await press(pilot, "o")
        assert "past the output limit" not in shown(pilot)


async def test_only_the_seen_rows_are_asked_for(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(3_000):
        fleet.add_host(f"n{number:04}")
    async with running(fleet) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, DashboardScreen)
        assert len(screen.hosts.list.rows) < 200
        await press(pilot, "tab", "end")
        await settle(pilot)
        assert "n2999" in shown(pilot)
        assert screen.hosts.selected is not None
        assert screen.hosts.selected.name == "n2999"
        assert len(screen.hosts.list.rows) < 200


async def test_a_manager_that_cannot_store_results_is_marked_in_the_header(
    fleet: FakeOperator, running: Running
) -> None:
    fleet.health = replace(fleet.health, storage_error="disk full")
    status: ManagerStatus = await fleet.manager_status()
    assert status.health.storage_error
    async with running(fleet, (160, 48)) as pilot:
        assert "✘ results cannot be stored" in shown(pilot)
        await press(pilot, "4")
        assert "✘ disk full" in shown(pilot)

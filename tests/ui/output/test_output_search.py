"""Searching in output: all that is stored, and not only what is held. And zoom."""

import pytest
from textual.widgets import Input

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, shown
from tests.ui.output.test_shown_output import line_numbers, long_output, pane_of
from tui_manager.domain.output.output_search import OutputMatch
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.output.actions import first_error
from tui_manager.ui.output.actions.find_matches import count_matches, find_next
from tui_manager.ui.output.actions.first_error import find_first_error
from tui_manager.ui.output.output_reader import Source


async def test_a_search_goes_through_all_that_is_stored(running: Running) -> None:
    fleet, _ = await long_output()
    async with running(fleet) as pilot:
        await press(pilot, "enter", "tab", "slash", *"/7777$/", "enter")
        assert line_numbers(shown(pilot))[0] < "7777"
        assert "“/7777$/” 40 lines" in shown(pilot)
        assert "gone on from the beginning" in shown(pilot)
        await press(pilot, "n", "n")
        assert "27777" in line_numbers(shown(pilot))
        await press(pilot, "N", "N", "N")
        assert "397777" in line_numbers(shown(pilot))
        row = next(y for y in range(40) if "397777" in pane_of(pilot).render_line(y).text)
        found = [
            part.text
            for part in pane_of(pilot).render_line(row)
            if part.style and part.style.reverse
        ]
        assert found == ["7777"]
        await press(pilot, "escape")
        assert "40 lines" not in shown(pilot)
        await press(pilot, "n")
        assert isinstance(pilot.app.screen, NewTaskScreen)


async def test_what_is_not_there_and_what_cannot_be_searched_is_said(running: Running) -> None:
    fleet, _ = await long_output(2)
    async with running(fleet) as pilot:
        await press(pilot, "enter", "tab", "slash", *"nowhere", "enter")
        assert "“nowhere” no match" in shown(pilot)
        await press(pilot, "slash")
        pilot.app.screen.query_one("SearchBar Input", Input).value = "/(/"
        await press(pilot, "enter")
        assert "is not a regular expression" in shown(pilot)
        await press(pilot, "escape", "tab", "n")
        assert isinstance(pilot.app.screen, NewTaskScreen)


async def _two_hosts() -> FakeOperator:
    fleet = FakeOperator()
    for name in ("web01", "web02"):
        fleet.add_host(name)
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    return fleet


async def _places(fleet: FakeOperator, text: str, *, backwards: bool = False) -> list[int]:
    """The positions that one search after the other finds, until it begins anew."""
    places, here = list[int](), None
    while found := await find_next(
        fleet, Source(1), text, here, lambda _: None, backwards=backwards
    ):
        if found.wrapped and here is not None:
            break
        here = found.match
        places.append(here.offset)
    return places


async def test_matches_come_one_after_the_other_in_both_directions() -> None:
    fleet = await _two_hosts()
    fleet.emit("1/0/web01", b"one er")
    fleet.emit("1/0/web01", b"ror\nerror, error\nx\n")
    fleet.emit("1/0/web02", b"no\nerror")
    assert await _places(fleet, "error") == [4, 10, 3]
    assert await _places(fleet, "error", backwards=True) == [3, 10, 4]
    assert await count_matches(fleet, Source(1), "error", lambda _: None) == 3
    assert await find_next(fleet, Source(1), "nowhere", None, lambda _: None) is None


async def _first_error(fleet: FakeOperator) -> tuple[str, Stream, int] | None:
    found: OutputMatch | None = await find_first_error(fleet, Source(1), lambda _: None)
    return (found.host, found.stream, found.offset) if found else None


async def test_the_first_error_is_that_of_a_failed_host() -> None:
    fleet = await _two_hosts()
    fleet.emit("1/0/web01", b"0 errors\n")
    assert await _first_error(fleet) is None
    fleet.emit("1/0/web01", b"a failed attempt\n")
    assert await _first_error(fleet) == ("web01", Stream.STDOUT, 11)
    fleet.emit("1/0/web01", b"careful\n", Stream.STDERR)
    fleet.emit("1/0/web02", b"begin\nfatal: no\n")
    fleet.finish("1/0/web02", 3)
    assert await _first_error(fleet) == ("web02", Stream.STDOUT, 6)
    fleet.emit("1/0/web02", b"why\n", Stream.STDERR)
    assert await _first_error(fleet) == ("web02", Stream.STDERR, 0)


async def test_the_first_error_of_a_host_is_found_behind_the_first_page_of_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(first_error, "LIMIT_MAX", 1)
    fleet = await _two_hosts()
    for name in ("web01", "web02"):
        fleet.emit(f"1/0/{name}", b"error in a test that is skipped\n")
        fleet.emit(f"1/0/{name}", b"why\n", Stream.STDERR)
        fleet.finish(f"1/0/{name}", 3)
    host_id = fleet.hosts["web02"].host_id
    found = await find_first_error(fleet, Source(1, host_id), lambda _: None)
    assert found is not None
    assert (found.host, found.stream) == ("web02", Stream.STDERR)


async def test_the_key_goes_to_the_first_error(running: Running) -> None:
    fleet, execution = await long_output(20)
    fleet.emit(execution, b"why\n", Stream.STDERR)
    fleet.emit(execution, b"more\n" * 5000)
    fleet.finish(execution, 1)
    async with running(fleet) as pilot:
        await press(pilot, "enter", "tab", "home", "E")
        assert "┃ why" in shown(pilot)


async def test_a_pane_takes_the_screen_and_gives_it_back(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        before = shown(pilot)
        pane = pane_of(pilot)
        pilot.app.screen.set_focus(pane)
        await press(pilot, "z")
        assert pane.outer_size == (120, 35)
        assert pilot.app.focused is pane
        await press(pilot, "tab")  # the next pane takes it instead
        assert pilot.app.focused is not None
        assert pilot.app.focused is not pane
        assert pilot.app.focused.outer_size == (120, 35)
        await press(pilot, "escape")
        assert shown(pilot).count("╭") == before.count("╭")


async def test_a_pane_of_a_task_takes_the_screen(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "home", "down", "enter", "tab", "z")
        assert pilot.app.focused is pane_of(pilot)
        assert pane_of(pilot).outer_size == (120, 35)
        await press(pilot, "equals_sign")
        assert pilot.app.focused is not None
        assert pilot.app.focused.outer_size == (120, 35)

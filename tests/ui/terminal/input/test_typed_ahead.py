"""Keys that come faster than the screen follows: each acts where the one before it has led."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.command import CommandList
from textual.events import AppBlur, Key, MouseDown, MouseEvent, MouseScrollDown, MouseUp, Paste
from textual.geometry import Offset, Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Label
from textual.widgets.option_list import Option

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.ui.drawing.spans import plain
from tui_manager.ui.forms.hosts.join_token import JoinTokenScreen
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.key_footer import KeyFooter, footer_line
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.frame.palette import ManagerPalette
from tui_manager.ui.hosts.all_hosts_table import HostTable
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.listing.filter_bar import FilterBar
from tui_manager.ui.listing.row_list import HEADER
from tui_manager.ui.output.actions.save_output import SaveOutputScreen
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen
from tui_manager.ui.terminal.input import typed_ahead


async def type_ahead(pilot: "Pilot[None]", *keys: str) -> None:
    """Presses keys as a terminal gives them to an app that was busy: all at once."""
    for key in keys:
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))
    await settle(pilot, 8)


def _cursor(pilot: "Pilot[None]") -> int:
    screen = pilot.app.screen
    assert isinstance(screen, MainScreen)
    assert screen.table is not None
    return screen.table.list.cursor


def _filter(pilot: "Pilot[None]") -> str:
    """Of the table whose filter is typed."""
    screen = pilot.app.screen
    assert isinstance(screen, MainScreen)
    table = screen.query_one(FilterBar).table or screen.table
    assert table is not None
    return table.window.text


def _field(pilot: "Pilot[None]") -> str:
    focused = pilot.app.focused
    assert isinstance(focused, Input)
    return focused.value


async def test_the_cursor_moves_on_the_screen_that_a_key_has_opened(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        before = _cursor(pilot)
        for key in ("2", "3", "4"):
            await type_ahead(pilot, key, "down", "down")
            assert _cursor(pilot) == 2, key
            await press(pilot, "1")
            assert _cursor(pilot) == before, key


async def test_it_moves_as_well_where_the_screen_was_seen_before(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, "2", "down", "1", "2", "down")
        assert isinstance(pilot.app.screen, HostsScreen)
        assert _cursor(pilot) == 2


async def test_a_filter_gets_its_letters_and_no_action_does(
    fleet: FakeOperator, running: Running
) -> None:
    pending = next(t for t in fleet.tasks.values() if t.row.status is TaskStatus.PENDING)
    async with running(fleet) as pilot:
        await type_ahead(pilot, "slash", *"scrq", "enter")
        assert _filter(pilot) == "scrq"
        assert isinstance(pilot.app.screen, MainScreen)
    assert pending.row.status is TaskStatus.PENDING


async def test_a_form_gets_its_letters(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, "n", *"web", "tab", *"sq")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert (form.fields.target, form.fields.command) == ("web", "sq")


async def test_other_fields_get_theirs(fleet: FakeOperator, running: Running) -> None:
    opened: tuple[tuple[str, Callable[..., object]], ...] = (
        ("ctrl+p", ManagerPalette),
        ("ctrl+s", SaveOutputScreen),
    )
    async with running(fleet) as pilot:
        for key, kind in opened:
            await type_ahead(pilot, key, "end", *"sq")
            assert type(pilot.app.screen) is kind, key
            assert _field(pilot).endswith("sq"), key
            await press(pilot, "escape")


async def test_the_screen_of_a_task_takes_the_keys_behind_its_own(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "home", "down")
        await type_ahead(pilot, "enter", "down", "down")
        assert isinstance(pilot.app.screen, TaskScreen)
        assert _cursor(pilot) == 2


async def test_the_palette_runs_what_is_typed_and_nothing_else(
    fleet: FakeOperator, running: Running
) -> None:
    opened: tuple[tuple[str, type[Screen[Any]]], ...] = (
        ("help", HelpScreen),
        ("join", JoinTokenScreen),
        ("save", SaveOutputScreen),
        ("no such words", ManagerPalette),
    )
    async with running(fleet) as pilot:
        for words, kind in opened:
            await type_ahead(pilot, "ctrl+p", *words, "enter")
            assert isinstance(pilot.app.screen, kind), words
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, MainScreen), words


@pytest.mark.parametrize(("then", "leads_to"), [("escape", MainScreen), ("enter", HelpScreen)])
async def test_the_palette_chooses_once_it_has_looked_or_is_left(
    fleet: FakeOperator,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
    leads_to: type[Screen[object]],
) -> None:
    async with running(fleet) as pilot:
        looks, may_find = asyncio.Event(), asyncio.Event()

        async def list_tasks(_: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
            if wanted == ALL_TASKS:  # the dashboard reads others
                looks.set()
                await may_find.wait()
            return Page([], 0, 0)

        monkeypatch.setattr(fleet, "list_tasks", list_tasks)
        await type_ahead(pilot, "ctrl+p", *"help")
        await looks.wait()
        await type_ahead(pilot, "enter")
        assert isinstance(pilot.app.screen, ManagerPalette)
        await type_ahead(pilot, then)
        may_find.set()

        async def screen() -> Screen[object]:
            return pilot.app.screen

        # Textual's palette gathers what is found for a moment.
        await wait_until(screen, lambda seen: isinstance(seen, leads_to))
        await settle(pilot)
        assert isinstance(pilot.app.screen, leads_to)


async def test_pasted_text_stays_between_its_keys(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        pilot.app.post_message(Key("n", "n"))
        pilot.app.post_message(Key("w", "w"))
        pilot.app.post_message(Paste("eb0"))
        await type_ahead(pilot, "1", "tab")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert form.fields.target == "web01"


async def test_keys_go_on_when_what_they_were_given_to_is_closed(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, *(("n", *"web", "escape", "y", "question_mark", "escape") * 3), "2")
        await settle(pilot, 24)
        assert isinstance(pilot.app.screen, HostsScreen)
        await type_ahead(pilot, "down", *("c", "ctrl+p", "escape") * 3, "down")
        assert isinstance(pilot.app.screen, HostsScreen)
        assert _cursor(pilot) == 2


async def test_a_filter_gives_the_keys_back_that_come_behind_its_end(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        for ends in ("escape", "enter"):
            await type_ahead(pilot, "slash", "w", ends, "n")
            assert isinstance(pilot.app.screen, NewTaskScreen), ends
            await press(pilot, "escape")
            assert _filter(pilot) == ("w" if ends == "enter" else "")


async def test_the_next_field_gets_the_letters_behind_enter(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, "n", *"web", "enter", *"sq")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert (form.fields.target, form.fields.command) == ("web", "sq")


def mouse(pilot: "Pilot[None]", at: Offset, *events: type[MouseEvent]) -> None:
    """Moves of the mouse, as a terminal tells them."""
    for event in events:
        pilot.app.post_message(event(None, *at, 0, 0, 1, False, False, False, *at))


def click(pilot: "Pilot[None]", where: str) -> None:
    """Clicks on a widget."""
    mouse(pilot, pilot.app.screen.query_one(where).region.offset + Offset(1, 0), MouseDown, MouseUp)


async def test_a_click_waits_for_what_was_typed_before_it(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, "n", *"web01", "tab")
        command = "rm -rf /tmp/x"
        for character in command:
            pilot.app.post_message(Key(character, character))
        click(pilot, "#start")
        await settle(pilot, 8)
    newest = fleet.tasks[max(fleet.tasks)]
    assert newest.row.name == command


async def test_a_click_selects_what_it_was_on_before_the_wheel_turned(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet, (80, 16)) as pilot:
        await press(pilot, "2")
        table = pilot.app.screen.query_one(HostTable)
        second = table.content_region.offset + Offset(0, HEADER + 1)
        pilot.app.post_message(Key("down", None))
        mouse(pilot, second, MouseDown, MouseUp, MouseScrollDown, MouseScrollDown)
        await settle(pilot, 8)
        assert table.list.cursor == 1
        assert table.first > 0


async def test_letters_behind_a_key_of_the_footer_go_where_it_leads(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        before: tuple[str, ...]
        for before in ((), ("down",)):
            for key in before:
                pilot.app.post_message(Key(key, None))
            footer = pilot.app.screen.query_one(KeyFooter)
            column = plain(footer_line(footer.keys, footer.size.width)).index("n New")
            mouse(pilot, footer.region.offset + Offset(column, 0), MouseDown, MouseUp)
            await type_ahead(pilot, *"scq")
            form = pilot.app.screen
            assert isinstance(form, NewTaskScreen), before
            assert form.fields.target == "scq", before
            await press(pilot, "escape", "y")


async def test_letters_behind_a_click_go_where_it_leads(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await type_ahead(pilot, "n", "tab", "tab")
        for character in "web01":
            pilot.app.post_message(Key(character, character))
        click(pilot, "#timeout")
        await type_ahead(pilot, *"5m")
        form = pilot.app.screen
        assert isinstance(form, NewTaskScreen)
        assert (form.fields.name, form.fields.timeout) == ("web01", "5m")


async def test_a_terminal_that_comes_back_loses_no_letter(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        pilot.app.post_message(AppBlur())
        await settle(pilot)
        assert pilot.app.focused is None
        await type_ahead(pilot, "slash", *"scq")
        assert _filter(pilot) == "scq"


class Hanging(Widget, can_focus=True):
    """Takes no key to its end before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = asyncio.Event()
        self.may_end = asyncio.Event()

    async def on_key(self) -> None:
        """Hangs."""
        self.hangs.set()
        await self.may_end.wait()


async def test_a_widget_that_hangs_keeps_the_keys_of_others_for_a_moment_only(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cursor() -> int:
        return _cursor(pilot)

    async with running(fleet) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        assert screen.table is not None
        screen.table.go_to(0)
        hanging = Hanging()
        await screen.mount(hanging)
        screen.set_focus(hanging)
        pilot.app.post_message(Key("y", "y"))
        await hanging.hangs.wait()
        screen.set_focus(screen.table)
        with monkeypatch.context() as impatient:
            impatient.setattr(typed_ahead, "TICK", 0.001)
            pilot.app.post_message(Key("down", None))
            await wait_until(cursor, lambda number: number == 1)
        hanging.may_end.set()
        await type_ahead(pilot, "slash", *"sq")
        assert _filter(pilot) == "sq"


async def test_no_control_character_of_a_paste_is_written_to_the_terminal(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "slash")
        pilot.app.post_message(Paste("we\x9b31m\x1bb\x07"))
        await settle(pilot)
        assert not set(shown(pilot)) & set("\x9b\x1b\x07")
        assert "we31mb" in shown(pilot)


async def test_a_click_on_what_has_just_been_removed_does_nothing(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fleet) as pilot:
        gone, drawn = Label("gone"), pilot.app.screen._compositor
        with monkeypatch.context() as still_drawn:
            still_drawn.setattr(drawn, "get_widget_at", lambda x, y: (gone, Region(0, 0, 4, 1)))
            still_drawn.setattr(
                drawn, "get_widget_and_offset_at", lambda x, y: (gone, Offset(0, 0))
            )
            pilot.app.post_message(MouseDown(None, 1, 0, 0, 0, 1, False, False, False, 1, 0))
            await settle(pilot)
        await press(pilot, "2")
        assert isinstance(pilot.app.screen, HostsScreen)


async def test_a_page_key_before_the_palette_has_its_lines_does_nothing(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "colon")
        commands = await _not_laid_out(pilot)
        commands.clear_options().add_option(Option("Cancel"))
        commands.set_reactive(CommandList.highlighted, 0)
        await press(pilot, "pagedown")
        assert isinstance(pilot.app.screen, ManagerPalette)


async def test_other_keys_choose_before_the_palette_has_its_lines(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "colon", *"save")
        commands = await _not_laid_out(pilot)
        second = commands.get_option_at_index(1)
        await press(pilot, "down")
        assert commands.highlighted_option is second
        await press(pilot, "up", "enter")
        assert isinstance(pilot.app.screen, SaveOutputScreen)


async def _not_laid_out(pilot: "Pilot[None]") -> CommandList:
    commands = pilot.app.screen.query_one(CommandList)
    commands.display = False  # as it is until something is found
    await settle(pilot)
    return commands


async def test_a_burst_of_moves_is_done_in_few_steps(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = FakeOperator()
    for number in range(300):
        fleet.add_host(f"web{number:03}")
    steps: list[int] = []
    move = HostTable.action_move

    def counted(table: HostTable, step: int) -> None:
        steps.append(step)
        move(table, step)

    monkeypatch.setattr(HostTable, "action_move", counted)
    async with running(fleet) as pilot:
        await press(pilot, "2")
        await type_ahead(pilot, *["down"] * 100, *["k"] * 30, "space", *["down"] * 5)
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        assert [host.name for host in screen.hosts.marked] == ["web070"]
        assert _cursor(pilot) == 76
        assert len(steps) < 10
        assert sum(steps) == 76


async def test_a_burst_of_keys_that_scroll_is_done_in_few_steps(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = FakeOperator()
    fleet.add_host("web01")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("work"),)))
    await fleet.start_task(task)
    fleet.emit(fleet.execution(task, "web01"), b"".join(b"%d\n" % n for n in range(500)))
    steps: list[int] = []
    scroll_to = OutputPane.scroll_to

    def counted(pane: OutputPane, *arguments: Any, **options: Any) -> None:
        if not pane.placing:
            steps.append(1)
        scroll_to(pane, *arguments, **options)

    async with running(fleet) as pilot:
        await press(pilot, "enter", "tab")
        pane = pilot.app.focused
        assert isinstance(pane, OutputPane)
        end, height = pane.max_scroll_y, pane.size.height
        monkeypatch.setattr(OutputPane, "scroll_to", counted)
        await type_ahead(pilot, *["up"] * 100, *["j"] * 30, *["pageup"] * 5, *["ctrl+d"] * 2)
        assert pane.scroll_y == end - 70 - 5 * height + 2 * (height // 2)
        assert len(steps) < 8
        assert not pane.follow

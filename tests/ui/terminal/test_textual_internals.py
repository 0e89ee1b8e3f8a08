"""Each private part of Textual that the screen uses still is there and does what it must.

A test that fails here after an update of Textual says what the part is for and where to look. First
see whether Textual has a public way by now; the issues that asked for one are named. Then mend the
adapter, run tests/ui and tests/monkey, and widen or narrow the range in pyproject.toml.
"""

import ast
import asyncio
import importlib
import inspect
import itertools
import pkgutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import textual._time
from rich.style import Style
from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult
from textual.command import CommandList, CommandPalette
from textual.containers import Vertical
from textual.css import stylesheet
from textual.css.model import RuleSet
from textual.css.parse import parse as parse_css
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Label
from textual.worker import Worker

import tui_manager.ui
from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import GIVE_UP
from tests.ui.conftest import Running, press, settle
from tests.ui.fast_textual import parse_rules_anew
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.frame.header import HeaderLine
from tui_manager.ui.terminal import textual_internals
from tui_manager.ui.terminal.style_cache import CachedStylesheet
from tui_manager.ui.terminal.textual_internals import (
    SEARCH_GROUP,
    HookedApp,
    HookedPalette,
    HookedScreen,
    is_closing,
)

ADAPTERS = {
    "tui_manager.ui.terminal.dimmed_screen",
    "tui_manager.ui.terminal.style_cache",
    "tui_manager.ui.terminal.textual_internals",
    "tui_manager.ui.terminal.terminal_driver",
    "tui_manager.ui.terminal.input.terminal_input",
}
# What Python and Textual's metaclasses put into every class.
IN_EVERY_CLASS = set(vars(type("Empty", (Widget,), {}))) | {"_abc_impl"}


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(tui_manager.ui.__path__, "tui_manager.ui."):
        if not module.ispkg:
            yield module.name


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("name", modules(), ids=str)
def test_only_the_adapters_use_private_parts(name: str) -> None:
    """Else an update could break more than these files."""
    if name in ADAPTERS:
        return
    module = importlib.import_module(name)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text())
    nodes = list(ast.walk(tree))
    own = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    } | {
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    } | {
        node.target.id
        for node in nodes
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }  # fmt: skip
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute) and private(node.attr)}
    assert used - own - {"_replace"} == set(), "a named tuple has _replace"  # not Textual's
    imported = [
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module
        and node.module.startswith("textual") and "._" in node.module
    ]  # fmt: skip
    assert imported == []
    for owner in vars(module).values():
        if inspect.isclass(owner) and owner.__module__ == name:
            assert overridden(owner) == set(), owner


def overridden(owner: type) -> set[str]:
    """Private methods and values of Textual's classes that a class of ours replaces."""
    of_textual = {
        name
        for base in owner.__mro__[1:]
        if base.__module__.startswith("textual.")
        for name in vars(base)
    }
    ours = {name for name in vars(owner) if private(name)} - IN_EVERY_CLASS
    return ours & of_textual


HINTS: dict[tuple[type, str], str] = {
    (MessagePump, "_on_message"): (
        "HookedScreen.accepts: screens that are being closed must not handle messages any more. "
        "Look for where MessagePump calls its handlers now. Upstream: #6361."
    ),
    (App, "_handle_exception"): (
        "HookedApp.report_error: the traceback goes to the log. Look for what App calls with an "
        "error that nothing caught. Upstream, a public hook: #2818."
    ),
    (App, "_fatal_error"): (
        "HookedApp.end_after_error: no traceback on the terminal. Look for what prints it."
    ),
    (CommandPalette, "_gather_commands"): (
        "HookedPalette.search: the search must end when the palette is closed. Look for the "
        "worker that searches. Upstream: #6361."
    ),
    (CommandPalette, "_GATHER_COMMANDS_GROUP"): (
        "HookedPalette.search: Textual cancels the workers of this group when it needs to."
    ),
    (CommandPalette, "_action_command_list"): (
        "HookedPalette.list_accepts: a list without a layout fails on moves by a page. Look for "
        "how the palette hands keys to its list."
    ),
    (LinuxDriver, "run_input_thread"): (
        "TerminalDriver: the app's loop reads the keys, and nothing else must. Look for what does."
    ),
    (Screen, "_on_idle"): (
        "HookedScreen._on_idle: look for where a screen with changed widgets waits for its frame."
    ),
    (Screen, "_on_timer_update"): (
        "HookedScreen._on_timer_update: look for what draws the changed widgets of a screen."
    ),
    (Screen, "_extend_compose"): (
        "HookedScreen._extend_compose: look for what hides the place of notices when a screen "
        "opens, which asks for a layout."
    ),
    (Screen, "_screen_resized"): (
        "HookedScreen._screen_resized: look for what lays out a screen when it is told its size."
    ),
    (Screen, "_on_screen_resume"): (
        "HookedScreen._on_screen_resume: look for what styles all widgets of a screen that is "
        "shown again, after the theme has changed."
    ),
    (Screen, "_on_layout"): (
        "HookedScreen._on_layout: look for what a screen does with a widget that asks for a layout."
    ),
    (App, "_get_screen"): (
        "HookedApp._get_screen: look for what waits for the widgets of a screen that is opened, "
        "and for what styles all widgets again when a mode is shown first (_css_update_count)."
    ),
    (App, "_prune"): (
        "HookedApp._prune: look for what has the screen laid out that is below a closed one."
    ),
    (Screen, "_refresh_layout"): (
        "HookedScreen._refresh_layout: look for what gives widgets the sizes that a layout found."
    ),
}


@pytest.mark.parametrize(("owner", "name"), HINTS)
def test_it_is_still_there(owner: type, name: str) -> None:
    assert name in vars(owner), HINTS[owner, name]


class HandlerError(Exception):
    """What a handler raises here."""


class Hooked(HookedApp):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[Exception] = []
        self.ended = 0

    def compose(self) -> ComposeResult:
        yield Label("text")

    def report_error(self, error: Exception) -> None:
        self.reported.append(error)

    def end_after_error(self) -> None:
        self.ended += 1
        self.exit()

    def fail(self) -> None:
        raise HandlerError


async def test_an_error_is_reported_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    app = Hooked()

    async def fail() -> None:
        async with app.run_test() as pilot:
            app.call_later(app.fail)
            await pilot.pause()

    with pytest.raises(HandlerError):
        await fail()
    assert [type(error) for error in app.reported] == [HandlerError], HINTS[
        App, "_handle_exception"
    ]
    assert app.ended == 1, HINTS[App, "_fatal_error"]
    assert "Traceback" not in "".join(capfd.readouterr())


class Mounted(Hooked):
    """Keeps how its tasks are made, and ends."""

    factory: Any = "not seen"

    def on_mount(self) -> None:
        self.factory = asyncio.get_running_loop().get_task_factory()
        self.exit()


async def test_a_task_begins_after_the_code_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Textual uses it where there is one, which is on Python 3.12 and newer.
    monkeypatch.setattr(
        asyncio,
        "eager_task_factory",
        lambda loop, work, **named: asyncio.Task(work, loop=loop, **named),
        raising=False,
    )
    app = Mounted()
    await app.run_async(headless=True)
    assert app.factory is None, "HookedApp.on_load: look for where Textual sets a task factory"


async def test_a_timer_fires_though_its_time_was_over_before_it_began_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = itertools.count()  # for which it gets no processor, each time it looks at the clock

    def get_time() -> float:
        task = asyncio.current_task()
        late = task is not None and task.get_name() == "late"
        return time.monotonic() + (next(seconds) if late else 0)

    async with Hooked().run_test() as pilot:
        screen = HookedScreen[None]()
        await pilot.app.push_screen(screen)
        monkeypatch.setattr(textual._time, "get_time", get_time)
        for node in (pilot.app, screen):
            fired = asyncio.Event()
            node.set_timer(0.008, fired.set, name="late")
            async with asyncio.timeout(GIVE_UP):
                await fired.wait()


async def test_a_widget_that_is_removed_is_closing() -> None:
    async with Hooked().run_test() as pilot:
        label = pilot.app.query_one(Label)
        assert not is_closing(label)
        await label.remove()
        assert is_closing(label), "is_closing: look for what Textual sets when it removes a widget"


class Told(Message):
    pass


class Gate(HookedScreen[None]):
    """Accepts no message `Told` once it is shut."""

    shut = False
    told = 0

    def accepts(self, message: Message) -> bool:
        return not (self.shut and isinstance(message, Told))

    def on_told(self) -> None:
        self.told += 1


async def test_a_screen_that_does_not_accept_a_message_does_not_handle_it() -> None:
    async with Hooked().run_test() as pilot:
        screen = Gate()
        await pilot.app.push_screen(screen)
        screen.post_message(Told())
        await pilot.pause()
        screen.shut = True
        screen.post_message(Told())
        await pilot.pause()
        assert screen.told == 1, HINTS[MessagePump, "_on_message"]


async def test_a_secret_goes_to_the_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Hooked()
    async with app.run_test():
        app.copy_to_clipboard("kept")
        written: list[str] = []
        assert app.driver is not None, "HookedApp.driver: look for what holds the driver now"
        monkeypatch.setattr(app.driver, "write", written.append)
        app.copy_secret("secret")
        assert any("\x1b]52;c;" in text for text in written)
        # Upstream, its documentation: #5378.
        assert app.clipboard == "kept", "HookedApp.copy_secret: look at App.copy_to_clipboard"


class Palette(HookedPalette):
    """Searches nothing."""

    accepted: tuple[str, ...] = ("cursor_up",)

    def __init__(self) -> None:
        super().__init__()
        self.searched: list[str] = []

    def search(self, text: str) -> Worker[None]:
        self.searched.append(text)

        async def nothing() -> None:
            return None

        return self.run_worker(nothing(), group=SEARCH_GROUP)

    def list_accepts(self, action: str) -> bool:
        return action in self.accepted


async def test_a_palette_decides_how_it_searches_and_what_its_list_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Hooked().run_test() as pilot:
        palette = Palette()
        await pilot.app.push_screen(palette)
        palette.query_one(Input).value = "web"
        await pilot.pause()
        assert palette.searched[-1:] == ["web"], HINTS[CommandPalette, "_gather_commands"]
        moved: list[str] = []
        monkeypatch.setattr(CommandList, "action_cursor_up", lambda self: moved.append("up"))
        palette.query_one(CommandList).visible = True
        await pilot.press("up")
        palette.accepted = ()
        await pilot.press("up")
        assert moved == ["up"], HINTS[CommandPalette, "_action_command_list"]


def test_the_commands_are_found_by_a_coroutine() -> None:
    assert inspect.iscoroutinefunction(HookedPalette.find_commands), HINTS[
        CommandPalette, "_gather_commands"
    ]


async def test_the_driver_has_what_ours_uses() -> None:
    """The rest is tested by what it does, in test_terminal_driver.py and test_terminal_input.py."""
    driver: Any = LinuxDriver(App(), size=(80, 24))
    assert driver._file is not None, "TerminalDriver: look for the file that the driver writes to"
    assert not driver.exit_event.is_set(), "TerminalDriver: look for what ends the input thread"
    assert driver.attrs_before is None, "TerminalDriver: look for the terminal's kept attributes"
    assert driver._key_thread is None, "TerminalDriver: look for the thread that reads keys"
    assert "XTermParser(self._debug)" in inspect.getsource(LinuxDriver.run_input_thread), (
        "TerminalInput: Textual makes keys of bytes in another way. Do it so too."
    )
    assert XTermParser()._timeout_time is None, (
        "TerminalInput.waits: look for when a parser makes a key of an escape."
    )


async def test_each_source_is_parsed_once_for_a_theme(
    running: Running, fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual parses all of them again for each screen that is shown first."""
    parsed: list[tuple[str, object]] = []

    def parse(scope: str, css: str, read_from: object, **keywords: Any) -> Iterable[RuleSet]:
        parsed.append((scope, read_from))
        return parse_css(scope, css, read_from, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(stylesheet, "parse", parse)
    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_rules_anew)
    async with running(fleet) as pilot:
        await press(pilot, "2", "3", "4", "5", "n")
        assert len(parsed) > 15
        # Of some widgets the order changes when another class is seen.
        assert len(parsed) < 2 * len(set(parsed)), parsed
        before = len(parsed)
        await press(pilot, "escape", "t")
        assert len(parsed) > before, "Stylesheet.reparse: other colours need other rules"


class Recording(Stylesheet):
    """Notes which styles fit a node, as Textual finds them, and gives it none."""

    def __init__(self, other: Stylesheet) -> None:
        super().__init__(variables=other._variables)
        self._rules = other.rules
        self.fitting: RulesMap = {}

    def replace_rules(  # type: ignore[override]
        self, node: DOMNode, rules: RulesMap, animate: bool = False
    ) -> None:
        self.fitting = rules

    def _process_component_classes(self, node: DOMNode) -> None:
        """Leaves the parts of a node."""

    def fitting_for(self, node: DOMNode) -> RulesMap:
        self.fitting = {}
        self.apply(node)
        return self.fitting


def differences(one: RulesMap, other: RulesMap) -> list[str]:
    return [
        f"{name}: {one.get(name)} and {other.get(name)}"
        for name in one.keys() | other.keys()
        # There are several objects for the same layout.
        if (name == "layout" or one.get(name) != other.get(name))
        and str(one.get(name)) != str(other.get(name))
    ]


def wrong_styles(app: App[None]) -> list[str]:
    """Nodes of which the stylesheet remembers other styles than Textual finds."""
    sheet = app.stylesheet
    assert isinstance(sheet, CachedStylesheet)
    plain, wrong = Recording(sheet), []
    for node in [app, *(one for screen in app.screen_stack for one in screen.walk_children())]:
        kept = sheet._applied[node]
        wrong += [f"{node}: {one}" for one in differences(kept.rules, plain.fitting_for(node))]
        if kept.kept is not None and not kept.is_kept(node.styles.base.get_rules()):
            wrong.append(f"{node} keeps {node.styles.base.get_rules()}")
        for component in node._get_component_classes():
            part = DOMNode(classes=component)
            part._attach(node)
            Stylesheet.replace_rules(part, plain.fitting_for(part))
            own, fitting = node._component_styles[component].base, part.styles.base
            wrong += [
                f"{node}, {component}: {one}"
                for one in differences(own.get_rules(), fitting.get_rules())
            ]
    return wrong


@pytest.mark.parametrize(
    "keys",
    [
        ["n", *"web01", "tab", *"true", "tab", "tab", "enter", "escape"],
        ["down", "enter", "tab", "slash", *"apt", "enter", "T"],
        ["2", "space", "m", "escape", "colon", *"theme", "enter"],
        ["5", "tab", "e", "tab", "escape"],
    ],
    ids=["new task", "task", "hosts", "schedules"],
)
async def test_the_styles_that_are_remembered_are_those_that_textual_finds(
    fleet: FakeOperator, running: Running, keys: list[str]
) -> None:
    async with running(fleet) as pilot:
        assert wrong_styles(pilot.app) == []
        for key in keys:
            await press(pilot, key)
            assert wrong_styles(pilot.app) == [], (
                f"CachedStylesheet, after {key}: compare it with Stylesheet.apply."
            )
        pilot.app.theme = "textual-light"
        await settle(pilot)
        assert wrong_styles(pilot.app) == []


async def test_a_screen_that_was_hidden_while_the_theme_changed_has_its_styles(
    fleet: FakeOperator, running: Running
) -> None:
    async with running(fleet) as pilot:
        own = pilot.app.theme
        for theme, there, back in (("textual-light", "2", "1"), (own, "n", "escape")):
            await press(pilot, there)
            pilot.app.theme = theme
            await press(pilot, back)
            assert isinstance(pilot.app.screen, DashboardScreen)
            assert wrong_styles(pilot.app) == [], HINTS[Screen, "_on_screen_resume"]


DIALOGS = {
    "a question": ("down", "c"),
    "a question over a form": ("n", *"web01", "escape"),
    "the palette": ("colon",),
}


async def test_the_screen_below_a_dialog_is_drawn_as_textual_draws_it(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is not, look at `BackgroundScreen` and at what `Screen.render` returns."""
    async with running(fleet) as pilot:
        for name, keys in DIALOGS.items():
            await press(pilot, *keys)
            with monkeypatch.context() as patch:
                patch.setattr(textual_internals, "draw_fast", lambda drawn: drawn)
                drawn_by_textual = drawn_anew(pilot)
            with monkeypatch.context() as patch:
                assert drawn_anew(pilot) == drawn_by_textual, name
                patch.setattr(BackgroundScreen, "process_segments", None)
                drawn_anew(pilot)  # all colours are known by now
            await press(pilot, "escape", "y", "escape")


async def test_what_has_changed_is_drawn_without_a_wait_for_the_next_frame(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is not, look at what `Screen._on_idle` and `Screen._on_timer_update` do."""
    async with running(fleet) as pilot:
        screen = pilot.app.screen
        await settle(pilot)
        waits, resume = [], screen._update_timer.resume

        def wait_for_frame() -> None:
            waits.append(screen._layout_required or screen._scroll_required)
            resume()

        monkeypatch.setattr(textual_internals, "UPDATE_PERIOD", 0.0)
        monkeypatch.setattr(screen._update_timer, "resume", wait_for_frame)
        screen.query_one(HeaderLine).refresh()
        await settle(pilot)
        assert not screen._dirty_widgets
        assert all(waits)


@pytest.mark.parametrize(("kind", "asks"), [(HookedScreen, False), (Screen, True)])
async def test_a_layout_asks_for_no_other_one(kind: type[Screen[None]], asks: bool) -> None:
    """If a screen of Textual asks for none either, remove `HookedScreen._refresh_layout`."""
    app = Hooked()
    async with app.run_test() as pilot:
        await app.push_screen(screen := kind())
        await screen.mount(wide := Vertical())
        await settle(pilot)
        assert not wide._layout_required
        screen._refresh_layout(Size(50, 20))
        assert wide.size.width == 50
        assert wide._layout_required is asks


@pytest.mark.parametrize(("kind", "drawn"), [(HookedScreen, False), (Screen, True)])
async def test_a_screen_is_not_drawn_whole_when_its_focus_moves(
    kind: type[Screen[None]], drawn: bool
) -> None:
    """If a screen of Textual is not either, remove `HookedScreen.focused`."""
    app = Hooked()
    async with app.run_test() as pilot:
        await app.push_screen(screen := kind())
        await screen.mount(Input(), second := Input())
        await settle(pilot)
        assert screen._styles_cache._cache
        screen.set_focus(second)
        await pilot.pause()
        assert app.focused is second
        assert bool(screen._styles_cache._cache) is not drawn


def drawn_anew(pilot: "Pilot[None]") -> list[list[tuple[str, Style | None]]]:
    """The cells of all lines with their styles, of screens that keep nothing."""
    app = pilot.app
    for screen in app.screen_stack:
        screen.refresh()
    below = app._background_screens
    update: Any = app.screen._compositor.render_update(full=True, screen_stack=below)
    return [
        [(cell, part.style) for strip in line for part in strip for cell in part.text]
        for line in update.strips
    ]

"""The private parts of Textual that the screen uses. `terminal_driver` has those of its driver,
`terminal_input` what makes keys of bytes, `dimmed_screen` what draws the screen below a dialog.

Textual may change a private part in any release. pyproject.toml allows the releases that were
tested, and tests/ui/terminal/test_textual_internals.py says for each part what to do if an update
breaks it.
"""

import asyncio
import inspect
import time
from collections.abc import Container, Generator, Sequence
from typing import Any, ClassVar

from rich.console import RenderableType
from textual.app import App
from textual.await_remove import AwaitRemove
from textual.binding import BindingsMap, BindingType
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.driver import Driver
from textual.events import Idle, ScreenResume
from textual.filter import LineFilter, Monochrome, NoColor
from textual.geometry import Size
from textual.message import Message
from textual.messages import Layout
from textual.reactive import Reactive
from textual.screen import UPDATE_PERIOD, Screen, ScreenResultType
from textual.theme import Theme
from textual.timer import Timer, TimerCallback
from textual.widget import AwaitMount, Widget
from textual.widgets import Input
from textual.widgets._toast import ToastRack
from textual.worker import Worker

from tui_manager.ui.terminal.dimmed_screen import draw_fast
from tui_manager.ui.terminal.safe_cells import SafeCells, WithoutColours
from tui_manager.ui.terminal.style_cache import CachedStylesheet, StyleCache

# Textual's class has a worker under this name; a worker of the same group cancels it.
SEARCH_GROUP = CommandPalette._GATHER_COMMANDS_GROUP


def is_closing(node: Widget) -> bool:
    """Whether Textual has begun to remove a screen or widget. Its children may be gone already."""
    return node._pruning


async def mounted(node: Widget) -> None:
    """Returns when a screen or widget has handled its Mount event."""
    await node._mounted_event.wait()


def fires_late(timer: Timer) -> Timer:
    """A timer that fires once, also if its time is over before it begins to wait. Textual leaves
    out a time that is over, and so, on a busy machine, the only one."""
    timer._skip = False
    return timer


def forget_sizes(widget: Widget) -> None:
    """The next layout measures a widget again, and places those beside it again. This asks for no
    layout. Textual itself forgets no sizes if a layout comes between two calls of
    `refresh(layout=True)` before the widget is idle: the second one has no effect then."""
    widget._layout_updates += 1
    for ancestor in widget.ancestors:
        if not isinstance(ancestor, Widget):
            break
        ancestor._clear_arrangement_cache()
        ancestor._layout_updates += 1
        if not ancestor.styles.auto_dimensions:
            break


class HookedScreen(Screen[ScreenResultType]):
    """A screen that may leave messages unhandled, and draws what has changed at once."""

    focused = Reactive["Widget | None"](None, repaint=False)  # Textual's has the whole screen drawn
    _drawn_at = 0.0  # monotonic seconds
    _laid_out_at = 0.0  # when the last layout began

    async def _on_idle(self, event: Idle) -> None:
        """Textual waits for its next frame even if the last one was long ago. While the manager is
        busy, the app's thread has to wait for its turn then. A layout still waits for its frame.
        Textual calls its own method after this one."""
        changed = self._dirty_widgets and not (self._layout_required or self._scroll_required)
        due = time.monotonic() - self._drawn_at >= UPDATE_PERIOD
        if changed and due and self.is_current and not self.app._batch_count:
            self._on_timer_update()

    def _on_timer_update(self) -> None:
        self._drawn_at = time.monotonic()
        super()._on_timer_update()

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Fires once after a delay in seconds, or later."""
        return fires_late(super().set_timer(delay, callback, name=name, pause=pause))

    def _extend_compose(self, widgets: list[Widget]) -> None:
        """Hides the place of notices at once. Textual asks for a layout to hide it later."""
        super()._extend_compose(widgets)
        for widget in widgets:
            if isinstance(widget, ToastRack):
                widget.display = False

    def _screen_resized(self, size: Size) -> None:
        """Textual lays out a screen again when it hears of the size that the screen has."""
        if size != self._size:
            super()._screen_resized(size)

    def _on_screen_resume(self, event: ScreenResume) -> None:
        """Textual styles all widgets again, which were styled when they were mounted, and are when
        the theme changes. It calls its own method after this one."""
        event.refresh_styles = False

    async def _on_layout(self, message: Layout) -> None:
        """Widgets that were mounted before the first layout have asked for one, and in Textual they
        get another one. Textual calls its own method after this one."""
        if message.time < self._laid_out_at:
            message.stop()
            message.prevent_default()

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """In Textual, each size that a layout gives to a widget asks for another layout, which
        measures all of these widgets again and finds the same."""
        if not scroll:
            self._laid_out_at = time.monotonic()
        if not self._size:
            for widget in self.walk_children(Widget, with_self=True):
                widget._layout_required = False  # it has not asked yet
        virtual_size = Widget.virtual_size
        virtual_size._layout = False
        try:
            super()._refresh_layout(size, scroll)
        finally:
            virtual_size._layout = True

    def render(self) -> RenderableType:
        """A dialog draws the screen below."""
        return draw_fast(super().render())

    def accepts(self, message: Message) -> bool:
        """Whether the handlers for a message are called."""
        return True

    async def _on_message(self, message: Message) -> None:
        if self.accepts(message):
            await super()._on_message(message)

    def rebind(self, bindings: Sequence[BindingType], replaced: Container[str]) -> None:
        """Gives this screen other bindings in place of those with the ids in `replaced`. Textual's
        keymap is no use: to change the key of one action, it removes others with the same key."""
        others = [binding for _, binding in self._bindings if binding.id not in replaced]
        self._bindings = BindingsMap([*bindings, *others])


class _AwaitScreen(AwaitMount):
    """Waits for the widgets of a screen. Textual asks for a layout then, but a screen is laid out
    when it is shown."""

    def __await__(self) -> Generator[None, None, None]:
        async def wait() -> None:
            for screen in self._widgets:
                await mounted(screen)

        return wait().__await__()


class HookedApp(App[None], inherit_bindings=False):
    """An app that decides what happens after an error that nothing has caught, and draws no
    control characters."""

    _safe_cells, _without_colours = SafeCells(), WithoutColours()
    _css_variables: ClassVar[dict[str, dict[str, str]]] = {}  # by the name of the theme

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        super().__init__(driver_class)
        self.stylesheet = CachedStylesheet(self.get_css_variables(), StyleCache())

    def on_load(self) -> None:
        """From Python 3.12 on, Textual has a task begin before the code that makes it goes on. Here
        it begins after that code on each Python, so that all run, and test, the same."""
        asyncio.get_running_loop().set_task_factory(None)

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Fires once after a delay in seconds, or later. One of Textual's own, of 8 ms, tells the
        screens that the terminal has another size: without it they never hear of one again."""
        return fires_late(super().set_timer(delay, callback, name=name, pause=pause))

    def get_css_variables(self) -> dict[str, str]:
        """Textual asks for these several times while the app starts, and mixes all colours of the
        theme each time."""
        theme = self.theme
        if theme not in self._css_variables:
            self._css_variables[theme] = super().get_css_variables()
        self.theme_variables = self._css_variables[theme]
        return self.theme_variables

    def get_theme(self, theme_name: str) -> Theme | None:
        """Textual copies the list of all themes twice, for each line that is drawn."""
        return self._registered_themes.get(theme_name) or super().get_theme(theme_name)

    def begin_with_theme(self, theme: str) -> None:
        """Sets the theme before the app runs, so that its style sheets are parsed once. Textual
        sets no other theme than its own before it has parsed them, and parses them again twice."""
        self.set_reactive(App.theme, theme)
        dark = self.current_theme.dark
        self.set_class(True, f"-theme-{theme}", update=False)
        self.set_class(dark, "-dark-mode", update=False)
        self.set_class(not dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def update_styles(self, node: DOMNode, animate: bool = True) -> None:
        """Styles a widget again, and those in it. One that has no parent yet is styled when it
        gets one."""
        if node.is_attached or isinstance(node, App | Screen):
            super().update_styles(node, animate)

    def _get_screen(self, screen: Screen[Any] | str) -> tuple[Screen[Any], AwaitMount]:
        """In Textual, a screen that is opened has itself laid out once more, and the first one of a
        mode has all widgets of the mode before styled again."""
        opened = self.get_screen(screen)
        widgets = []
        if not opened.is_running:
            opened._css_update_count = self._css_update_count  # it is styled when it is mounted
            widgets = self._register(self, opened)
        waits = _AwaitScreen(opened, widgets)
        self.call_next(waits)
        return opened, waits

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        """In Textual, the end of a screen has the one below it laid out again."""
        return super()._prune(*nodes, parent=None if parent is self else parent)

    def report_error(self, error: Exception) -> None:
        """An error of a handler, a worker, a timer, of composing or drawing ends the app."""
        raise NotImplementedError

    def end_after_error(self) -> None:
        """Ends the app. Textual would print a traceback on the terminal."""
        raise NotImplementedError

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Those of Textual, and one for what no widget may draw. With NO_COLOR, one of ours is in
        place of its own, which makes greys of colours."""
        filters = [*super().get_line_filters(), self._safe_cells]
        if not self.no_color:
            return filters
        own = (Monochrome, NoColor)
        return [*(one for one in filters if not isinstance(one, own)), self._without_colours]

    def on_unbound_key(self, key: str) -> None:
        """Nothing is bound to a key that was pressed."""

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        bound = await super()._check_bindings(key, priority)
        if not bound and not priority:
            self.on_unbound_key(key)
        return bound

    def _handle_exception(self, error: Exception) -> None:
        self.report_error(error)
        super()._handle_exception(error)  # keeps it: a test that drives the app fails with it

    def _fatal_error(self) -> None:
        self.end_after_error()

    @property
    def driver(self) -> Driver | None:
        """What draws on the terminal; None before the app runs."""
        return self._driver

    def copy_secret(self, text: str) -> None:
        """Gives a text to the terminal's clipboard. Textual would keep a copy for its fields to
        paste."""
        kept = self._clipboard
        self.copy_to_clipboard(text)
        self._clipboard = kept


class HookedInput(Input):
    """A line to type in whose place does not depend on its text. Textual's own has the whole screen
    laid out again for each character."""

    virtual_size = Reactive(Size(0, 0))  # Textual's asks for a layout


class HookedPalette(CommandPalette):
    """A command palette that decides how it searches, and what its list can do."""

    def render(self) -> RenderableType:
        """It draws the screen below."""
        return draw_fast(super().render())

    # The coroutine that Textual runs as a worker.
    find_commands = inspect.unwrap(CommandPalette._gather_commands)

    def search(self, text: str) -> Worker[None]:
        """Starts a worker that shows what `find_commands` finds."""
        raise NotImplementedError

    def list_accepts(self, action: str) -> bool:
        """Whether an action of the list, such as "cursor_down", has an effect now."""
        return True

    def _gather_commands(self, search_value: str) -> Worker[None]:
        return self.search(search_value)

    def _action_command_list(self, action: str) -> None:
        if self.list_accepts(action):
            super()._action_command_list(action)

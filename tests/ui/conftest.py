"""The app over a fake operator, with a fixed clock."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.css.stylesheet import Stylesheet
from textual.events import Key
from textual.geometry import Region
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input, TextArea
from textual.worker import WorkerCancelled

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.seeded.seeded_fleet import seeded_fleet
from tests.ui.fast_textual import free_nodes, learn_once, parse_once
from tui_manager.ui import app, paced_reader
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.forms.tasks import task_form
from tui_manager.ui.frame import main_screen
from tui_manager.ui.terminal import textual_internals
from tui_manager.ui.terminal.input import typed_ahead
from tui_manager.ui.terminal.style_cache import CachedStylesheet, StyleCache

A_DAY = 86_400.0  # seconds
ROUNDS = 200_000  # of the loop; a key takes some hundreds
SOON = 0.05  # seconds; Textual draws 60 times a second
Running = Callable[..., AbstractAsyncContextManager["Pilot[None]"]]


async def loop_at_rest(*_: float) -> None:
    """Returns when the loop has nothing left to run before time passes or something comes from
    outside, and the timers that were due `SOON` by then have run. The operator is fake and lies in
    memory, so that all effects of a key have come by then, also those that Textual leaves to a
    short timer: another size, and what is drawn. An app that never rests fails the test."""
    loop: Any = asyncio.get_running_loop()
    quiet, until = 0, math.inf
    for _round in range(ROUNDS):
        await asyncio.sleep(0)
        quiet = 0 if loop._ready else quiet + 1
        if quiet == 2:  # the loop has looked for due timers and input in between
            until = min(until, loop.time() + SOON)  # some timers run again and again
            timers = (timer.when() for timer in loop._scheduled if not timer.cancelled())
            due = min(timers, default=math.inf)
            if due > until:
                return
            await asyncio.sleep(due - loop.time())
            quiet = 0
    raise AssertionError(f"the app has not come to rest in {ROUNDS} rounds of its loop")


@pytest.fixture(autouse=True)
def exact_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot's pauses end when the app is at rest. Textual's own end when the process has used
    little CPU for 20 ms, which says little on a busy machine, and when each widget has answered a
    message, which it has done at rest."""
    for module in (textual.app, textual.pilot):
        monkeypatch.setattr(module, "wait_for_idle", loop_at_rest)
    monkeypatch.setattr(Pilot, "_wait_for_screen", loop_at_rest)


_STYLES = StyleCache()


@pytest.fixture(autouse=True)
def styles_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All apps of a process share parsed style sheets, and the styles that were found by them, as
    the screens of one app do."""
    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_once)
    monkeypatch.setattr(CachedStylesheet, "_learn", learn_once)
    monkeypatch.setattr(textual_internals, "StyleCache", lambda: _STYLES)


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the app does depends on how long a test takes: notices stay, a problem is said
    once, a key waits for the one before it, a wrong target is looked up again soon after a change,
    running times stand still until a test calls `tick`, and cursors do not blink."""
    monkeypatch.setattr(DashboardApp, "NOTIFICATION_TIMEOUT", A_DAY)
    monkeypatch.setattr(app, "REPEAT_ERROR_AFTER", A_DAY)
    monkeypatch.setattr(typed_ahead, "TICK", A_DAY)
    monkeypatch.setattr(main_screen, "TICK", A_DAY)
    monkeypatch.setattr(paced_reader, "PAUSE", SOON / 5)
    monkeypatch.setattr(paced_reader, "_SHARE", 0.0)  # whatever time a read has taken
    monkeypatch.setattr(task_form, "LOOK_UP_AGAIN_AFTER", SOON / 5)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda _: None)


@pytest.fixture(autouse=True)
def widgets_freed() -> Iterator[None]:
    """The widgets of a test are freed without the garbage collector."""
    yield
    free_nodes()


_render_update = Compositor.render_update


@pytest.fixture(autouse=True)
def drawn_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an app without a terminal draws is thrown away. Half of the time of a test went into
    pictures that nobody saw: `settle` draws what has changed, once."""

    def render_update(compositor: Compositor, full: bool = False, **keywords: Any) -> object:
        return _render_update(compositor, full, **keywords) if full else None

    monkeypatch.setattr(Compositor, "render_update", render_update)


def draw_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws from now on what changes, as in a terminal."""
    monkeypatch.setattr(Compositor, "render_update", _render_update)


def draw(pilot: "Pilot[None]") -> None:
    """Has the widgets draw what has changed since they were drawn. Their lines are not joined to a
    picture: `shown` and the snapshots do so."""
    compositor = pilot.app.screen._compositor
    if changed := compositor._dirty_regions:
        visible_screen_stack.set(pilot.app._background_screens)
        for _lines in compositor._get_renders(Region.from_union(changed)):
            pass  # what it yields was drawn
        changed.clear()


async def settle(pilot: "Pilot[None]", rounds: int = 4) -> None:
    """Lets the app come to rest, and what has changed be drawn."""
    await come_to_rest(pilot, rounds)
    draw(pilot)


async def come_to_rest(pilot: "Pilot[None]", rounds: int = 4) -> None:
    """Lets workers, messages and layout come to rest: some effects of a key come behind a layout,
    which is a timer's."""
    for _ in range(rounds):
        await pilot.pause()
    drawn = asyncio.Event()
    pilot.app.screen.call_after_refresh(drawn.set)
    with suppress(TimeoutError):  # a screen that is closed meanwhile is not drawn any more
        async with asyncio.timeout(1):
            await drawn.wait()
    await pilot.pause()


@pytest.fixture
async def fleet() -> FakeOperator:
    return await seeded_fleet()


@pytest.fixture
def running() -> Running:
    """Runs the app over an operator: `async with running(fleet, size) as pilot`."""

    @asynccontextmanager
    async def run(
        operator: FakeOperator, size: tuple[int, int] = (120, 36), *, joined: bool = False
    ) -> AsyncIterator["Pilot[None]"]:
        dashboard = DashboardApp(operator.open, joined=joined, now=operator.now)
        async with dashboard.run_test(size=size, notifications=True) as pilot:
            await come_to_rest(pilot)  # what a test does first draws
            yield pilot

    return run


async def press(pilot: "Pilot[None]", *keys: str) -> None:
    """Presses keys and waits for the effect of each. A text that is typed into a field comes as
    fast as a paste: the app handles its keys one after the other."""
    waiting = deque(keys)
    while waiting:
        typed = ""
        while waiting and len(waiting[0]) == 1 and isinstance(pilot.app.focused, Input | TextArea):
            typed += waiting.popleft()
        if len(typed) > 1:
            for character in typed:
                name = character if character.isalnum() else _character_to_key(character)
                pilot.app._driver.send_message(Key(name, character))  # type: ignore[union-attr]
            await pilot.pause()
        else:
            await pilot.press(typed or waiting.popleft())
    await settle(pilot, 2)


async def threads_done(pilot: "Pilot[None]", *groups: str) -> None:
    """Waits for the workers of these groups, which use a thread, and for their effect."""
    workers = [worker for worker in pilot.app.workers if worker.group in groups]
    if workers:  # for none of them Textual would wait for all that there are
        with suppress(WorkerCancelled):
            await pilot.app.workers.wait_for_complete(workers)
    await settle(pilot)


def shown(pilot: "Pilot[None]") -> str:
    """The text of the whole screen."""
    screen = pilot.app.screen
    width, height = screen.size
    strips = screen._compositor.render_strips()
    assert len(strips) <= height
    return "\n".join(strip.text[:width] for strip in strips)

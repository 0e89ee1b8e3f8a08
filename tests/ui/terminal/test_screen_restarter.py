"""An error in the screen, wherever it is raised: it is logged, and the screen is built anew."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import update_wrapper
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.errors import ScreenFailedError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui import app as app_module
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.frame.header import HeaderLine, NoticeLine
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.manager_link import ManagerChanged
from tui_manager.ui.terminal import clean_exit_app
from tui_manager.ui.terminal.clean_exit_app import CleanExitApp
from tui_manager.ui.terminal.screen_restarter import LIMIT, WITHIN, ScreenRestarter
from tui_manager.ui.terminal.terminal_driver import BackgroundError, TerminalClosed

LOG = Path("/var/log/tui-manager.log")
AFTERWARDS = "The manager stops."


@pytest.fixture(autouse=True)
def drawn_at_rest() -> None:
    """Nothing waits for the apps of these tests to be at rest: they are drawn at once."""


def fail(*_: object, **__: object) -> None:
    raise KeyError("scroll_y")


class Breaking(DashboardApp):
    """Does something once it is drawn; the next one leaves, and keeps what its notice says."""

    CSS_PATH = str(Path(app_module.__file__).with_name("app.tcss"))
    act: Callable[["Breaking"], object] = fail
    notices: ClassVar[list[str]]

    def on_mount(self) -> None:
        """Acts behind the first paint."""
        super().on_mount()
        self.set_timer(0.01, self._act if not self.link.notice else self._leave)

    def _act(self) -> None:
        type(self).act(self)

    def _leave(self) -> None:
        self.notices.append(str(self.screen.query_one(NoticeLine).render()))
        self.exit()


class _BadReads(FakeOperator):
    async def list_hosts(self, window: Window) -> Page[Host]:
        fail()
        return await super().list_hosts(window)


class _BadWatch(FakeOperator):
    async def watch(self) -> AsyncIterator[Changes]:
        fail()
        yield Changes()


class _BadEnd(Breaking):
    """Fails while it ends after an error."""

    act = fail

    async def on_unmount(self) -> None:
        """Fails too."""
        await super().on_unmount()
        raise ValueError("at the end")


class _Hanging(Breaking):
    """Never ends by itself after an error."""

    act = fail

    async def on_unmount(self) -> None:
        """Waits for what never comes."""
        await asyncio.Event().wait()


class _NotMade(Breaking):
    def __init__(self, *_: object, **__: object) -> None:
        fail()


def rebuild(first: type[Breaking], fleet: FakeOperator, broken: FakeOperator | None = None) -> str:
    """Shows an app that fails and then one that is left, and returns what that one says."""

    class Second(Breaking):
        notices: ClassVar[list[str]] = []

    def make_app(notice: str) -> DashboardApp:
        kind = Second if notice else first
        operator = fleet if notice or broken is None else broken
        return kind(operator.open, notice=notice, now=fleet.now)

    assert ScreenRestarter(make_app, LOG, AFTERWARDS, headless=True).run() == 0
    (said,) = Second.notices
    return said


def acting(action: Callable[[Breaking], object]) -> type[Breaking]:
    return type("Acting", (Breaking,), {"act": action})


def said_once(said: str, caplog: pytest.LogCaptureFixture, output: str) -> None:
    """The notice, the traceback in the log, and nothing on the terminal."""
    assert said == (
        f"The screen failed (KeyError: 'scroll_y') and was built anew. Log: {LOG}  (esc hides this)"
    )
    first = next(record for record in caplog.records if record.message == "the screen failed")
    assert first.levelno == logging.ERROR
    assert first.exc_info
    assert isinstance(first.exc_info[1], KeyError)
    assert "Traceback" not in output


def in_a_callback(app: Breaking) -> None:
    app.screen.call_later(fail)


def in_the_next_callback(app: Breaking) -> None:
    app.screen.call_next(fail)


def in_a_timer(app: Breaking) -> None:
    app.screen.set_timer(0.001, fail)


def in_a_worker(app: Breaking) -> None:
    async def work() -> None:
        fail()

    app.screen.run_worker(work())


def in_an_action(app: Breaking) -> None:
    app.action_help = fail  # type: ignore[method-assign, assignment]
    app.call_later(app.run_action, "help")


def outside_of_handlers(app: Breaking) -> None:
    app.post_message(BackgroundError(KeyError("scroll_y")))


@pytest.mark.parametrize(
    "action",
    [
        fail,
        in_a_callback,
        in_the_next_callback,
        in_a_timer,
        in_a_worker,
        in_an_action,
        outside_of_handlers,
    ],
)
def test_an_error_of_a_running_app(
    action: Callable[[Breaking], object],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = rebuild(acting(action), FakeOperator())
    said_once(said, caplog, "".join(capfd.readouterr()))


def compose_help(app: Breaking) -> None:
    app.call_later(app.action_help)


def refresh_header(app: Breaking) -> None:
    app.screen.query_one(HeaderLine).refresh()


def hand_on_facts(app: Breaking) -> None:
    app.screen.post_message(ManagerChanged(Changes(hosts=True)))


@pytest.mark.parametrize(
    ("owner", "name", "action"),
    [
        (HelpScreen, "compose", compose_help),
        (HelpScreen, "on_mount", compose_help),
        (HeaderLine, "render_line", refresh_header),
        (DashboardScreen, "read_again", hand_on_facts),
        (DashboardScreen, "on_mount", in_a_callback),
        (DashboardScreen, "body", in_a_callback),
    ],
)
def test_an_error_of_a_screen_or_widget(
    owner: type[object],
    name: str,
    action: Callable[[Breaking], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    broken, whole = True, getattr(owner, name, None)

    def sometimes(self: object, *arguments: object) -> object:
        nonlocal broken
        if broken:
            broken = False
            fail()
        return whole(self, *arguments) if whole else None

    if whole:
        update_wrapper(sometimes, whole)  # Textual passes as many arguments as this one takes

    def break_and_act(app: Breaking) -> None:
        monkeypatch.setattr(owner, name, sometimes, raising=False)
        action(app)

    if owner is DashboardScreen and name != "read_again":  # it is broken from the beginning
        monkeypatch.setattr(owner, name, sometimes)
    said = rebuild(acting(break_and_act), FakeOperator())
    said_once(said, caplog, "".join(capfd.readouterr()))


@pytest.mark.parametrize("broken", [_BadReads, _BadWatch])
def test_an_error_of_a_read_or_of_the_watch(
    broken: type[FakeOperator],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = rebuild(acting(lambda _: None), FakeOperator(), broken())
    said_once(said, caplog, "".join(capfd.readouterr()))


@pytest.mark.parametrize("kind", [_BadEnd, _Hanging, _NotMade])
def test_an_app_that_cannot_be_built_or_ended(
    kind: type[Breaking],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        CleanExitApp.run_to_end, "__kwdefaults__", {"headless": True, "seconds": 0.2}
    )
    said = rebuild(kind, FakeOperator())
    said_once(said, caplog, "".join(capfd.readouterr()))


def failing_at(*times: float) -> Callable[[], int]:
    """Runs screens that all fail, at these times; the last one is left."""
    clock, left = iter(times), len(times)

    def make_app(notice: str) -> DashboardApp:
        nonlocal left
        left -= 1
        fleet = FakeOperator()
        kind = acting(CleanExitApp.exit) if left < 0 else acting(fail)
        kind._leave = kind._act  # type: ignore[method-assign]
        return kind(fleet.open, notice=notice, now=fleet.now)

    return ScreenRestarter(
        make_app, LOG, AFTERWARDS, monotonic=lambda: next(clock), headless=True
    ).run


def test_too_many_failures_within_a_minute_end_the_dashboard() -> None:
    with pytest.raises(ScreenFailedError) as raised:
        failing_at(5.0, 10.0, 5.0 + WITHIN - 0.1)()
    assert str(raised.value) == (
        f"The screen failed {LIMIT} times within a minute, the last time with "
        f"KeyError: 'scroll_y'. The log {LOG} has the tracebacks. {AFTERWARDS}"
    )


def test_failures_that_are_further_apart_do_not() -> None:
    assert failing_at(5.0, 10.0, 5.0 + WITHIN, 10.0 + WITHIN)() == 0


def test_a_terminal_that_goes_away_is_no_failure() -> None:
    fleet = FakeOperator()
    kind = acting(lambda app: app.post_message(TerminalClosed()))
    screens = ScreenRestarter(
        lambda notice: kind(fleet.open, notice=notice, now=fleet.now), LOG, "", headless=True
    )
    assert screens.run() == clean_exit_app.HUNG_UP


@pytest.mark.parametrize(("hung_up", "status"), [(True, clean_exit_app.HUNG_UP), (False, 0)])
def test_a_signal_ends_it_also_between_two_screens(hung_up: bool, status: int) -> None:
    fleet, made = FakeOperator(), 0

    def make_app(notice: str) -> DashboardApp:
        nonlocal made
        made += 1
        if made == 2:
            screens.stop(hung_up=hung_up)
        return acting(fail)(fleet.open, notice=notice, now=fleet.now)

    screens = ScreenRestarter(make_app, LOG, "", headless=True)
    assert screens.run() == status
    assert made == 2


async def test_esc_hides_the_notice() -> None:
    fleet = FakeOperator()
    app = DashboardApp(fleet.open, notice="The screen failed.", now=fleet.now)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        notice = app.screen.query_one(NoticeLine)
        assert notice.display
        await pilot.press("2")
        assert app.screen.query_one(NoticeLine).display
        await pilot.press("escape")
        assert not app.screen.query_one(NoticeLine).display
        await pilot.press("1")
        assert not notice.display

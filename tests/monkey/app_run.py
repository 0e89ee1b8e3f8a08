"""The app under a monkey: its inputs one after the other, on a clock that is turned.

Nothing depends on the machine: a seed and a size always give the same run.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from textual import constants, events
from textual.document import _history
from textual.geometry import Size

from tests.monkey.checks import Checks
from tests.monkey.fake_fleet import FakeFleet
from tests.monkey.inputs import Change, Check, Input, Key, Resize, Turns, Wait, as_sent
from tests.monkey.wayward import WaywardOperator
from tests.support.jumping_loop import run_jumping
from tui_manager.ui import app as app_module
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.output.actions import save_output
from tui_manager.ui.terminal.input.terminal_input import TerminalInput

SETTLES = 1.3  # seconds: longer than a try to reach the manager again, and than a tick of a screen
LEAVES_FORMS = 6  # from the deepest form to a screen: `escape`, and `y` if it asks
TROUBLES = ("fail", "hold", "release", "cut_off")


@dataclass(frozen=True)
class Death:
    """How a run failed.

    Attributes:
        number: of the input after which it was seen.
    """

    number: int
    reason: str


class MonkeyApp(DashboardApp):
    """It cannot be left."""

    CSS_PATH = str(Path(app_module.__file__).with_name("app.tcss"))  # else looked for beside this
    left: str = ""

    def exit(
        self, result: None = None, return_code: int = 0, message: object | None = None
    ) -> None:
        """`q` and its yes do nothing; what else ends the app is a fault."""
        if return_code:
            self.left = f"exit with {return_code}: {message}"


def run_app(
    seed: int, size: tuple[int, int], inputs: Sequence[Input], folder: Path
) -> Death | None:
    """Gives all inputs to a new app; None if nothing was wrong.

    Args:
        folder: where output is saved to.
    """
    with _turned_clock(), _confined(folder), _errors() as errors:
        run = _Run(seed, size, errors)
        with _answers_told(run.checks):
            return run_jumping(run.do(inputs))


class _Run:
    def __init__(self, seed: int, size: tuple[int, int], errors: list[str]) -> None:
        self.fleet = FakeFleet(seed)
        self.size = size
        self.errors = errors
        self.checks = Checks(self.fleet.operator)
        self.operator = WaywardOperator(self.fleet.operator, self.checks.called)
        self.input = TerminalInput(debug=False)
        self.app = MonkeyApp(self.operator.open, now=self.fleet.operator.now)

    async def do(self, inputs: Sequence[Input]) -> Death | None:
        asyncio.get_running_loop().set_exception_handler(self._note)
        await self.fleet.fill()
        death = None
        with suppress(Exception):  # what kills an app is raised again when it is left
            async with self.app.run_test(size=self.size, notifications=True, tooltips=True):
                await asyncio.sleep(SETTLES)
                death = await self._give_all(inputs)
                await asyncio.sleep(SETTLES)  # an app that is left in the middle of a key fails
        return death

    async def _give_all(self, inputs: Sequence[Input]) -> Death | None:
        for number, item in enumerate(inputs):
            try:
                await self._give(item)
            except Exception as error:
                return Death(number, _told(error))
            if reason := self._dead():
                return Death(number, reason)
        return await self._answers(len(inputs) - 1)

    async def _answers(self, number: int) -> Death | None:
        """After all that it still does what keys say."""
        shown = []
        for name in (*("escape", "y") * LEAVES_FORMS, "1", "question_mark", "escape"):
            await self._give(Key(name))
            await self._give(Wait(0.1))
            shown.append(type(self.app.screen))
        right = shown[-3:] == [DashboardScreen, HelpScreen, DashboardScreen]
        reason = self._dead() or ("" if right else f"at the end its keys led to {shown}")
        return Death(number, reason) if reason else None

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(_told(error) if error else str(context["message"]))

    def _dead(self) -> str:
        if self.app._exception is not None:
            return _told(self.app._exception)
        problems = [*self.errors, *self.checks.problems]
        return self.app.left or "\n".join(problems)

    async def _give(self, item: Input) -> None:
        match item:
            case Wait(seconds):
                self.fleet.operator.clock += timedelta(seconds=seconds)
                await asyncio.sleep(seconds)
            case Turns(number):
                for _ in range(number):
                    await asyncio.sleep(0)
            case Resize(columns, lines):
                self._resize(columns, lines)
            case Change(kind, number) if kind in TROUBLES:
                self.operator.make_trouble(kind, number)
            case Change(kind, number):
                await self.fleet.change(kind, number)
            case Check():
                await self._check()
            case _:
                await self._send(item)
        self.checks.given(item)

    def _resize(self, columns: int, lines: int) -> None:
        self.size = (columns, lines)
        size = Size(columns, lines)
        self.app._driver._size = size  # type: ignore[union-attr]
        self.app.post_message(events.Resize(size, size))

    async def _send(self, item: Input) -> None:
        driver = self.app._driver
        assert driver is not None
        for piece in as_sent(item, *self.size):
            for message in self.input.feed(piece.encode()):
                driver.process_message(message)
            if self.input.waits:  # an escape that may begin a sequence
                await asyncio.sleep(constants.ESCAPE_DELAY + 0.01)
                for message in self.input.tick():
                    driver.process_message(message)

    async def _check(self) -> None:
        self.operator.ease()
        await asyncio.sleep(SETTLES)  # also for one that was cut off
        self.fleet.tell_figures()
        await asyncio.sleep(SETTLES)
        if not self._dead():
            await self.checks.compare(self.app)


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-14))


@contextmanager
def _errors() -> Iterator[list[str]]:
    """What is logged as an error while the block runs."""
    said: list[str] = []

    class _Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    handler = _Noting(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(handler)


@contextmanager
def _answers_told(checks: Checks) -> Iterator[None]:
    dismiss = ConfirmScreen.dismiss

    def told(screen: ConfirmScreen, result: bool | None = None) -> object:
        if result:
            checks.answered(screen.question)
        return dismiss(screen, result)

    with patch.object(ConfirmScreen, "dismiss", told):
        yield


@contextmanager
def _turned_clock() -> Iterator[None]:
    """Textual looks at the clock of the loop."""

    def now() -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    clocks: tuple[Callable[[], float], ...] = (time.monotonic, time.perf_counter, time.time)
    changed = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("textual")
        for name, value in list(vars(module).items())
        if any(value is clock for clock in clocks)
    ]
    kept = [(module, name, getattr(module, name)) for module, name in changed]
    for module, name in changed:
        setattr(module, name, now)
    try:
        with patch.object(_history, "time", SimpleNamespace(monotonic=now)):
            yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


@contextmanager
def _confined(folder: Path) -> Iterator[None]:
    """Whatever path is typed, output is saved into the folder, and at once."""

    def inside(name: str) -> Path:
        return folder / PurePath(name.replace("..", "").replace("~", "")).name

    async def at_once(act: Callable[..., Any], *arguments: Any) -> Any:
        return act(*arguments)

    with (
        patch.object(save_output, "Path", inside),
        patch.object(save_output, "asyncio", SimpleNamespace(to_thread=at_once)),
    ):
        yield

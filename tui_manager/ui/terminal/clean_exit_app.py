"""An app that ends in order after an error: it logs the traceback and restores the terminal."""

import asyncio
import logging
import signal
from typing import ClassVar

from rich.console import RenderableType
from textual import on
from textual.worker import WorkerFailed

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import ROLE_CLASSES
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.terminal.terminal_driver import BackgroundError, TerminalClosed, TerminalDriver
from tui_manager.ui.terminal.textual_internals import HookedApp

HUNG_UP = 128 + signal.SIGHUP  # what a shell reports of a program that SIGHUP ended
END_SECONDS = 5.0  # that an app gets to end after an error
_TEXT_MAX = 120  # characters of an error that is shown
log = logging.getLogger(__name__)


class CleanExitApp(HookedApp, inherit_bindings=False):
    """Ends after the first error, and keeps how it ended.

    Attributes:
        exit_status: of `exit`; None if it was not called, as after an error.
        failure: the first error in a few words; empty when there was none.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)

    def __init__(self) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.exit_status: int | None = None
        self.failure = ""
        self._failed = asyncio.Event()

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Ends the app without an error."""
        self.exit_status = return_code
        super().exit(result, return_code, message)

    async def run_to_end(self, *, headless: bool = False, seconds: float = END_SECONDS) -> None:
        """Runs until it ends, and restores the terminal.

        Args:
            headless: without a terminal, for tests.
            seconds: how long it may take to end after an error, before it is cancelled.
        """
        running = asyncio.create_task(self.run_async(headless=headless))
        failing = asyncio.create_task(self._failed.wait())
        try:
            await asyncio.wait((running, failing), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((running,), timeout=seconds)
        finally:
            failing.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait((running,), timeout=seconds)
            if isinstance(self.driver, TerminalDriver):
                self.driver.leave_terminal()
        if running.done() and not running.cancelled():
            running.result()

    @on(TerminalClosed)
    def hang_up(self) -> None:
        """Ends without a question, as the terminal is closed. What runs on hosts goes on."""
        if self.return_code != HUNG_UP:
            log.warning("hung up, the dashboard ends")
        self.exit(return_code=HUNG_UP)

    @on(BackgroundError)
    def _raise_here(self, message: BackgroundError) -> None:
        raise message.error

    def report_error(self, error: Exception) -> None:
        """Logs it with its traceback, and keeps the first one in a few words."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        log.error("the screen failed", exc_info=cause)
        self.failure = self.failure or describe_error(cause)

    def panic(self, *renderables: RenderableType) -> None:
        """Prints nothing on the terminal."""
        self.end_after_error()

    def end_after_error(self) -> None:
        """Ends, and prints nothing."""
        super().exit(return_code=1)
        self._failed.set()


def describe_error(error: BaseException) -> str:
    """An error in a few words: its class and its text."""
    text = safe_line(str(error))
    return shorten(f"{type(error).__name__}: {text}" if text else type(error).__name__, _TEXT_MAX)

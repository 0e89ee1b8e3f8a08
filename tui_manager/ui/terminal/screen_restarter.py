"""Shows the screen. After an error it builds a new one on the same running manager."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tui_manager.domain.errors import ScreenFailedError
from tui_manager.ui.terminal.clean_exit_app import HUNG_UP, CleanExitApp, describe_error

LIMIT = 3  # failures
WITHIN = 60.0  # seconds; LIMIT failures within them end the dashboard
log = logging.getLogger(__name__)


class ScreenRestarter:
    """Runs one app after another, each on its own event loop.

    Args:
        make_app: builds the app. Its argument is the notice to show, empty the first time.
        log_file: the file with the tracebacks; None if there is none.
        manager_after_quit: what happens to the manager when the dashboard ends.
        monotonic: the clock that counts the failures, in seconds.
        headless: without a terminal, for tests.
    """

    def __init__(
        self,
        make_app: Callable[[str], CleanExitApp],
        log_file: Path | None,
        manager_after_quit: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        headless: bool = False,
    ) -> None:
        self._make_app = make_app
        self._log_file = log_file
        self._end_text = manager_after_quit
        self._monotonic = monotonic
        self._headless = headless
        self._failures: deque[float] = deque(maxlen=LIMIT)
        self._exit_status: int | None = None
        self._shown: tuple[asyncio.AbstractEventLoop, CleanExitApp] | None = None

    def run(self) -> int:
        """Returns the exit status when the operator has quit.

        Raises ScreenFailedError if the screen has failed too often.
        """
        notice = ""
        while True:
            failure = asyncio.run(self._show(notice))
            if self._exit_status is not None:
                return self._exit_status
            self._failures.append(self._monotonic())
            if len(self._failures) == LIMIT and self._failures[-1] - self._failures[0] < WITHIN:
                raise ScreenFailedError(
                    f"The screen failed {LIMIT} times within a minute, the last time with "
                    f"{failure}. {self._tracebacks()} {self._end_text}"
                )
            log_file = self._log_file or "none"
            notice = f"The screen failed ({failure}) and was built anew. Log: {log_file}"

    def _tracebacks(self) -> str:
        if self._log_file is None:
            return "There is no log with the tracebacks."
        return f"The log {self._log_file} has the tracebacks."

    def stop(self, *, hung_up: bool) -> None:
        """Ends the dashboard. A signal handler may call it."""
        self._exit_status = HUNG_UP if hung_up else 0
        if self._shown is not None:
            loop, app = self._shown
            loop.call_soon_threadsafe(app.hang_up if hung_up else app.exit)

    async def _show(self, notice: str) -> str:
        """Shows one app. Returns its error, and sets the exit status if there was none."""
        app: CleanExitApp | None = None
        failure = "an end without a reason"
        try:
            app = self._make_app(notice)
            self._shown = asyncio.get_running_loop(), app
            if self._exit_status is None:
                await app.run_to_end(headless=self._headless)
                if app.exit_status is not None:
                    self._exit_status = app.exit_status
                failure = app.failure or failure
        except Exception as error:
            log.exception("the screen failed")
            failure = (app and app.failure) or describe_error(error)
        finally:
            self._shown = None
        return failure

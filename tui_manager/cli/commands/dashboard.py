"""The dashboard: connects to a running manager, or starts one in this process."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from types import FrameType

from tui_manager.cli.commands.serve import SWITCH_INTERVAL, start_errors
from tui_manager.client.connection import connect_operator
from tui_manager.domain.errors import (
    AlreadyRunningError,
    CannotStartError,
    InvalidInputError,
    ManagerError,
    UnreachableError,
)
from tui_manager.garbage_collection import short_collections
from tui_manager.logs import log_nowhere, log_to_file, redirect_stderr_for_dashboard
from tui_manager.operator.actor import this_actor
from tui_manager.operator.api import Operator
from tui_manager.settings import Settings, check_security

OpenOperator = Callable[[], AbstractAsyncContextManager[Operator]]


def run_dashboard(settings: Settings) -> int:
    """Shows the dashboard until it is left, and returns the exit status."""
    check_terminal("`tui-manager serve` runs a manager without one")
    log_file, no_log = _log(settings)
    with redirect_stderr_for_dashboard(log_file):
        if (refusal := no_log or _refusal(settings)) is None:
            return _start_or_join(settings, log_file)
        # It cannot start a manager, but it can connect to a running one.
        if not asyncio.run(_answers(settings)):
            raise refusal
        return _join(settings, log_file, f"{no_log} This dashboard has no log." if no_log else "")


def _log(settings: Settings) -> tuple[Path | None, ManagerError | None]:
    """The log file; or None and the reason. A manager needs one; a dashboard that connects does
    not."""
    try:
        with start_errors():
            return log_to_file(settings), None
    except CannotStartError as error:
        log_nowhere()
        return None, error


def check_terminal(instead: str) -> None:
    """Raises InvalidInputError if there is no terminal; it says what to do `instead`."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidInputError("terminal", f"The dashboard needs a terminal; {instead}.")


def show(
    open_operator: OpenOperator,
    log_file: Path | None,
    settings: Settings,
    *,
    joined: bool = False,
    quit_text: str = "",
    first_notice: str = "",
) -> int:
    """Shows the dashboard until the operator quits, SIGTERM or SIGHUP arrives, or the terminal is
    closed. An error of the screen is logged, and the screen is built again.

    `quit_text` says what ends with the dashboard, for the question before the operator quits;
    `first_notice` is shown at the start.

    Raises ScreenFailedError if the screen has failed too often.
    """
    from tui_manager.ui.app import DashboardApp
    from tui_manager.ui.forms.questions import manager_after_quit
    from tui_manager.ui.preferences import preferences_of
    from tui_manager.ui.terminal.screen_restarter import ScreenRestarter

    preferences = preferences_of(
        settings.keys, settings.theme, settings.notify, settings.notify_after
    )

    def make_app(notice: str) -> DashboardApp:
        return DashboardApp(
            open_operator,
            joined=joined,
            quit_text=quit_text,
            notice=notice or first_notice,
            preferences=preferences,
            state_dir=named_state_dir(settings),
            place=_place(),
        )

    screens = ScreenRestarter(
        make_app, log_file, manager_after_quit(joined=joined, quit_text=quit_text)
    )

    def leave(number: int, _frame: FrameType | None) -> None:
        screens.stop(hung_up=number == signal.SIGHUP)

    sys.setswitchinterval(SWITCH_INTERVAL)
    with short_collections(), signal_handlers((signal.SIGTERM, signal.SIGHUP), leave):
        return screens.run()


def named_state_dir(settings: Settings) -> str:
    """The state folder as a command line must name it; empty for the one of this user."""
    return "" if settings.state_dir == Settings().state_dir else str(settings.state_dir)


def _place() -> str:
    """Who works where: `ops@m1`."""
    user = this_actor().partition("@")[0]
    return f"{user}@{socket.gethostname().partition('.')[0]}"


@contextmanager
def signal_handlers(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Within the block, `handler` handles these signals."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def opened(operator: Operator) -> OpenOperator:
    """Provides the operator of a manager in this process, which needs no opening."""

    @asynccontextmanager
    async def provide() -> AsyncIterator[Operator]:
        yield operator

    return provide


def _start_or_join(settings: Settings, log_file: Path | None) -> int:
    from tui_manager.run_manager import manager_thread

    with suppress(AlreadyRunningError), ExitStack() as stack:
        with start_errors():
            manager = stack.enter_context(manager_thread(settings))
        return show(opened(manager.operator), log_file, settings)
    return _join(settings, log_file)


def _join(settings: Settings, log_file: Path | None, notice: str = "") -> int:
    return show(
        lambda: connect_operator(settings.state_dir),
        log_file,
        settings,
        joined=True,
        first_notice=notice,
    )


def _refusal(settings: Settings) -> InvalidInputError | None:
    """Why no manager may be started with these settings."""
    try:
        check_security(settings)
    except InvalidInputError as error:
        return error
    return None


async def _answers(settings: Settings) -> bool:
    """Whether a manager runs on the state folder."""
    try:
        async with connect_operator(settings.state_dir) as operator:
            await operator.manager_status()
    except UnreachableError:
        return False
    return True

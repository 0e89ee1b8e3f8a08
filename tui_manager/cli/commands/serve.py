"""`tui-manager serve`: the manager without a screen."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from tui_manager_protos.background_log import FLUSH_TIMEOUT, write_all

from tui_manager.domain.errors import CannotStartError, StorageError
from tui_manager.domain.manager.address import split_address
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.garbage_collection import short_collections
from tui_manager.logs import flush_log, log_to_stderr
from tui_manager.settings import Settings, check_security

log = logging.getLogger(__name__)
# Seconds that a thread keeps the interpreter while another one waits for it: the loop while the
# writer's thread waits, and in the dashboard the manager's threads while the screen waits.
SWITCH_INTERVAL = 0.0005


@contextmanager
def start_errors() -> Iterator[None]:
    """Turns a StorageError within the block into a CannotStartError."""
    try:
        yield
    except StorageError as error:
        raise CannotStartError(str(error)) from error


def run_serve(settings: Settings) -> int:
    """Runs a manager until a signal stops it, and returns the exit status."""
    check_security(settings)
    log_to_stderr()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with short_collections():
            return asyncio.run(_serve(settings))
    finally:
        flush_log()


async def _serve(settings: Settings) -> int:
    from tui_manager.run_manager import run_manager

    stop: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stop, number)
    async with AsyncExitStack() as stack:
        with start_errors():
            manager = await stack.enter_async_context(run_manager(settings))
        status = await manager.operator.manager_status()
        printing = _print(f"{listening_line(status, manager.metrics_address)}\n")
        number = await stop
        log.info("stopping", extra={"signal": number.name})
    printing.join(FLUSH_TIMEOUT)
    return 0


def _print(text: str) -> threading.Thread:
    """Writes to stdout in a separate daemon thread, so that a stopped terminal or a full pipe does
    not block the manager."""

    def write() -> None:
        try:
            if sys.stdout is not None:
                write_all(sys.stdout.fileno(), text)
        except OSError as error:
            log.warning("the address could not be printed", extra={"error": error})

    thread = threading.Thread(target=write, name="print", daemon=True)
    thread.start()
    return thread


def listening_line(status: ManagerStatus, metrics_address: str = "") -> str:
    """The line with the addresses for agents, enrolment and metrics, the security, and where the
    data are."""
    enrolling = ""
    if status.enroll_address:
        host, port = split_address(status.enroll_address)
        same = host == split_address(status.address)[0]
        enrolling = f", enrolment on {f':{port}' if same else status.enroll_address}"
    metrics = f", metrics on http://{metrics_address}/metrics" if metrics_address else ""
    database = f", database {status.database}" if status.database else ""
    return (
        f"listening on {status.address} {status.security}{enrolling}{metrics}, "
        f"state in {status.state_dir}{database}"
    )


def _stop(stop: "asyncio.Future[signal.Signals]", number: signal.Signals) -> None:
    if not stop.done():
        stop.set_result(number)

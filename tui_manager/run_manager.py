"""Puts the parts of the manager together, and starts and stops them in order."""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

import tui_manager
from tui_manager import state_dir, state_files
from tui_manager.domain.errors import AlreadyRunningError, StorageError
from tui_manager.domain.manager.address import split_address
from tui_manager.manager_parts import Parts, assemble
from tui_manager.operator.api import Operator
from tui_manager.operator.cross_thread import CrossThreadOperator
from tui_manager.operator.inprocess.inprocess import InProcessOperator
from tui_manager.operator.inprocess.manager_status import Identity
from tui_manager.operator.socket.server.server import serve_operator
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.core import NotLeadingError
from tui_manager.service.core.statistics import Statistics
from tui_manager.service.dispatch.command_contents import CommandContents
from tui_manager.service.managers.leadership import leave
from tui_manager.settings import Settings, advertised_address, enroll_address, manager_name
from tui_manager.storage.engine.database import Database, open_database
from tui_manager.storage.engine.writer import OnTransaction
from tui_manager.transport.ports import grpc_wake_ups, port_limits
from tui_manager.transport.ports.enrollment_port import (
    MESSAGE_MAX,
    EnrollmentServicer,
    serve_enrollment,
)
from tui_manager.transport.ports.port_limits import Timeouts
from tui_manager.transport.sessions.command_port import CommandService, serve_agents
from tui_manager.transport.sessions.file_messages import FileMessages
from tui_manager.transport.sessions.file_parts import FileShare
from tui_manager.transport.sessions.handshake import Handshake
from tui_manager.transport.sessions.large_commands import LargeCommands
from tui_manager.transport.sessions.output_windows import OutputWindows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningManager:
    """A manager that runs.

    Attributes:
        operator: the operator's API.
        address: for agents, with the real port.
        enroll_address: for enrolment, with the real port; empty: without TLS there is none.
        security: "mTLS" or "insecure".
        metrics_address: where metrics are served, with the real port; empty: nowhere.
    """

    operator: Operator
    address: str
    manager_id: str
    enroll_address: str
    security: str
    metrics_address: str = ""


@contextlib.asynccontextmanager
async def run_manager(
    settings: Settings, clock: Clock | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[RunningManager]:
    """Runs a manager on this event loop until the block is left.

    Args:
        clock, timeouts: for tests; None: the usual ones.

    Raises:
        AlreadyRunningError: another manager has locked the state folder.
        StorageError: the state folder or the database cannot be used.
        InvalidInputError: an address cannot be listened on, certificates cannot be used, or the
            client for PostgreSQL or NATS is missing.
    """
    clock, feed = clock or Clock(), ChangeFeed()
    statistics = Statistics(feed, clock)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(grpc_wake_ups.wake_ups_through_a_pipe())
        folder = settings.state_dir
        stack.enter_context(state_dir.hold(folder))
        database = await stack.enter_async_context(
            _open_database(settings, statistics.record_transaction)
        )
        try:
            parts = await assemble(settings, database, feed, statistics, clock)
        except Exception:  # opening the database may have made it the leader
            await leave(database, clock.stamp())
            raise
        stack.callback(parts.core.command_log.flush)
        stack.push_async_callback(parts.files.close)
        await parts.files.begin()
        if settings.database:
            state_dir.note_database(folder, settings.database, parts.core.manager_id)
        stack.push_async_callback(parts.leadership.stop)
        await parts.leadership.begin()
        if parts.leadership.leads:
            with contextlib.suppress(NotLeadingError):
                # Before a host can be sent what is not allowed any more.
                await parts.rollout_loop.run_once()
                await parts.notification_service.begin()  # before a task can end
        await stack.enter_async_context(_background(parts))
        serving = _serve_hosts(settings, parts, timeouts or Timeouts())
        address, enrolling = await stack.enter_async_context(serving)
        stack.callback(parts.dispatch.close)  # before the sessions end
        await parts.leadership.tell_address(advertised_address(settings, address))
        operator = _operator(settings, parts, address, enrolling)
        await stack.enter_async_context(serve_operator(operator, folder))
        metrics = await stack.enter_async_context(_serve_metrics(settings, parts))
        stack.callback(database.stop_retrying)
        stack.callback(feed.close)  # first: an open watch would delay the rest
        log.info("manager started", extra={"manager": parts.core.manager_id, "address": address})
        yield RunningManager(
            operator,
            address,
            parts.core.manager_id,
            enrolling,
            operator.identity.security,
            metrics,
        )
        log.info("manager stops", extra={"manager": parts.core.manager_id})


@contextlib.asynccontextmanager
async def _open_database(
    settings: Settings, on_transaction: OnTransaction
) -> AsyncIterator[Database]:
    """Opens the database of the settings, if it is that of the state folder's manager."""
    folder, url = settings.state_dir, settings.database
    state_dir.refuse_wrong_database(folder, url)
    async with contextlib.AsyncExitStack() as stack:
        opening = open_database(
            url or folder / state_files.DATABASE,
            on_transaction,
            functools.partial(state_dir.check_manager, folder),
            state_dir.gateway_key(folder) if url else "",
        )
        try:
            database = await stack.enter_async_context(opening)
        except AlreadyRunningError as error:  # elsewhere: no dashboard can connect to it
            raise StorageError(str(error)) from error
        yield database


@contextlib.asynccontextmanager
async def _serve_hosts(
    settings: Settings, parts: Parts, timeouts: Timeouts
) -> AsyncIterator[tuple[str, str]]:
    """Listens on both ports, and yields their addresses."""
    room, tls, core = port_limits.share_open_files(), parts.tls, parts.core
    secure = tls is not None
    large = LargeCommands(CommandContents(core), core.clock.monotonic)
    share = FileShare(parts.files, core.statistics.count_sent_files, core.clock.monotonic)
    windows = OutputWindows(core.limits, parts.sessions, lambda: parts.hosts.count)
    handshake = Handshake(
        core, parts.hosts, parts.sessions, large, share, windows, timeouts, secure=secure
    )
    security = tls.security() if tls else None
    about_files = FileMessages(parts.hosts, parts.transfers)
    service = CommandService(
        handshake, parts.hosts, parts.reports, about_files, windows, core.clock, security
    )
    serving = serve_agents(
        service,
        core,
        parts.hosts,
        parts.sessions,
        large,
        share,
        windows,
        settings.listen,
        port_limits.options(timeouts, room.commands, core.limits.max_message),
        tls.credentials.commands.credentials if tls else None,
    )
    async with contextlib.aclosing(parts.transfers.fetches), serving as address:
        if tls is None:
            yield address, ""
            return
        enrolling = serve_enrollment(
            EnrollmentServicer(
                core.manager_id, tls.enrollment, tls.certificates, core.clock.monotonic
            ),
            enroll_address(settings),
            port_limits.options(timeouts.for_enrollment(), room.enrollment, MESSAGE_MAX),
            tls.credentials.enrollment.credentials,
            timeouts,
        )
        async with enrolling as enrolling_address:
            port = split_address(enrolling_address)[1]
            is_next = port == split_address(address)[1] + 1
            tls.enroll_port = None if is_next else port
            yield address, enrolling_address


@contextlib.asynccontextmanager
async def _serve_metrics(settings: Settings, parts: Parts) -> AsyncIterator[str]:
    """Serves metrics if the settings say so, and yields the address; empty: they do not."""
    if not settings.metrics:
        yield ""
        return
    from tui_manager.metrics.manager_source import ManagerSource
    from tui_manager.metrics.serve_metrics import serve_metrics
    from tui_manager.metrics.unended_work import FollowedWork

    source = ManagerSource(
        parts.core,
        parts.clock_watch,
        FollowedWork(parts.core),
        settings.state_dir,
        tui_manager.__version__,
        manager_name(settings),
    )
    async with serve_metrics(settings.metrics, source) as address:
        yield address


@contextlib.asynccontextmanager
async def _background(parts: Parts) -> AsyncIterator[None]:
    """The background tasks: sending, the place among other managers, messages to them, planning,
    stalls, statistics, audit, clock, certificates. If one fails, the manager ends."""
    owner = asyncio.current_task()
    failures: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical(
                "a background task failed", exc_info=error, extra={"part": task.get_name()}
            )
            failures.append(error)
            if owner:
                owner.cancel()

    running = [
        asyncio.create_task(parts.dispatch.run(), name="dispatch"),
        asyncio.create_task(parts.leadership.run(), name="leadership"),
        asyncio.create_task(parts.planning.run(), name="planning"),
        asyncio.create_task(parts.stalls.run(), name="stalls"),
        asyncio.create_task(parts.core.statistics.run(), name="statistics"),
        asyncio.create_task(parts.core.violations.audit.run(), name="audit"),
        asyncio.create_task(parts.clock_watch.run(), name="clock"),
        asyncio.create_task(parts.notifier.run(), name="notifier"),
        asyncio.create_task(parts.hosts.store_ends(), name="ends of sessions"),
        asyncio.create_task(parts.files_clean_up.run(), name="clean-up of files"),
    ]
    if shared := parts.shared:
        running += [
            asyncio.create_task(shared.bridge.run(), name="changes of other managers"),
            asyncio.create_task(shared.hosts.run(), name="hosts that are not back"),
            asyncio.create_task(shared.vitals.run(), name="vitals of other managers"),
            asyncio.create_task(shared.running.run(), name="commands of other managers"),
            asyncio.create_task(shared.watch.run(), name="database watch"),
        ]
    if parts.tls:
        fresh = parts.tls.credentials.renew_forever()
        running.append(asyncio.create_task(fresh, name="certificates"))
    for task in running:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        if failures:
            raise failures[0]


def _operator(settings: Settings, parts: Parts, address: str, enrolling: str) -> InProcessOperator:
    identity = Identity(
        manager_id=parts.core.manager_id,
        state_dir=settings.state_dir,
        address=address,
        security="mTLS" if parts.tls else "insecure",
        started_at=parts.core.clock.now(),
        enroll_address=enrolling,
        database=parts.core.database.place,
        name=manager_name(settings),
    )
    return InProcessOperator(
        identity,
        parts.core,
        parts.hosts,
        parts.tasks,
        parts.clock_watch,
        tokens=parts.tls.enrollment if parts.tls else None,
        admissions=parts.admissions,
        host_management=parts.host_management,
        templates=parts.templates,
        schedules=parts.schedules,
        files=parts.files,
        notification_service=parts.notification_service,
    )


@contextlib.contextmanager
def manager_thread(settings: Settings) -> Iterator[RunningManager]:
    """Runs a manager on an event loop in its own thread until the block is left.

    The operator that it yields may be used from any other loop. Raises what `run_manager` raises.
    """
    ready: Future[tuple[RunningManager, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        async with run_manager(settings) as manager:
            ready.set_result((manager, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if ready.done():
                log.exception("the manager has failed")
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="manager")
    thread.start()
    try:
        manager, loop, _ = ready.result()
        operator = CrossThreadOperator(manager.operator, loop)
        yield replace(manager, operator=operator)
    finally:
        wait([ready])  # also if a signal interrupts the start, what was started is stopped in order
        if not ready.exception():
            _, loop, stop = ready.result()
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has failed already
                loop.call_soon_threadsafe(stop.set)
        thread.join()

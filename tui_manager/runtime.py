"""Puts the parts of the manager together, and starts and stops them in order."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from tui_manager import state_dir
from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.errors import IllegalMoveError
from tui_manager.domain.window import Page, Window
from tui_manager.operator.api import Operator
from tui_manager.operator.hop import HoppingOperator
from tui_manager.operator.inprocess import Identity, InProcessOperator
from tui_manager.operator.server import serve_operator
from tui_manager.service.change_feed import ChangeFeed
from tui_manager.service.clock import Clock
from tui_manager.service.directory import Directory
from tui_manager.service.dispatch import Dispatch
from tui_manager.service.hosts import HostService
from tui_manager.service.limits import Limits
from tui_manager.service.offences import Offences
from tui_manager.service.receiving import ReportService
from tui_manager.service.silence import Silence
from tui_manager.service.statistics import Statistics
from tui_manager.service.tasks import TaskService
from tui_manager.settings import Settings
from tui_manager.storage import command_hosts, hosts, meta
from tui_manager.storage.database import FILE, Database, open_database
from tui_manager.transport.server import CommandService, serve_agents
from tui_manager.transport.sessions import Sessions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningManager:
    """A manager that listens.

    Attributes:
        operator: everything an operator can do.
        address: where agents dial in, with the real port.
    """

    operator: Operator
    address: str
    manager_id: str


@dataclass(slots=True)
class _Parts:
    manager_id: str
    database: Database
    directory: Directory
    feed: ChangeFeed
    statistics: Statistics
    sessions: Sessions
    dispatch: Dispatch
    silence: Silence
    hosts: HostService
    receiving: ReportService
    offences: Offences
    tasks: TaskService
    clock: Clock
    limits: Limits


def _limits(settings: Settings) -> Limits:
    return Limits(
        lost_after=settings.lost_after,
        heartbeat=settings.heartbeat,
        kill_grace=settings.kill_grace,
        output_limit=settings.output_limit,
        free_disk=settings.free_disk,
        groups=settings.groups,
    )


async def _assemble(
    settings: Settings, database: Database, feed: ChangeFeed, statistics: Statistics, clock: Clock
) -> _Parts:
    limits, directory, sessions = _limits(settings), Directory(), Sessions()
    manager_id = await database.write(lambda tx: meta.manager_id(tx, clock.stamp()))
    with_work = await database.read(command_hosts.hosts_with_work)
    directory.load(await database.read(hosts.all_hosts), clock.monotonic(), set(with_work))
    dispatch = Dispatch(database, sessions, directory, feed, statistics, clock, limits)
    offences = Offences(database, feed, statistics, clock)
    host_service = HostService(
        manager_id, database, directory, dispatch, feed, statistics, clock, limits, offences
    )
    receiving = ReportService(database, directory, dispatch, feed, statistics, clock, offences)
    task_service = TaskService(
        database, sessions, directory, dispatch, receiving, feed, clock, limits
    )
    gauges = statistics.gauges
    gauges.sessions = lambda: len(sessions)
    gauges.write_queue = lambda: database.waiting
    gauges.send_queue = lambda: sessions.waiting
    gauges.database_bytes = lambda: database.size
    return _Parts(
        manager_id=manager_id,
        database=database,
        directory=directory,
        feed=feed,
        statistics=statistics,
        sessions=sessions,
        dispatch=dispatch,
        silence=Silence(database, directory, feed, clock, limits),
        hosts=host_service,
        receiving=receiving,
        offences=offences,
        tasks=task_service,
        clock=clock,
        limits=limits,
    )


@contextlib.asynccontextmanager
async def run_manager(settings: Settings) -> AsyncIterator[RunningManager]:
    """Runs a manager on this event loop until the block is left.

    Raises:
        AlreadyRunningError: another manager holds the state folder.
        StorageError: the state folder or the database cannot be used.
        InvalidInputError: the address cannot be listened on.
    """
    clock, feed = Clock(), ChangeFeed()
    statistics = Statistics(feed, clock)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(state_dir.hold(settings.state_dir))
        path = settings.state_dir / FILE
        database = await stack.enter_async_context(open_database(path, statistics.told))
        parts = await _assemble(settings, database, feed, statistics, clock)
        await stack.enter_async_context(_background(parts))
        service = CommandService(
            parts.manager_id, parts.hosts, parts.receiving, parts.sessions, clock, parts.limits
        )
        address = await stack.enter_async_context(
            serve_agents(service, parts.hosts, parts.sessions, settings.listen, clock, parts.limits)
        )
        stack.callback(parts.dispatch.close)  # before the sessions end
        operator = await _operator(settings, parts, address)
        await stack.enter_async_context(serve_operator(operator, settings.state_dir))
        stack.callback(database.stop_waiting)
        stack.callback(feed.close)  # first: a watch that goes on would hold up the rest
        log.info("manager started", extra={"manager": parts.manager_id, "address": address})
        yield RunningManager(operator, address, parts.manager_id)
        log.info("manager stops", extra={"manager": parts.manager_id})


@contextlib.asynccontextmanager
async def _background(parts: _Parts) -> AsyncIterator[None]:
    """What runs beside the calls: sending, judging silence, counting. One that dies ends all."""
    owner = asyncio.current_task()
    dead: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical(
                "a part of the manager died", exc_info=error, extra={"part": task.get_name()}
            )
            dead.append(error)
            if owner:
                owner.cancel()

    running = [
        asyncio.create_task(parts.dispatch.run(), name="dispatch"),
        asyncio.create_task(parts.silence.run(), name="silence"),
        asyncio.create_task(parts.statistics.run(), name="statistics"),
        asyncio.create_task(parts.offences.audit.run(), name="audit"),
    ]
    for task in running:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        if dead:
            raise dead[0]


async def _operator(settings: Settings, parts: _Parts, address: str) -> InProcessOperator:
    identity = Identity(
        manager_id=parts.manager_id,
        state_dir=settings.state_dir,
        address=address,
        security="insecure",
        started_at=parts.clock.now(),
    )
    return InProcessOperator(
        identity,
        parts.hosts,
        parts.tasks,
        parts.directory,
        parts.feed,
        parts.statistics,
        tokens=None,
        admissions=_NobodyWaits(),
        read_audit=_nothing,
    )


class _NobodyWaits:
    """Admission where hosts are admitted as they come."""

    async def approve(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        raise IllegalMoveError("This manager admits hosts as they come.")

    async def reject(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        raise IllegalMoveError("This manager admits hosts as they come.")

    async def revoke(self, names: Sequence[str], actor: str) -> tuple[str, ...]:
        raise IllegalMoveError("This manager admits hosts as they come.")


async def _nothing(window: Window) -> Page[AuditEntry]:
    return Page((), 0, 0)


@contextlib.contextmanager
def manager_thread(settings: Settings) -> Iterator[RunningManager]:
    """Runs a manager on an event loop in a thread of its own until the block is left.

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
                log.exception("the manager has died")
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="manager")
    thread.start()
    try:
        manager, loop, _ = ready.result()
        operator = HoppingOperator(manager.operator, loop)
        yield RunningManager(operator, manager.address, manager.manager_id)
    finally:
        wait([ready])  # also when a signal ends the start: what has begun is stopped in order
        if not ready.exception():
            _, loop, stop = ready.result()
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has died already
                loop.call_soon_threadsafe(stop.set)
        thread.join()

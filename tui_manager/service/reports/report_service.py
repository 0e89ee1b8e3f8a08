"""ReportService: stores what agents report, and waits while the database cannot take it."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.report import ExecutionReport
from tui_manager.domain.status import TaskStatus
from tui_manager.service.dispatch.dispatch import Claims, Dispatch, Place
from tui_manager.service.hosts.directory import Directory
from tui_manager.service.hosts.violations import Offences
from tui_manager.service.limits import Limits
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.log_lines import LINES, warn_of_each
from tui_manager.service.manager.statistics import Statistics
from tui_manager.service.reports import apply_reports
from tui_manager.service.reports.apply_reports import Applied, Outcome, Received
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables.hosts import HostRow

log = logging.getLogger(__name__)
_RETRY = 1.0  # seconds until a report is tried again when the database cannot be written
_TOGETHER = 500  # reports of one transaction
_BYTES_TOGETHER = 8 << 20  # of output in them: everybody else waits for that long


@dataclass(slots=True)
class _Waiting:
    """A report that is not stored yet.

    Attributes:
        place: where its host can be sent something; None: nowhere now.
        stored: who waits for that.
        answered: `stored` was told, or would have been if nobody had cancelled it.
    """

    host: HostRow
    received: Received
    place: Place | None
    stored: "asyncio.Future[Outcome]"
    answered: bool = False

    def tell(self, outcome: Outcome) -> None:
        """It is stored."""
        self.answered = True
        if not self.stored.done():
            self.stored.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """It is not stored."""
        self.answered = True
        if not self.stored.done():
            self.stored.set_exception(error)


class ReportService:
    """Takes in reports. All that came while the last were being stored are stored together, in one
    transaction, which also takes what their hosts are sent next; each is acknowledged once that is
    durable."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        dispatch: Dispatch,
        feed: ChangeFeed,
        statistics: Statistics,
        clock: Clock,
        offences: Offences,
        limits: Limits,
    ) -> None:
        self._database = database
        self._directory = directory
        self._dispatch = dispatch
        self._feed = feed
        self._statistics = statistics
        self._clock = clock
        self._offences = offences
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._asked = False  # for a transaction, which has not begun yet
        self._storing: set[asyncio.Task[None]] = set()

    async def handle_report(self, host_id: str, report: ExecutionReport) -> Outcome:
        """Stores what an agent reports, whole or not at all, and waits while that cannot be done.
        A caller who is cancelled meanwhile learns of it once what was begun is done.

        Returns:
            What is now in the database for good, and what of the report could not be placed.

        Raises:
            NotFoundError: there is no such host.
            RefusedError: the host was turned away meanwhile.
        """
        entry = self._directory.get(host_id)
        if entry is None:
            raise NotFoundError(f"There is no host {host_id}.")
        now = self._clock.stamp()
        received = Received(entry.row.row_id, report, now, self._limits.kept_since(now))
        while True:
            try:
                outcome = await self._stored(entry.row, received)
            except StorageError:
                await asyncio.sleep(_RETRY)
                continue
            if outcome.refused:
                raise outcome.refused
            return outcome

    async def _stored(self, host: HostRow, received: Received) -> Outcome:
        loop = asyncio.get_running_loop()
        place = self._dispatch.place(host.host_id)
        waiting = _Waiting(host, received, place, loop.create_future())
        self._waiting.append(waiting)
        self._ask()
        try:
            return await waiting.stored
        except asyncio.CancelledError:
            if not waiting.answered:
                waiting.stored = loop.create_future()
                await asyncio.wait([waiting.stored])
            if not waiting.stored.cancelled():
                waiting.stored.exception()  # nobody is left to be told
            raise

    def _ask(self) -> None:
        """Asks for a transaction for what waits, unless one is still to begin."""
        if not self._asked:
            self._asked = True
            storing = asyncio.get_running_loop().create_task(self._store())
            self._storing.add(storing)
            storing.add_done_callback(self._ended)

    def _ended(self, storing: asyncio.Task[None]) -> None:
        """A transaction is over; what did not fit, or came twice of a host, is asked for anew."""
        self._storing.discard(storing)
        if storing.cancelled():
            return
        if error := storing.exception():
            log.error("stored, but not told of", exc_info=error)
        if self._waiting:
            self._ask()

    async def _store(self) -> None:
        """Stores what waits when the transaction begins. If that cannot be done for another reason
        than the database, one of them is to blame, and each is tried alone."""
        taken: list[_Waiting] = []

        def work(tx: Transaction) -> tuple[Applied, Claims]:
            self._asked = False  # before they are taken: who comes now asks again
            if not taken:
                taken.extend(self._take())
            return self._apply(tx, taken)

        try:
            applied, claims = await self._database.write(work, ahead=True)
        except StorageError as error:
            self._asked = False
            for item in taken or self._take():
                item.fail(error)
        except Exception as error:
            if len(taken) == 1:
                taken[0].fail(error)
            else:
                for item in taken:
                    await self._store_alone(item)
        else:
            await self._tell(taken, applied, claims)

    async def _store_alone(self, item: _Waiting) -> None:
        try:
            applied, claims = await self._database.write(lambda tx: self._apply(tx, [item]))
        except Exception as error:
            item.fail(error)
        else:
            await self._tell([item], applied, claims)

    def _take(self) -> list[_Waiting]:
        """What waits, one report a host: a host that was replaced may have two. Called in the
        writer's thread, as work is, while the loop adds more."""
        taken: dict[int, _Waiting] = {}
        again, size = [], 0
        with contextlib.suppress(IndexError):
            while len(taken) < _TOGETHER and size < _BYTES_TOGETHER:
                waiting = self._waiting.popleft()
                if waiting.received.host in taken:
                    again.append(waiting)
                else:
                    taken[waiting.received.host] = waiting
                    size += sum(len(piece.data) for piece in waiting.received.report.output)
        self._waiting.extendleft(reversed(again))
        return list(taken.values())

    def _apply(self, tx: Transaction, waiting: Sequence[_Waiting]) -> tuple[Applied, Claims]:
        """Stores these, and takes what their hosts are sent next."""
        applied = apply_reports.apply(tx, [item.received for item in waiting])
        with_room = [
            item.place
            for item, outcome in zip(waiting, applied.outcomes, strict=True)
            if item.place and outcome.room
        ]
        return applied, self._dispatch.claim(tx, with_room)

    async def _send(self, claims: Claims) -> None:
        try:
            await self._dispatch.hand_over(claims)
        except StorageError as error:  # the next Hello of these hosts takes it back
            log.error("not sent, and not taken back", extra={"error": str(error)})

    async def _tell(self, waiting: Sequence[_Waiting], applied: Applied, claims: Claims) -> None:
        """Tells who waits first: their acknowledgements then go out with what is sent next."""
        for item, outcome in zip(waiting, applied.outcomes, strict=True):
            item.tell(outcome)
        try:
            self._note(waiting, applied)
        finally:
            await self._send(claims)

    def _note(self, waiting: Sequence[_Waiting], applied: Applied) -> None:
        grown, hosts = set[int](), False
        for item, outcome in zip(waiting, applied.outcomes, strict=True):
            host = item.host
            started = (execution_id for _, execution_id in outcome.started)
            ended = (result.execution_id for result in item.received.report.results)
            hosts |= self._directory.runs(host.host_id, started, ended)
            self._count(outcome)
            self._log(host.name, outcome)
            for what in outcome.violations():
                self._offences.violated(host.host_id, host.name, what)
            grown |= outcome.output
        _log_tasks(applied.tasks)
        self._feed.publish(Changes(tasks=frozenset(applied.tasks), output=frozenset(grown)))
        self._feed.publish_figures(Changes(hosts=hosts))

    def _count(self, outcome: Outcome) -> None:
        counters = self._statistics.counters
        counters.results += len(outcome.results)
        counters.late_results += outcome.late
        counters.conflicting_results += len(outcome.conflicts)
        counters.output_bytes += outcome.output_bytes

    def _log(self, host: str, outcome: Outcome) -> None:
        for task_id, execution_id in outcome.started:
            ids = {"task": task_id, "host": host, "execution": execution_id}
            log.info("command started", extra=ids)
        for what, level, results in (
            ("result", logging.INFO, outcome.results),
            ("second, different result ignored", logging.WARNING, outcome.conflicts[:LINES]),
        ):
            for task_id, result in results:
                ids = {"task": task_id, "host": host, "execution": result.execution_id}
                told = {"status": result.status, "reason": result.reason, "exit": result.exit_code}
                log.log(level, what, extra={**ids, **told})
        warn_of_each(log, "report of an unknown execution", host, outcome.unknown)


def _log_tasks(moved: Mapping[int, TaskStatus | None]) -> None:
    for task_id, status in moved.items():
        if status:
            log.info("task is now", extra={"task": task_id, "status": status})

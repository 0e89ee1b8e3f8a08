"""ReportService: stores what agents report, and waits while the database cannot be written."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.hosts.agent_messages import ExecutionReport
from tui_manager.domain.manager.changes import Changes
from tui_manager.service.core.core import Core
from tui_manager.service.dispatch.claim_commands import Claims, ReadySession
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop, NotSent
from tui_manager.service.reports import apply_reports
from tui_manager.service.reports.apply_reports import AppliedReports, ReceivedReport, ReportOutcome
from tui_manager.service.reports.broken_wire_rules import broken_wire_rules
from tui_manager.service.reports.log_reports import log_outcome, log_tasks
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts.hosts import HostRow

log = logging.getLogger(__name__)
_RETRY = 1.0  # seconds until a report is tried again if the database cannot be written
_REPORTS_A_TRANSACTION = 500  # one a host
_ANSWERS_A_TURN = 25  # before others get the event loop: about 4 ms
_BYTES_A_TRANSACTION = 8 << 20  # of output: everybody else waits for that long


@dataclass(slots=True)
class _PendingReport:
    """A report that is not stored yet.

    Attributes:
        session: on which its host may be sent commands; None: on none now.
        came: when it was received; monotonic seconds.
        stored: the caller waits for it.
        answered: `stored` has its result, or would have it if nobody had cancelled it.
    """

    host: HostRow
    received: ReceivedReport
    session: ReadySession | None
    came: float
    stored: "asyncio.Future[ReportOutcome]"
    answered: bool = False

    def set_outcome(self, outcome: ReportOutcome) -> None:
        """It is stored."""
        self.answered = True
        if not self.stored.done():
            self.stored.set_result(outcome)

    def set_error(self, error: Exception) -> None:
        """It is not stored."""
        self.answered = True
        if not self.stored.done():
            self.stored.set_exception(error)


_Answer = tuple[_PendingReport, ReportOutcome]


class ReportService:
    """Stores reports. All reports that arrive while a transaction runs are stored together in the
    next one, which also claims the next commands for their hosts. Each report is acknowledged once
    it is durable."""

    def __init__(self, core: Core, dispatch: DispatchLoop) -> None:
        self._core = core
        self._dispatch = dispatch
        self._pending: deque[_PendingReport] = deque()
        self._scheduled = False  # a transaction, which has not begun yet
        self._storing: set[asyncio.Task[None]] = set()

    async def handle_report(self, host_id: str, report: ExecutionReport) -> ReportOutcome:
        """Stores what an agent reports, all of it or nothing, and waits while that is impossible.
        A caller who is cancelled meanwhile is cancelled once a transaction that has begun ends.

        Returns:
            What is durable now, and what of the report could not be stored.

        Raises:
            NotFoundError: there is no such host.
            RefusedError: the host was turned away meanwhile, or has a newer session elsewhere.
        """
        entry = self._core.directory.get(host_id)
        if entry is None:
            raise NotFoundError(f"There is no host {host_id}.")
        now = self._core.clock.stamp()
        kept_since = self._core.limits.kept_since(now)
        received = ReceivedReport(entry.row.row_id, entry.row.generation, report, now, kept_since)
        came = self._core.clock.monotonic()
        while True:
            try:
                outcome = await self._wait_until_stored(entry.row, received, came)
            except StorageError:
                await asyncio.sleep(_RETRY)
                continue
            if outcome.refused:
                raise outcome.refused
            return outcome

    async def _wait_until_stored(
        self, host: HostRow, received: ReceivedReport, came: float
    ) -> ReportOutcome:
        loop = asyncio.get_running_loop()
        session = self._dispatch.ready_session(host.host_id)
        pending = _PendingReport(host, received, session, came, loop.create_future())
        self._pending.append(pending)
        self._schedule()
        try:
            return await pending.stored
        except asyncio.CancelledError:
            if not pending.answered:
                pending.stored = loop.create_future()
                await asyncio.wait([pending.stored])
            if not pending.stored.cancelled():
                pending.stored.exception()  # read, so that asyncio does not log it
            raise

    def _schedule(self) -> None:
        """Schedules a transaction for the pending reports, unless one is still to begin."""
        if not self._scheduled:
            self._scheduled = True
            storing = asyncio.get_running_loop().create_task(self._store())
            self._storing.add(storing)
            storing.add_done_callback(self._has_ended)

    def _has_ended(self, storing: asyncio.Task[None]) -> None:
        """A transaction has ended. Reports that did not fit, or a second one of a host, are left
        for the next."""
        self._storing.discard(storing)
        if storing.cancelled():
            return
        if error := storing.exception():
            log.error("an error after reports were stored", exc_info=error)
        if self._pending:
            self._schedule()

    async def _store(self) -> None:
        """Stores what is pending when the transaction begins. If that fails and the database is not
        the reason, one of the reports is, and each is tried alone."""
        batch: list[_PendingReport] = []
        taken = False

        def work(tx: Transaction) -> tuple[AppliedReports, Claims]:
            nonlocal taken
            if not taken:  # a unit of work may run again, with the same reports
                taken = True
                self._scheduled = False  # before they are taken: a later report schedules again
                batch.extend(self._take_batch())
            return self._apply(tx, batch)

        try:
            applied, claims = await self._core.database.write(work, early=True)
        except StorageError as error:
            if not taken:
                self._scheduled = False
                batch = self._take_batch()
            for item in batch:
                item.set_error(error)
        except Exception as error:
            if len(batch) == 1:
                batch[0].set_error(error)
            else:
                for item in batch:
                    await self._store_alone(item)
        else:
            await self._answer(batch, applied, claims)

    async def _store_alone(self, item: _PendingReport) -> None:
        try:
            applied, claims = await self._core.database.write(lambda tx: self._apply(tx, [item]))
        except Exception as error:
            item.set_error(error)
        else:
            await self._answer([item], applied, claims)

    def _take_batch(self) -> list[_PendingReport]:
        """Pending reports, one a host: a host whose session was replaced may have two. Called in
        the writer's thread while the loop adds more."""
        batch: dict[int, _PendingReport] = {}
        again, size = [], 0
        with contextlib.suppress(IndexError):
            while len(batch) < _REPORTS_A_TRANSACTION and size < _BYTES_A_TRANSACTION:
                item = self._pending.popleft()
                if item.received.host in batch:
                    again.append(item)
                else:
                    batch[item.received.host] = item
                    size += sum(len(piece.data) for piece in item.received.report.output)
        self._pending.extendleft(reversed(again))
        return list(batch.values())

    def _apply(
        self, tx: Transaction, batch: Sequence[_PendingReport]
    ) -> tuple[AppliedReports, Claims]:
        """Stores these reports, and claims the next commands for their hosts."""
        gateway = self._core.database.gateway
        applied = apply_reports.apply(tx, gateway, [item.received for item in batch])
        with_room = [
            item.session
            for item, outcome in zip(batch, applied.outcomes, strict=True)
            if item.session and outcome.has_room
        ]
        return applied, self._dispatch.claim_fenced(tx, with_room)

    async def _answer(
        self, batch: Sequence[_PendingReport], applied: AppliedReports, claims: Claims
    ) -> None:
        """Answers the callers first: so one message carries the acknowledgement and the next
        command. This is done for a few reports at a time, and the loop is left to others between
        them."""
        answers = list(zip(batch, applied.outcomes, strict=True))
        not_sent: list[NotSent] = []
        try:
            for number, (portion, commands) in enumerate(_portions(answers, claims)):
                if number:
                    await asyncio.sleep(0)
                for item, outcome in portion:
                    item.set_outcome(outcome)
                try:
                    self._record(portion)
                except Exception:
                    log.exception("an error after reports were stored")
                not_sent += await self._dispatch.hand_over(commands)
        finally:
            for item, outcome in answers:
                item.set_outcome(outcome)
        self._publish(applied)
        try:
            await self._dispatch.mark_unsent(not_sent)
        except StorageError as error:  # the next Hello of these hosts marks them as unsent
            log.error("commands are marked as sent, and are not", extra={"error": str(error)})

    def _record(self, answers: Sequence[_Answer]) -> None:
        """Notes in memory and in the log what these reports changed."""
        hosts = False
        for item, outcome in answers:
            host = item.host
            started = (execution_id for _, execution_id in outcome.started)
            ended = (result.execution_id for result in item.received.report.results)
            hosts |= self._core.directory.update_running(host.host_id, started, ended)
            self._count(outcome)
            self._measure(item, outcome)
            log_outcome(self._core.command_log, host.name, outcome)
            for what in broken_wire_rules(outcome):
                self._core.violations.record_violation(host.host_id, host.name, what)
        self._core.feed.publish_figures(Changes(hosts=hosts))

    def _publish(self, applied: AppliedReports) -> None:
        """Tells watchers which tasks have changed."""
        log_tasks(applied.tasks)
        output = frozenset(task_id for outcome in applied.outcomes for task_id in outcome.output)
        self._core.feed.publish(Changes(tasks=frozenset(applied.tasks), output=output))

    def _count(self, outcome: ReportOutcome) -> None:
        counters = self._core.statistics.counters
        counters.results += len(outcome.results)
        counters.late_results += outcome.late
        counters.conflicting_results += len(outcome.conflicts)
        counters.output_bytes += outcome.output_bytes

    def _measure(self, item: _PendingReport, outcome: ReportOutcome) -> None:
        """Takes the times of commands that have begun or ended. Those of their hosts are ages, so
        no clock of a host is needed."""
        timings, report = self._core.statistics.timings, item.received.report
        entry = self._core.directory.get(item.host.host_id)
        sent = entry.session.sent if entry and entry.session else {}
        for started in report.started:
            if (at := sent.pop(started.execution_id, None)) is not None:
                timings.start_delay.observe(item.came - started.age.total_seconds() - at)
        for result in report.results:
            at, ran = sent.pop(result.execution_id, None), result.duration
            if at is not None and ran is not None:
                timings.start_delay.observe(item.came - (result.age + ran).total_seconds() - at)
        stored = self._core.clock.monotonic()
        for _, result in outcome.results:
            timings.result_delay.observe(stored - item.came + result.age.total_seconds())
            if result.duration is not None:
                timings.command.observe(result.duration.total_seconds())


def _portions(
    answers: Sequence[_Answer], claims: Claims
) -> Iterator[tuple[Sequence[_Answer], Claims]]:
    """The answers in portions, each with the commands that were claimed for its hosts. The first
    portion has what else was claimed."""
    commands, rest = claims.by_host(), replace(claims, commands=[])
    for first in range(0, len(answers), _ANSWERS_A_TURN):
        portion = answers[first : first + _ANSWERS_A_TURN]
        found = [one for item, _ in portion for one in commands.get(item.host.row_id, ())]
        yield portion, replace(rest, commands=found)
        rest = Claims()

"""ReportService: stores what agents report, and waits while the database cannot take it."""

import asyncio
import logging

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import NotFoundError, StorageError
from tui_manager.domain.report import ExecutionReport
from tui_manager.service import reports
from tui_manager.service.change_feed import ChangeFeed
from tui_manager.service.clock import Clock
from tui_manager.service.directory import Directory
from tui_manager.service.dispatch import Dispatch
from tui_manager.service.log_lines import warn_of_each
from tui_manager.service.offences import Offences
from tui_manager.service.statistics import Statistics
from tui_manager.service.whole import whole
from tui_manager.storage.database import Database
from tui_manager.storage.hosts import HostRow

log = logging.getLogger(__name__)
_RETRY = 1.0  # seconds until a report is tried again when the database cannot be written


class ReportService:
    """Takes in reports: one transaction each, acknowledged once that is durable."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        dispatch: Dispatch,
        feed: ChangeFeed,
        statistics: Statistics,
        clock: Clock,
        offences: Offences,
    ) -> None:
        self._database = database
        self._directory = directory
        self._dispatch = dispatch
        self._feed = feed
        self._statistics = statistics
        self._clock = clock
        self._offences = offences

    async def handle_report(self, host_id: str, report: ExecutionReport) -> reports.Outcome:
        """Stores what an agent reports, in one transaction, and waits while that cannot be done.

        Returns:
            What is now in the database for good, and what of the report could not be placed.

        Raises:
            NotFoundError: there is no such host.
            RefusedError: the host was turned away meanwhile.
        """
        entry = self._directory.get(host_id)
        if entry is None:
            raise NotFoundError(f"There is no host {host_id}.")
        received = self._clock.stamp()
        while True:
            try:
                return await whole(self._store(entry.row, report, received))
            except StorageError:
                await asyncio.sleep(_RETRY)

    async def _store(
        self, host: HostRow, report: ExecutionReport, received: int
    ) -> reports.Outcome:
        outcome = await self._database.write(
            lambda tx: reports.apply(tx, host.row_id, report, received)
        )
        if outcome.more_to_send:
            self._dispatch.kick([host.host_id])
        self._directory.runs(host.host_id, outcome.running)
        self._count(outcome)
        self._log(host.name, outcome)
        for what in outcome.violations():
            self._offences.violated(host.host_id, host.name, what)
        changed, grown = frozenset(outcome.tasks), frozenset(outcome.output)
        self._feed.publish(Changes(hosts=bool(outcome.running), tasks=changed, output=grown))
        return outcome

    def _count(self, outcome: reports.Outcome) -> None:
        counters = self._statistics.counters
        counters.results += len(outcome.results)
        counters.late_results += outcome.late
        counters.conflicting_results += len(outcome.conflicts)
        counters.output_bytes += outcome.output_bytes

    def _log(self, host: str, outcome: reports.Outcome) -> None:
        for task_id, execution_id in outcome.started:
            ids = {"task": task_id, "host": host, "execution": execution_id}
            log.info("command started", extra=ids)
        for what, level, results in (
            ("result", logging.INFO, outcome.results),
            ("second, different result ignored", logging.WARNING, outcome.conflicts),
        ):
            for task_id, result in results:
                ids = {"task": task_id, "host": host, "execution": result.execution_id}
                told = {"status": result.status, "reason": result.reason, "exit": result.exit_code}
                log.log(level, what, extra={**ids, **told})
        for task_id, status in outcome.tasks.items():
            if status:
                log.info("task is now", extra={"task": task_id, "status": status})
        warn_of_each(log, "report of an unknown execution", host, outcome.unknown)

"""What the manager counts: figures for the dashboard and for metrics, and a line in the log every
minute."""

import asyncio
import logging
import re
import statistics
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta

import psutil
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.gateway import ManagerGroup
from tui_manager.domain.manager.manager_status import Health
from tui_manager.service.core.change_feed import ChangeFeed
from tui_manager.service.core.clock import Clock
from tui_manager.service.core.histogram import LONG_SECONDS, SIZES, Histogram
from tui_manager.storage.engine.metric_counters import Act, ActCounts

log = logging.getLogger(__name__)
_TICK = 1.0  # seconds between two sets of figures
_LOG_EVERY = 60  # ticks
_WAITED = re.compile(r" for [0-9]+ s\b")  # in an error, which is not another one each second
_ERROR_LASTS = 3.0  # seconds: a small write may succeed on a full disk, and the next one fails


@dataclass(slots=True)
class Counters:
    """Counted since the start. A rate is the difference of two counts.

    Attributes:
        file_bytes_sent, file_bytes_received: of copies and fetches, as connections carried them.
    """

    sent: int = 0
    results: int = 0
    late_results: int = 0
    conflicting_results: int = 0
    output_bytes: int = 0
    file_bytes_sent: int = 0
    file_bytes_received: int = 0
    refusals: int = 0
    violations: int = 0
    bad_tokens: int = 0
    failed_transactions: int = 0


@dataclass(slots=True)
class Timings:
    """How figures were distributed since the start.

    Attributes:
        commit: seconds of transactions that were committed, from the queue on.
        units: units of work in each of these.
        loop_lag: seconds by which the manager's loop ran a timer too late.
        start_delay: seconds from handing a command to a session until it began on its host.
        command: seconds that commands ran, by the clocks of their hosts.
        result_delay: seconds from the end of a command on its host until its result was stored.
        schedule_delay: seconds from the due time of a schedule until its task was started.
    """

    commit: Histogram = field(default_factory=Histogram)
    units: Histogram = field(default_factory=lambda: Histogram(SIZES))
    loop_lag: Histogram = field(default_factory=Histogram)
    start_delay: Histogram = field(default_factory=Histogram)
    command: Histogram = field(default_factory=lambda: Histogram(LONG_SECONDS))
    result_delay: Histogram = field(default_factory=Histogram)
    schedule_delay: Histogram = field(default_factory=lambda: Histogram(LONG_SECONDS))


@dataclass(slots=True)
class Gauges:
    """Where current figures are read from: lengths of queues, sizes, and sentences about what is
    wrong with the files of the database or with the operator's certificates; empty: nothing.

    Attributes:
        managers: how all managers of the database stand; without any: this one is alone.
        notifier_problem: why managers cannot tell each other of changes; empty: they can.
        clock_ahead: how far the clock of this machine is ahead of the database's; negative: behind.
        certificates: when each certificate of the manager ends, by what it is for.
    """

    sessions: Callable[[], int] = lambda: 0
    write_queue: Callable[[], int] = lambda: 0
    send_queue: Callable[[], int] = lambda: 0
    database_bytes: Callable[[], int] = lambda: 0
    log_bytes: Callable[[], int] = lambda: 0
    storage_problem: Callable[[], str] = lambda: ""
    certificate_problem: Callable[[], str] = lambda: ""
    managers: Callable[[], ManagerGroup] = ManagerGroup
    notifier_problem: Callable[[], str] = lambda: ""
    clock_ahead: Callable[[], timedelta] = timedelta
    certificates: Callable[[], Mapping[str, datetime]] = dict


@dataclass(slots=True)
class Statistics:
    """Counts, and makes figures of the counts once a second.

    Attributes:
        counted: what was committed or has happened since the start, by act and labels.
        storage_error: why the database cannot be written now. It is emptied once a write has
            succeeded and nothing has failed for `_ERROR_LASTS`.
        authority_error: why no certificates can be issued now; empty: they can.
        stuck_rollouts: tasks whose rollout stands still, because what is stored of it contradicts
            itself.
    """

    feed: ChangeFeed
    clock: Clock
    counters: Counters = field(default_factory=Counters)
    timings: Timings = field(default_factory=Timings)
    counted: ActCounts = field(default_factory=Counter)
    gauges: Gauges = field(default_factory=Gauges)
    health: Health = field(default_factory=Health)
    storage_error: str = ""
    authority_error: str = ""
    stuck_rollouts: set[int] = field(default_factory=set)
    _commits: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    _failed_at: float = 0.0
    _written_since: bool = False
    _had_problem: bool = False

    def count(self, act: Act, *labels: str, number: int = 1) -> None:
        """Something has happened that is no change of the database."""
        self.counted[(act, *labels)] += number

    def count_notification(self, receiver: str, outcome: str, number: int = 1) -> None:
        """A notification was delivered, could not be, was given up or was dropped.

        Args:
            receiver: "hook" or "webhook".
            outcome: "delivered", "failed", "given_up" or "dropped".
        """
        self.count(Act.NOTIFICATION, receiver, outcome, number=number)

    def count_sent_files(self, size: int) -> None:
        """So many bytes of files were sent to an agent."""
        self.counters.file_bytes_sent += size

    def record_transaction(
        self, seconds: float, error: str, units: int = 1, changed: ActCounts | None = None
    ) -> None:
        """Takes the time of one transaction, why it failed (empty: it did not), how many units of
        work it had, and what they have changed."""
        self._commits.append(seconds)
        self._written_since = not error
        if changed:
            self.counted.update(changed)
        if error:
            self.counters.failed_transactions += 1
            self._set_storage_error(error)
        else:
            self.timings.commit.observe(seconds)
            self.timings.units.observe(units)
            self.clear_storage_error()

    def check_storage(self) -> None:
        """Finds that the files of the database are missing or back, also if nothing is written."""
        problem = self.gauges.storage_problem()
        if problem:
            self._set_storage_error(problem)
        elif self._had_problem:
            self._written_since = True
        self._had_problem = bool(problem)
        self.clear_storage_error()

    def _set_storage_error(self, error: str) -> None:
        self._failed_at = self.clock.monotonic()
        if error == self.storage_error:
            return
        before, self.storage_error = self.storage_error, error
        if _WAITED.sub("", error) != _WAITED.sub("", before):
            log.error("the database cannot be written", extra={"error": error})
        self.feed.publish(Changes(manager=True))

    def clear_storage_error(self) -> None:
        """Empties the error if the database can be written again."""
        lasted = self.clock.monotonic() - self._failed_at >= _ERROR_LASTS
        if self.storage_error and self._written_since and lasted:
            self.storage_error = ""
            log.info("the database can be written again")
            self.feed.publish(Changes(manager=True))

    async def run(self) -> None:
        """Makes figures until cancelled."""
        process = psutil.Process()
        process.cpu_percent()
        ticks = 0
        minute = replace(self.counters)
        while True:
            since, before = self.clock.monotonic(), replace(self.counters)
            await asyncio.sleep(_TICK)
            self.check_storage()
            self._measure(process, since, before)
            self.feed.publish_figures(Changes(manager=True))
            ticks += 1
            if ticks % _LOG_EVERY == 0:
                self._log(minute)
                minute = replace(self.counters)

    def _measure(self, process: psutil.Process, since: float, before: Counters) -> None:
        seconds, now = self.clock.monotonic() - since, self.counters
        self.timings.loop_lag.observe(seconds - _TICK)
        with process.oneshot():
            memory, cpu = process.memory_info().rss, process.cpu_percent()
        self.health = Health(
            sessions=self.gauges.sessions(),
            commands_per_second=(now.results - before.results) / seconds,
            bytes_per_second=(now.output_bytes - before.output_bytes) / seconds,
            files_sent_per_second=(now.file_bytes_sent - before.file_bytes_sent) / seconds,
            files_received_per_second=(now.file_bytes_received - before.file_bytes_received)
            / seconds,
            commit_seconds=statistics.median(self._commits) if self._commits else 0.0,
            loop_lag_seconds=max(0.0, seconds - _TICK),
            memory_bytes=memory,
            cpu_percent=cpu,
            write_queue=self.gauges.write_queue(),
            send_queue=self.gauges.send_queue(),
            database_bytes=self.gauges.database_bytes(),
            log_bytes=self.gauges.log_bytes(),
            storage_error=self.storage_error,
        )

    def _log(self, before: Counters) -> None:
        seconds, now = _TICK * _LOG_EVERY, self.counters
        sent = now.file_bytes_sent - before.file_bytes_sent
        received = now.file_bytes_received - before.file_bytes_received
        log.info(
            "statistics",
            extra={
                "sessions": self.health.sessions,
                "commands_per_second": round((now.results - before.results) / seconds, 1),
                "bytes_per_second": round((now.output_bytes - before.output_bytes) / seconds),
                "files_sent_per_second": round(sent / seconds),
                "files_received_per_second": round(received / seconds),
                "write_queue": self.health.write_queue,
                "send_queue": self.health.send_queue,
                "database_mb": self.health.database_bytes >> 20,
                "log_mb": self.health.log_bytes >> 20,
                "commit_ms": round(1000 * self.health.commit_seconds, 2),
                "loop_lag_ms": round(1000 * self.health.loop_lag_seconds, 2),
                "memory_mb": self.health.memory_bytes >> 20,
                "late_results": self.counters.late_results,
                "conflicting_results": self.counters.conflicting_results,
                "refusals": self.counters.refusals,
                "violations": self.counters.violations,
                "bad_tokens": self.counters.bad_tokens,
            },
        )

"""Limits on what agents could cause without end: rows of the audit, and lines of the log."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from itertools import islice

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.service.core.clock import Clock
from tui_manager.storage.engine.database import Database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit

log = logging.getLogger(__name__)
SOURCES_MAX = 500  # hosts and names; what others cause is written under `OTHERS`
OTHERS = "others"
LOG_LINES_MAX = 10  # of one message; the rest is counted
_INTERVAL = 60.0  # seconds between two rows of one source
_INTERVAL_MAX = 3600.0  # the same if it goes on; after such a silence it starts again at _INTERVAL
_RETRY = 1.0  # seconds until the next attempt if the database cannot be written


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A row of the audit without its time.

    Attributes:
        host_id: None: nobody knows who it was.
        host: the name that was given.
    """

    actor: str
    action: str
    host_id: str | None
    host: str
    detail: Mapping[str, str]


@dataclass(slots=True)
class _Source:
    """A host or a name that causes events. All times are monotonic seconds.

    Attributes:
        newest: the event that the next row describes.
        count: events since the last row.
        due: when the next row may be written.
    """

    newest: AuditEvent
    seen_at: float
    due: float
    count: int = 0
    interval: float = _INTERVAL

    def is_quiet(self, now: float, seconds: float) -> bool:
        """Whether it has caused nothing for so long, and its next row could be written at once."""
        return not self.count and max(self.due, self.seen_at + seconds) <= now


class LimitedAudit:
    """Writes at most one row a minute for each source, and fewer the longer it goes on. A row has
    the number of the events that were left out. `add` never waits; `run` writes what is due."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sources: dict[tuple[str, str], _Source] = {}
        self._added = asyncio.Event()

    def add(self, event: AuditEvent) -> None:
        """Writes the event soon, or counts it in a later row."""
        now = self._clock.monotonic()
        source = self._source(event, now)
        source.newest, source.seen_at = event, now
        source.count += 1
        if source.count == 1:
            self._added.set()

    def _source(self, event: AuditEvent, now: float) -> _Source:
        key = (event.action, event.host_id or event.host)
        known = self._sources.get(key)
        if known and known.is_quiet(now, _INTERVAL_MAX):
            del self._sources[key]
        if key not in self._sources and len(self._sources) >= SOURCES_MAX:
            self._forget_quiet(now, 0.0)
            if len(self._sources) >= SOURCES_MAX:
                key = (event.action, OTHERS)
        return self._sources.setdefault(key, _Source(event, now, now))

    def _forget_quiet(self, now: float, seconds: float) -> None:
        for key, source in list(self._sources.items()):
            if source.is_quiet(now, seconds):
                del self._sources[key]

    async def run(self) -> None:
        """Writes what is due until cancelled, and then what is left. What is being written when it
        is cancelled is waited for, as otherwise its events would be written again."""
        writing: asyncio.Future[None] | None = None
        try:
            while True:
                self._added.clear()
                writing = asyncio.ensure_future(self._try_to_write())
                await asyncio.shield(writing)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._added.wait()
        finally:
            if writing is not None:
                await writing
            for source in self._sources.values():
                source.due = 0.0
            await self._try_to_write()

    async def _try_to_write(self) -> None:
        try:
            await self.write_due()
        except StorageError as error:
            log.error("the audit waits for the database", extra={"error": str(error)})
            for source in self._sources.values():
                source.due = max(source.due, self._clock.monotonic() + _RETRY)

    def _pause(self) -> float | None:
        """Seconds until the next row is due; None if there is none to write."""
        dues = [source.due for source in self._sources.values() if source.count]
        return max(0.0, min(dues) - self._clock.monotonic()) if dues else None

    async def write_due(self) -> None:
        """Writes a row for each source that is due.

        Raises:
            StorageError: the database cannot be written now; all rows wait.
        """
        now = self._clock.monotonic()
        self._forget_quiet(now, _INTERVAL_MAX)
        due = [
            (key, source.newest, source.count)
            for key, source in self._sources.items()
            if source.count and source.due <= now
        ]
        if not due:
            return
        rows = [(_event_of(key[1], event), count - 1) for key, event, count in due]
        await self._database.write(lambda tx: self._record(tx, rows))
        for key, _, count in due:
            source = self._sources[key]
            source.count -= count
            source.due = now + source.interval
            source.interval = min(2 * source.interval, _INTERVAL_MAX)

    def _record(self, tx: Transaction, rows: list[tuple[AuditEvent, int]]) -> None:
        now = self._clock.stamp()
        for event, left_out in rows:
            more: dict[str, str | int] = {**event.detail}
            if left_out:
                more["count"] = left_out
            audit.record(
                tx,
                now,
                event.actor,
                event.action,
                host_id=event.host_id,
                host=event.host,
                more=more,
            )


def _event_of(source: str, event: AuditEvent) -> AuditEvent:
    if source != OTHERS:
        return event
    return AuditEvent("manager", event.action, None, OTHERS, event.detail)


def warn_of_each(log: logging.Logger, what: str, host: str, execution_ids: Collection[str]) -> None:
    """Logs a line for each of the first executions, and one with the number of the others."""
    for execution_id in islice(execution_ids, LOG_LINES_MAX):
        log.warning(what, extra={"host": host, "execution": execution_id})
    if (more := len(execution_ids) - LOG_LINES_MAX) > 0:
        log.warning(f"{what}: and more", extra={"host": host, "executions": more})

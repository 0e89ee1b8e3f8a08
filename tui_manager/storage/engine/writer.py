"""The one writer, with group commit: the units of work that wait are written in one transaction,
and each caller learns when its own unit is durable, or why it is not."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, TypeVar

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.storage.engine.engine import Engine, FailedUnit
from tui_manager.storage.engine.metric_counters import ActCounts, recording
from tui_manager.storage.engine.transaction import Transaction, Work

log = logging.getLogger(__name__)
T = TypeVar("T")
# Is told of each transaction: its seconds, from the queue on; why the database could not be
# written, empty: it could; how many units of work it had; what they have changed for good.
OnTransaction = Callable[[float, str, int, ActCounts], None]
BATCH = 500  # units of work in one transaction
QUEUE = 10_000  # units that may wait; if it is full, callers wait for a place
_RUNNING_MAX = 1  # transactions that may still run when an early one is handed over


@dataclass(slots=True)
class _Unit:
    work: Work
    done: "asyncio.Future[Any]"
    queued_at: float
    early: bool
    counts: ActCounts = field(default_factory=Counter)  # of its last run

    def run(self, tx: Transaction) -> Any:
        """Runs it, and counts what it changes."""
        with recording() as self.counts:
            return self.work(tx)


class Writer:
    """Runs units of work one after another on the writing connection."""

    def __init__(
        self,
        engine: Engine,
        on_transaction: OnTransaction = lambda *_: None,
    ) -> None:
        self._engine = engine
        self._on_transaction = on_transaction
        self._queue: asyncio.Queue[_Unit] = asyncio.Queue(QUEUE)
        self._stopping = False
        self._left = 0  # units that a transaction has left for the next one
        self._oldest: dict[int, float] = {}  # when the first unit of each transaction was queued

    @property
    def waiting(self) -> int:
        """Units of work that are not yet in a transaction."""
        return self._queue.qsize() + self._left

    @property
    def waiting_for(self) -> float:
        """Seconds since the oldest unit of the transactions that run was queued; 0: none runs."""
        oldest = min(self._oldest.values(), default=None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def write(self, work: Callable[[Transaction], T], *, early: bool = False) -> T:
        """Runs `work` whole or not at all, and returns what it returned once that is durable.

        Args:
            early: the unit is handed to the connection's thread while the transaction before it
                still runs, so that the thread never waits for the loop. For work that gathers its
                input only when it begins. It may be written before units that were queued earlier.

        Raises:
            StorageError: the database cannot be written now; nothing of `work` was kept.
            Exception: what `work` raised; nothing of it was kept.
        """
        unit = _Unit(work, asyncio.get_running_loop().create_future(), time.monotonic(), early)
        await self._queue.put(unit)
        result: T = await unit.done
        return result

    async def run(self) -> None:
        """Writes until cancelled. A transaction that runs then is still finished."""
        begun: set[asyncio.Task[None]] = set()
        try:
            while True:
                first = await self._queue.get()
                try:
                    begun = await _wait_for_all_but(begun, _RUNNING_MAX if first.early else 0)
                finally:  # it has left the queue, so it is written also if this is cancelled
                    begun.add(asyncio.create_task(self._write([first, *self._take_more()])))
        finally:
            self.stop_retrying()
            await _wait_for_all_but(begun, 0)

    def _take_more(self) -> list[_Unit]:
        """The units that are written together with the first."""
        return [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), BATCH - 1))]

    def stop_retrying(self) -> None:
        """From now on a unit fails soon if the database is locked: the manager stops."""
        self._stopping = True

    async def drain(self) -> None:
        """Writes what still waits after `run` has ended."""
        while not self._queue.empty():
            await self._write([self._queue.get_nowait() for _ in range(self._queue.qsize())])

    async def _write(self, units: list[_Unit]) -> None:
        left = 0
        while units:
            units = await self._write_first(units)
            self._left += len(units) - left
            left = len(units)

    async def _write_first(self, units: list[_Unit]) -> list[_Unit]:
        """Writes some in one transaction. Returns the others, which have not run."""
        works = [unit.run for unit in units]
        outcomes: list[Any]
        error = ""
        self._oldest[id(units)] = units[0].queued_at
        try:
            outcomes = await self._engine.transact(works, lambda: self._stopping)
            error = self._storage_error(outcomes)
        except Exception as raised:
            known = isinstance(raised, StorageError)
            if not known and not self._engine.is_storage_failure(raised):
                log.exception("a transaction failed", extra={"units": len(units)})
            error = str(raised if known else self._engine.to_storage_error(raised))
            outcomes = [FailedUnit(StorageError(error)) for _ in units]
        finally:
            del self._oldest[id(units)]
        seconds = time.monotonic() - units[0].queued_at
        written, others = units[: len(outcomes)], units[len(outcomes) :]
        self._on_transaction(seconds, error, len(written), _changed(written, outcomes))
        for unit, outcome in zip(written, outcomes, strict=True):
            self._set_outcome(unit, outcome)
        return others

    def _storage_error(self, outcomes: list[Any]) -> str:
        """Why a unit of a transaction could not be written; empty: all could."""
        for outcome in outcomes:
            if isinstance(outcome, FailedUnit) and self._engine.is_storage_failure(outcome.error):
                return str(self._engine.to_storage_error(outcome.error))
        return ""

    def _set_outcome(self, unit: _Unit, outcome: Any) -> None:
        if unit.done.done():  # the caller was cancelled; its unit was written all the same
            return
        if not isinstance(outcome, FailedUnit):
            unit.done.set_result(outcome)
        elif self._engine.is_storage_failure(outcome.error):
            unit.done.set_exception(self._engine.to_storage_error(outcome.error))
        else:
            unit.done.set_exception(outcome.error)


def _changed(units: Sequence[_Unit], outcomes: Sequence[Any]) -> ActCounts:
    """What the units of a transaction have changed for good."""
    counts: ActCounts = Counter()
    for unit, outcome in zip(units, outcomes, strict=True):
        if unit.counts and not isinstance(outcome, FailedUnit):
            counts.update(unit.counts)
    return counts


async def _wait_for_all_but(begun: set[asyncio.Task[None]], count: int) -> set[asyncio.Task[None]]:
    """Waits until at most `count` of the transactions still run, and returns those."""
    while len(begun) > count:
        done = {one for one in begun if one.done()}
        if not done:
            done, _ = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
        begun -= done
    return begun

"""What the parts of the fake operator share: its clock, its failures, its watchers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tui_manager.domain.errors import ManagerError, UnreachableError
from tui_manager.domain.lists.list_window import Page, Row, Window
from tui_manager.domain.manager.changes import Changes

START = datetime(2026, 3, 2, 14, 3, 22, tzinfo=UTC)
EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True, templates=True, schedules=True)
ACTOR = "ana@pts/3"


class FakeCore:
    """The clock, the calls and the watchers of the fake operator.

    Args:
        now: the clock; `clock` holds the value that the default one tells.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.clock = START
        self.now = now or self._clock
        self.failure: ManagerError | None = None
        self.calls: list[str] = []
        self._ended = False
        self._watchers: list[_Watcher] = []

    def _clock(self) -> datetime:
        return self.clock

    def end(self) -> None:
        """The manager ends: every call fails from here on."""
        self._ended = True
        self.failure = UnreachableError("The manager has ended.")
        for watcher in self._watchers:
            watcher.event.set()

    def revive(self) -> None:
        """The manager is back."""
        self._ended = False
        self.failure = None

    def publish(self, changes: Changes) -> None:
        """Tells the watchers."""
        for watcher in self._watchers:
            watcher.pending |= changes
            watcher.event.set()

    async def watch(self) -> AsyncIterator[Changes]:
        if self._ended:
            raise UnreachableError("The manager has ended.")
        watcher = _Watcher(EVERYTHING)
        self._watchers.append(watcher)
        try:
            while True:
                await watcher.event.wait()
                watcher.event.clear()
                if self._ended:
                    raise UnreachableError("The manager has ended.")
                changes, watcher.pending = watcher.pending, Changes()
                if changes:
                    yield changes
        finally:
            self._watchers.remove(watcher)

    def _check(self, call: str) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure


@dataclass
class _Watcher:
    pending: Changes
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.event.set()


def page(rows: list[Row], window: Window, total: int) -> Page[Row]:
    """The rows of `window` out of all that match."""
    if window.descending:
        rows = rows[::-1]
    return Page(rows[window.offset : window.offset + window.limit], len(rows), total)

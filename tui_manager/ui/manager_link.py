"""What the screens share of the manager: the operator, its status, and the watcher of changes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from datetime import datetime

from textual.message import Message
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import ManagerError, UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.operator.api import Operator
from tui_manager.own_addresses import reachable_addresses
from tui_manager.ui.action import KeyMap


@dataclass(slots=True)
class Link:
    """What every screen gets.

    Attributes:
        now: the clock.
        joined: the manager runs in another process.
        status: None before the manager has answered.
        trouble: why the manager cannot be reached; empty if it can.
        away_since: when that began; None if it can be reached.
        notice: a line that every screen shows until it is dismissed; empty for none.
        keys: the keys of the actions.
        state_dir: the manager's, for command lines; empty: the one that programs use by themselves.
        own_addresses: of this machine; hosts may dial them.
        place: who works where, `ops@m1`; empty: not known.
    """

    now: Callable[[], datetime]
    joined: bool = False
    connected: Operator | None = None
    status: ManagerStatus | None = None
    trouble: str = ""
    away_since: datetime | None = None
    notice: str = ""
    keys: KeyMap = field(default_factory=KeyMap)
    state_dir: str = ""
    own_addresses: Callable[[], Sequence[str]] = reachable_addresses
    place: str = ""

    def set_unreachable(self, trouble: str) -> None:
        """The manager cannot be reached."""
        self.trouble = trouble
        self.away_since = self.away_since or self.now()

    def set_reachable(self) -> None:
        """The manager answers again."""
        self.trouble, self.away_since = "", None

    def data_time(self) -> datetime:
        """The time of the data on the screens: now, or the time at which the manager was lost. What
        ran on hosts then may have ended since."""
        return self.away_since or self.now()

    def others_heard(self) -> str:
        """A sentence about the managers that were heard last, besides the one that is joined;
        empty: there were none."""
        others = self.status.others_heard if self.status else ()
        if not others:
            return ""
        return f"On {' or '.join(others)}, run tui-manager to go on. "

    @property
    def operator(self) -> Operator:
        """The open operator. Raises UnreachableError before it is open."""
        if self.connected is None:
            raise UnreachableError("The manager is still starting.")
        return self.connected

    @property
    def dial_address(self) -> str:
        """What a host dials, `host:port`, those of all managers with commas; empty before the
        manager has answered."""
        return next(iter(self.dial_addresses), "")

    @property
    def dial_addresses(self) -> tuple[str, ...]:
        """The addresses that a host may dial, the likeliest first; none before the manager has
        answered."""
        return self.status.dials(self.own_addresses) if self.status else ()


RETRY = 1.0  # seconds between two tries to reach the manager

OpenOperator = Callable[[], AbstractAsyncContextManager[Operator]]


class Feed:
    """Keeps the operator open, collects its changes, and tries again when it ends.

    Args:
        changed: called when there are changes to take.
    """

    def __init__(
        self, open_operator: OpenOperator, link: Link, changed: Callable[[], None]
    ) -> None:
        self._open_operator = open_operator
        self._link = link
        self._changed = changed
        self._pending = Changes()

    def take(self) -> Changes:
        """The changes since the last call."""
        pending, self._pending = self._pending, Changes()
        return pending

    async def run(self) -> None:
        """Runs until it is cancelled. Raises ManagerError if the operator cannot be opened."""
        async with self._open_operator() as operator:
            self._link.connected = operator
            while True:
                try:
                    await self._watch(operator)
                except ManagerError as error:
                    others = self._link.others_heard()
                    self._link.set_unreachable(f"{error} {others}Trying again…")
                    self._publish(Changes(manager=True))
                await asyncio.sleep(RETRY)

    async def _watch(self, operator: Operator) -> None:
        async for changes in operator.watch():
            self._link.set_reachable()
            self._publish(changes)

    def _publish(self, changes: Changes) -> None:
        self._pending |= changes
        self._changed()


class CallFailed(Message):
    """A call to the manager has failed. The app shows the error once."""

    def __init__(self, error: ManagerError) -> None:
        super().__init__()
        self.error = error


class ManagerChanged(Message, bubble=False):
    """Something has changed: a screen that shows it reads it again."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self.changes = changes

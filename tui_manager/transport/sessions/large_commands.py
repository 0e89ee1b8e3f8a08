"""Large commands, which all sessions together convert and write a few at a time.

A command with a script has up to 3 MiB on the wire. If ten thousand sessions converted one each at
the same time, the manager would need more memory than there is.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.report import Run
from tui_manager.transport.messages import convert

BUDGET = 32 * 1024 * 1024  # bytes of large commands that are converted and not yet written


class _Contents(Protocol):
    """The part of CommandContents that is used."""

    async def add_to(self, run: Run) -> Run | None: ...


class Reservation:
    """A part of the budget that a session has, or waits for."""

    def __init__(self, size: int, on_granted: Callable[[], None]) -> None:
        self.size = size
        self.granted = False
        self.on_granted = on_granted


class LargeCommands:
    """Shares the budget of bytes among the sessions, in the order in which they ask."""

    def __init__(self, contents: _Contents, budget: int = BUDGET) -> None:
        """
        Args:
            contents: reads scripts and inputs.
            budget: bytes. A command that has more is sent when no other is.
        """
        self._contents = contents
        self._budget = budget
        self._used = 0
        self._waiting: OrderedDict[Reservation, None] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self._used

    def reserve(self, size: int, on_granted: Callable[[], None]) -> Reservation:
        """Asks for `size` bytes. `on_granted` is called when they are granted, maybe at once."""
        reservation = Reservation(min(size, self._budget), on_granted)
        self._waiting[reservation] = None
        self._grant()
        return reservation

    def give_back(self, reservation: Reservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        if reservation.granted:
            self._used -= reservation.size
        else:
            del self._waiting[reservation]
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            first = next(iter(self._waiting))
            if self._used + first.size > self._budget:
                return
            del self._waiting[first]
            first.granted = True
            self._used += first.size
            first.on_granted()

    async def message(self, run: Run) -> pb.ManagerMessage | None:
        """The message of a command for which enough is reserved; None: its contents are lost."""
        if run.command.contents:
            complete = await self._contents.add_to(run)
            if complete is None:
                return None
            run = complete
        return convert.from_run(run)

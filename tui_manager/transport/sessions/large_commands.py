"""Large commands, which all sessions together convert and write a few at a time.

A command with a script has up to 3 MiB on the wire. If ten thousand sessions converted one each at
the same time, the manager would need more memory than there is.
"""

from collections.abc import Callable
from typing import Protocol

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.report import Run
from tui_manager.service.core.host_directory import EXPECTED_FOR
from tui_manager.transport.messages import convert
from tui_manager.transport.sessions.byte_budget import ByteBudget, Reservation

BUDGET = 32 * 1024 * 1024  # bytes of large commands that are converted and not yet written
# Seconds for an agent to take a command while others wait: as long as the manager waits at its
# start for a host that was online. 32 MiB in this time are 0.6 MB a second for all together.
WRITE_TIMEOUT = EXPECTED_FOR


class _Contents(Protocol):
    """The part of CommandContents that is used."""

    async def add_to(self, run: Run) -> Run | None: ...


class LargeReservation(Reservation):
    """A part of the budget for one command.

    Attributes:
        on_timeout: is called if the agent does not take the command in time and others wait.
        writing_since: an instant of the monotonic clock; None: it is not being written yet.
    """

    def __init__(
        self, size: int, on_granted: Callable[[], None], on_timeout: Callable[[], None]
    ) -> None:
        super().__init__(size, on_granted)
        self.on_timeout = on_timeout
        self.writing_since: float | None = None


class LargeCommands:
    """Shares the budget of bytes among the sessions, in the order in which they ask."""

    def __init__(
        self,
        contents: _Contents,
        monotonic: Callable[[], float],
        budget: int = BUDGET,
        timeout: float = WRITE_TIMEOUT,
    ) -> None:
        """
        Args:
            contents: reads scripts and inputs.
            monotonic: a clock in seconds.
            budget: bytes. A command that has more is sent when no other is.
            timeout: seconds.
        """
        self._contents = contents
        self._monotonic = monotonic
        self._timeout = timeout
        self._bytes: ByteBudget[LargeReservation] = ByteBudget(budget)

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self._bytes.used

    def reserve(
        self, size: int, on_granted: Callable[[], None], on_timeout: Callable[[], None]
    ) -> LargeReservation:
        """Asks for `size` bytes. See `LargeReservation`."""
        return self._bytes.reserve(LargeReservation(size, on_granted, on_timeout))

    def give_back(self, reservation: LargeReservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        self._bytes.give_back(reservation)

    def end_slow_writes(self) -> None:
        """Calls `on_timeout` of commands whose agents do not take them in time. If no other command
        waits, a slow agent has all the time that it needs."""
        if not self._bytes.waited_for:
            return
        since = self._monotonic() - self._timeout
        for reservation in self._bytes.granted:
            if reservation.writing_since is not None and reservation.writing_since <= since:
                reservation.on_timeout()

    async def message(self, reservation: LargeReservation, run: Run) -> pb.ManagerMessage | None:
        """The message of a command with its reservation, to be written now; None: its contents are
        lost."""
        if run.command.contents:
            complete = await self._contents.add_to(run)
            if complete is None:
                return None
            run = complete
        reservation.writing_since = self._monotonic()
        return convert.from_run(run)

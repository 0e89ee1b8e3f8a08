"""Large commands, which all sessions together convert and write a few at a time.

A command with a script has up to 3 MiB on the wire. If ten thousand sessions converted one each at
the same time, the manager would need more memory than there is.
"""

from collections.abc import Callable
from typing import Protocol

from tui_manager_protos.v1 import agent_pb2 as pb

from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.transport.messages import convert_messages
from tui_manager.transport.sessions.byte_budget import WRITE_TIMEOUT, ByteBudget, Reservation

BUDGET = 32 * 1024 * 1024  # bytes of large commands that are converted and not yet written


class _Contents(Protocol):
    """The part of CommandContents that is used."""

    async def add_to(self, run: Run) -> Run | None: ...


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
            timeout: seconds for an agent to take a command while others wait.
        """
        self._contents = contents
        self._bytes = ByteBudget(budget, monotonic, timeout)

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self._bytes.used

    def reserve(
        self, size: int, on_granted: Callable[[], None], on_timeout: Callable[[], None]
    ) -> Reservation:
        """Asks for `size` bytes."""
        return self._bytes.reserve(Reservation(size, on_granted, on_timeout))

    def give_back(self, reservation: Reservation) -> None:
        """Ends a reservation, granted or not. To be called once."""
        self._bytes.give_back(reservation)

    def end_slow_writes(self) -> None:
        """Ends the sessions whose agents do not take their commands in time while others wait."""
        self._bytes.end_slow_writes()

    async def message(self, reservation: Reservation, run: Run) -> pb.ManagerMessage | None:
        """The message of a command with its reservation, to be written now; None: its contents are
        lost."""
        if run.command.contents:
            self._bytes.begin_reading(reservation)
            complete = await self._contents.add_to(run)
            if complete is None:
                return None
            run = complete
        self._bytes.begin_writing(reservation)
        return convert_messages.from_run(run)

"""OutputWindows: how many bytes of output each agent may have on their way, unacknowledged.

Every agent may have a little. More is shared by the agents that print much, because an agent
that is far away can only be as fast as one window for each round trip.
"""

from collections.abc import Awaitable, Callable

from tui_manager.service.limits import Limits
from tui_manager.transport.sessions.session import Session
from tui_manager.transport.sessions.sessions import Sessions

_LOOK_EVERY = 1.0  # seconds
_QUIET_LOOKS = 5  # after so many without much output, an agent gives its share back


class OutputWindows:
    """The windows of all sessions, in their limits."""

    def __init__(self, limits: Limits, sessions: Sessions, hosts: Callable[[], int]) -> None:
        """
        Args:
            limits: before they are shared.
            hosts: the number of hosts in the fleet.
        """
        self._limits = limits
        self._sessions = sessions
        self._hosts = hosts
        self._printed: dict[Session, int] = {}  # bytes since the last look
        self._quiet: dict[Session, int] = {}  # looks without much output, of those with a share
        self.least = limits.shared_by(hosts())  # of an agent that prints little

    def host_connects(self) -> None:
        """Lowers the windows if there are more hosts now."""
        least = self._limits.shared_by(self._hosts())
        if least.output_window != self.least.output_window:
            self.least = least
            for session in self._sessions:
                if session not in self._quiet:
                    session.set_limits(least)
            self._share()

    def count(self, session: Session, size: int) -> None:
        """A session has brought so many bytes of output."""
        self._printed[session] = self._printed.get(session, 0) + size

    def run_once(self) -> None:
        """Finds who prints much, and shares what is left of the windows among these."""
        printed, self._printed = self._printed, {}
        live = set(self._sessions) if printed or self._quiet else set()
        for session in self._quiet.keys() - live:
            del self._quiet[session]
        for session in self._quiet:
            self._quiet[session] += 1
        much = self.least.output_window
        self._quiet |= {one: 0 for one, size in printed.items() if size >= much and one in live}
        for session in [one for one, looks in self._quiet.items() if looks > _QUIET_LOOKS]:
            del self._quiet[session]
            session.set_limits(self.least)
        self._share()

    def _share(self) -> None:
        if self._quiet:
            shared = self._limits.shared_by(self._hosts(), printing=len(self._quiet))
            for session in self._quiet:
                if session.limits.output_window != shared.output_window:
                    session.set_limits(shared)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Looks again and again until cancelled."""
        while True:
            await sleep(_LOOK_EVERY)
            self.run_once()

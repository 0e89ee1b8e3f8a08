"""Hosts that are offline and expected back soon, because nothing was wrong with them: their manager
stopped or died, or their agent is being replaced. `RETURN_TIMEOUT` of `service/limits.py` says for
how long."""

from collections.abc import Iterable

from tui_manager.service.core.hosts.host_entry import HostEntry
from tui_manager.service.limits import RETURN_TIMEOUT


class ExpectedHosts:
    """Times are monotonic seconds. `HostEntry.expected_until` has the end for each host."""

    def __init__(self) -> None:
        self._entries: dict[int, HostEntry] = {}  # by row id

    def add(self, entry: HostEntry, monotonic: float) -> None:
        """This host is expected for a while."""
        entry.expected_until = monotonic + RETURN_TIMEOUT
        self._entries[entry.row.row_id] = entry

    def remove(self, entries: Iterable[HostEntry]) -> None:
        """Forgets that these were expected."""
        for entry in entries:
            entry.expected_until = 0.0
        left = {row: entry for row, entry in self._entries.items() if entry.expected_until}
        self._entries = left

    def seconds_left(self, monotonic: float) -> dict[int, float]:
        """How long each host is still expected, by its row id. A host that was declared lost is
        not expected, but one whose session is being opened is, because it is not online yet."""
        return {
            entry.row.row_id: entry.expected_until - monotonic
            for entry in self._entries.values()
            if not (entry.online or entry.declared_lost) and entry.expected_until > monotonic
        }

    def not_back(self, monotonic: float) -> list[HostEntry]:
        """The hosts that have not come back while they were expected. Those that have come back are
        forgotten."""
        self.remove(())
        return [
            entry
            for entry in self._entries.values()
            if entry.expected_until <= monotonic and entry.away
        ]

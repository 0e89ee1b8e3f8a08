"""Agents that were turned away for a reason that an operator should see; in memory only."""

from tui_manager.domain.errors import Refusal, RefusedError
from tui_manager.service.clock import Clock

KEPT = 20  # the newest
_FORGOTTEN_AFTER = 3600.0  # seconds
_SHOWN = (Refusal.DUPLICATE_IDENTITY, Refusal.NAME_TAKEN)


class Refusals:
    """One sentence a name: the newest refusal of an agent that says it is that host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_name: dict[str, tuple[float, str]] = {}

    def add(self, name: str, error: RefusedError) -> None:
        """Remembers a refusal, if it is of a kind that needs an operator."""
        if error.refusal not in _SHOWN:
            return
        self._by_name.pop(name, None)
        self._by_name[name] = (self._clock.monotonic(), str(error))
        while len(self._by_name) > KEPT:
            del self._by_name[next(iter(self._by_name))]

    def forget(self, name: str) -> None:
        """An agent of that name is connected."""
        self._by_name.pop(name, None)

    def recent(self) -> list[tuple[str, str]]:
        """(name, why) of the last hour's, the newest first."""
        limit = self._clock.monotonic() - _FORGOTTEN_AFTER
        for name, (at, _) in list(self._by_name.items()):
            if at <= limit:
                del self._by_name[name]
        return [(name, why) for name, (_, why) in reversed(self._by_name.items())]

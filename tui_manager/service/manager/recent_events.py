"""What happened lately, one sentence a name, for the operator's attention; in memory only."""

from dataclasses import dataclass

from tui_manager.service.manager.clock import Clock

KEPT = 20  # the newest
_FORGOTTEN_AFTER = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Noted:
    """The newest sentence of a name, and how often there was one since it was first noted."""

    name: str
    text: str
    times: int
    at: float


class Recent:
    """The newest come first; an hour after its last one a name is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_name: dict[str, Noted] = {}

    def note(self, name: str, text: str) -> None:
        """Remembers a sentence instead of the name's last."""
        before = self._by_name.pop(name, None)
        times = before.times + 1 if before else 1
        self._by_name[name] = Noted(name, text, times, self._clock.monotonic())
        while len(self._by_name) > KEPT:
            del self._by_name[next(iter(self._by_name))]

    def forget(self, name: str) -> None:
        """It is no longer so."""
        self._by_name.pop(name, None)

    def newest(self) -> list[Noted]:
        """Those of the last hour."""
        limit = self._clock.monotonic() - _FORGOTTEN_AFTER
        for noted in list(self._by_name.values()):
            if noted.at <= limit:
                del self._by_name[noted.name]
        return list(reversed(self._by_name.values()))

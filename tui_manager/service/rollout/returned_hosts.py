"""The hosts of rollouts that are connected again and wait for a place: kept in memory, in the order
in which they came. What is kept here is found again in the database when the loop begins."""

import itertools
from collections.abc import Collection, Iterable, Set
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass


@dataclass(slots=True)
class ReturnedHosts:
    """Those of one task, by row id; the values mean nothing.

    Attributes:
        expected: those that have not begun.
        away: those that have.
    """

    expected: dict[int, None] = field(default_factory=dict)
    away: dict[int, None] = field(default_factory=dict)

    def add(self, *, expected: Iterable[int] = (), away: Iterable[int] = ()) -> None:
        """These wait from now on."""
        self.expected.update(dict.fromkeys(expected))
        self.away.update(dict.fromkeys(away))

    def remove(self, hosts: Set[int]) -> None:
        """These do not wait for a place any more."""
        for host in hosts:
            self.expected.pop(host, None)
            self.away.pop(host, None)


class HostQueue:
    """Hosts that a transaction takes one after another. There may be thousands of which it takes
    few, so they are not copied."""

    def __init__(self, hosts: Collection[int]) -> None:
        self._rest = iter(hosts)
        self._left = len(hosts)

    def __len__(self) -> int:
        return self._left

    def add(self, hosts: Collection[int]) -> None:
        """These come last."""
        self._rest = itertools.chain(self._rest, hosts)
        self._left += len(hosts)

    def take(self, limit: int) -> list[int]:
        """The next ones."""
        taken = list(itertools.islice(self._rest, limit))
        self._left -= len(taken)
        return taken

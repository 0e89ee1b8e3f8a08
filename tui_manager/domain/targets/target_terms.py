"""What a parsed TARGET consists of. It is parsed in `target_notation.py`; which hosts it matches is
found in `target_matching.py`."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.tasks.host_class import HostClass


class HostState(StrEnum):
    """Words after `@` that choose hosts by what they are now."""

    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Everything:
    """`@all`."""

    text: str = "@all"


@dataclass(frozen=True, slots=True)
class Group:
    """`@web`: the target of the group `name`."""

    text: str
    name: str


@dataclass(frozen=True, slots=True)
class InState:
    """`@online`, `@offline`, `@maintenance`."""

    text: str
    state: HostState


@dataclass(frozen=True, slots=True)
class Label:
    """`key=glob`, or with `absent` `key!=glob`."""

    text: str
    key: str
    pattern: re.Pattern[str]
    absent: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """`fact.key=glob`, or with `absent` `fact.key!=glob`. It matches only hosts that have the
    fact."""

    text: str
    key: str
    pattern: re.Pattern[str]
    absent: bool


@dataclass(frozen=True, slots=True)
class TaskHosts:
    """`task:62:failed`: the hosts of a class in a task that has ended."""

    text: str
    task_id: int
    host_class: HostClass


@dataclass(frozen=True, slots=True)
class Glob:
    """A name with `*` or `?`."""

    text: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Names:
    """Names that must be known."""

    text: str
    names: tuple[str, ...]

    @property
    def spelled_out(self) -> bool:
        """Whether it is one whole name, and not a range."""
        return "[" not in self.text


Term = Everything | Group | InState | Label | Fact | TaskHosts | Glob | Names


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the target between two commas.

    Attributes:
        excludes: whether it began with `!`.
        terms: all of them must match.
    """

    text: str
    excludes: bool
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Notation:
    """A parsed target with all groups that it needs."""

    parts: tuple[Part, ...]
    groups: Mapping[str, tuple[Part, ...]]

    @property
    def names(self) -> frozenset[str] | None:
        """The only hosts that it can match; None if it contains more than names."""
        found: set[str] = set()
        for term in self._terms():
            if isinstance(term, Names):
                found.update(term.names)
            elif not isinstance(term, Group):
                return None
        return frozenset(found)

    @property
    def task_ids(self) -> frozenset[int]:
        """The tasks whose hosts it names."""
        return frozenset(term.task_id for term in self._terms() if isinstance(term, TaskHosts))

    @property
    def asks_for_facts(self) -> bool:
        """Whether the facts of hosts decide which it matches."""
        return any(isinstance(term, Fact) for term in self._terms())

    def _terms(self) -> Iterator[Term]:
        """All terms, of the target and of the groups."""
        for part in chain(self.parts, *self.groups.values()):
            yield from part.terms

    def adds(self, state: HostState) -> bool:
        """Whether `@state` is in a part, of the target or of a group, that takes no hosts away."""
        waiting, seen = [self.parts], set[str]()
        while waiting:
            for part in waiting.pop():
                for term in () if part.excludes else part.terms:
                    if isinstance(term, InState) and term.state is state:
                        return True
                    if isinstance(term, Group) and term.name not in seen:
                        seen.add(term.name)
                        waiting.append(self.groups[term.name])
        return False

"""The hosts that the terms of a TARGET match, as sets. `target_notation.py` compiles the globs of
the terms to patterns (`_globs`). `target.py` decides which of the hosts a task leaves out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from datetime import datetime
from functools import cached_property
from typing import overload

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target_terms import (
    Everything,
    Fact,
    Glob,
    Group,
    HostState,
    InState,
    Label,
    Names,
    Notation,
    Part,
    TaskHosts,
    Term,
)
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.text.host_name_ranges import fold_names, fold_sorted_names

_SHOWN_MAX = 5  # terms that an error shows
_TEXT_MAX = 200  # characters of one


@dataclass(frozen=True, slots=True)
class TargetHost:
    """What is known of an admitted host that a target can match.

    Attributes:
        maintenance: the newest one, which may have ended.
        agent: facts about its agent; see `agent_facts`.
    """

    host_id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    maintenance: Maintenance | None = None
    agent: Mapping[str, str] = field(default_factory=dict)

    def fact(self, name: str) -> str | None:
        """The value of a fact; None: it is not known. What is known of its agent wins over what its
        owner has added under the same name."""
        value = self.agent.get(name)
        return self.facts.get(name) if value is None else value

    def in_maintenance(self, now: datetime) -> bool:
        """Whether it is in maintenance."""
        return self.maintenance is not None and self.maintenance.active(now)


class TargetHosts(Sequence[TargetHost]):
    """All hosts that a target can match, with what is the same for each target. Whoever resolves
    many targets keeps it.

    Attributes:
        in_order: they are in the natural order of their names.
    """

    def __init__(self, hosts: Iterable[TargetHost], *, in_order: bool = False) -> None:
        self._hosts = tuple(hosts)
        self._ids_of_labels: dict[str, Mapping[str, frozenset[str]]] = {}
        self.in_order = in_order

    @overload
    def __getitem__(self, index: int) -> TargetHost: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TargetHost]: ...

    def __getitem__(self, index: int | slice) -> TargetHost | Sequence[TargetHost]:
        return self._hosts[index]

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[TargetHost]:
        return iter(self._hosts)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Their host_ids."""
        return frozenset(host.host_id for host in self._hosts)

    @cached_property
    def by_name(self) -> Mapping[str, TargetHost]:
        """The hosts by their names."""
        return {host.name: host for host in self._hosts}

    @cached_property
    def folded(self) -> str:
        """Their names in ClusterShell notation."""
        fold = fold_sorted_names if self.in_order else fold_names
        return fold(host.name for host in self._hosts)

    @cached_property
    def with_maintenance(self) -> Sequence[TargetHost]:
        """Those with a maintenance, which may have ended."""
        return [host for host in self._hosts if host.maintenance is not None]

    def ids_of_label(self, key: str) -> Mapping[str, frozenset[str]]:
        """The host_ids of the hosts with a label of this key, by its value."""
        found = self._ids_of_labels.get(key)
        if found is None:
            ids: dict[str, list[str]] = defaultdict(list)
            for host in self._hosts:
                if (value := host.labels.get(key)) is not None:
                    ids[value].append(host.host_id)
            found = {value: frozenset(some) for value, some in ids.items()}
            self._ids_of_labels[key] = found
        return found


@dataclass(frozen=True, slots=True)
class TaskHost:
    """A host of a task that has ended; the name is its present one."""

    host_id: str
    name: str
    host_class: HostClass


@dataclass(frozen=True, slots=True)
class TargetContext:
    """What a target depends on besides its text and the hosts.

    Attributes:
        now: whether a maintenance has ended is decided by it.
        include_maintenance: hosts in maintenance are not left out.
        is_online: of a host, by its host_id.
        admission_of: of a host that is not among the admitted ones, by its name, for an error;
            None: no host has that name.
        task_hosts: of each task that the target names, by its id.
    """

    now: datetime
    include_maintenance: bool = False
    is_online: Callable[[str], bool] = lambda host_id: False
    admission_of: Callable[[str], Admission | None] = lambda name: None
    task_hosts: Mapping[int, Sequence[TaskHost]] = field(default_factory=dict)


class Matching:
    """Finds sets of host_ids; collects the names that are not known.

    Attributes:
        unknown: names that no host has.
        gone: names, by host_id, of hosts of tasks that are not admitted any more.
    """

    def __init__(self, notation: Notation, hosts: TargetHosts, context: TargetContext) -> None:
        self.hosts = hosts
        self.unknown: set[str] = set()
        self.gone: dict[str, str] = {}
        self._notation = notation
        self._context = context
        self._known: dict[Term, frozenset[str]] = {}

    def all(self) -> Set[str]:
        """What the whole target matches."""
        return self._union(self._notation.parts)

    def spelled_out(self) -> dict[str, TargetHost]:
        """The hosts whose whole names are in the target itself and are not taken away there, by
        host_id."""
        names = (
            name
            for part in self._notation.parts
            if not part.excludes
            for term in part.terms
            if isinstance(term, Names) and term.spelled_out
            for name in term.names
        )
        return {self.hosts.by_name[name].host_id: self.hosts.by_name[name] for name in names}

    def _union(self, parts: Sequence[Part]) -> frozenset[str]:
        """What the parts match together, from left to right."""
        found = self._intersection(parts[0])  # it excludes nothing
        for part in parts[1:]:
            matching = self._intersection(part)
            found = found - matching if part.excludes else found | matching
        return found

    def _intersection(self, part: Part) -> frozenset[str]:
        matching = self._term(part.terms[0])
        for term in part.terms[1:]:
            matching &= self._term(term)
        return matching

    def _term(self, term: Term) -> frozenset[str]:
        """What one term matches; each term is looked up once."""
        found = self._known.get(term)
        if found is None:
            found = self._known[term] = frozenset(self._matching(term))
        return found

    def _matching(self, term: Term) -> Iterable[str]:
        match term:
            case Everything():
                return self.hosts.ids
            case Group(name=name):
                return self._union(self._notation.groups[name])
            case Names(names=names):
                known = self.hosts.by_name
                self.unknown.update(name for name in names if name not in known)
                return (known[name].host_id for name in names if name in known)
            case TaskHosts():
                return self._of_task(term)
            case InState(state=state):
                return self._in_state(state)
            case Glob(pattern=pattern):
                return (host.host_id for host in self.hosts if pattern.match(host.name))
            case Label():
                return self._labelled(term)
            case Fact():
                return self._with_fact(term)

    def _in_state(self, state: HostState) -> Iterable[str]:
        if state is HostState.MAINTENANCE:
            now = self._context.now
            return (host.host_id for host in self.hosts if host.in_maintenance(now))
        online, is_online = state is HostState.ONLINE, self._context.is_online
        return (host.host_id for host in self.hosts if is_online(host.host_id) is online)

    def _labelled(self, term: Label) -> frozenset[str]:
        values, matches = self.hosts.ids_of_label(term.key), term.pattern.match
        found = frozenset[str]().union(*(ids for value, ids in values.items() if matches(value)))
        return self.hosts.ids - found if term.absent else found

    def _with_fact(self, term: Fact) -> Iterable[str]:
        key, matches, absent = term.key, term.pattern.match, term.absent
        for host in self.hosts:
            value = host.fact(key)
            if value is not None and (matches(value) is not None) is not absent:
                yield host.host_id

    def _of_task(self, term: TaskHosts) -> Iterable[str]:
        for host in self._context.task_hosts[term.task_id]:
            if host.host_class is term.host_class:
                if host.host_id not in self.hosts.ids:
                    self.gone[host.host_id] = host.name
                yield host.host_id

    def why_empty(self) -> str:
        """A sentence that names the parts that match nothing."""
        if not self.hosts:
            return "There are no admitted hosts."
        kept = [part for part in self._notation.parts if not part.excludes]
        empty = dict.fromkeys(text for part in kept for text in self._empty_of(part))
        if not empty:
            texts = ", ".join(part.text[:_TEXT_MAX] for part in kept)
            return f"Nothing is left of {texts}: all hosts that match are excluded."
        shown = ", ".join(text[:_TEXT_MAX] for text in list(empty)[:_SHOWN_MAX])
        more = f" and {len(empty) - _SHOWN_MAX} more" if len(empty) > _SHOWN_MAX else ""
        return f"No host matches {shown}{more}."

    def _empty_of(self, part: Part) -> Iterable[str]:
        """The terms that match nothing; the whole part if its terms match only separately."""
        if not self._intersection(part):
            return [term.text for term in part.terms if not self._term(term)] or [part.text]
        return []

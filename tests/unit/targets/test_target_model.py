"""The TARGET notation against a naive model of sets: for any hosts, states and targets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.targets.target import (
    TargetContext,
    TargetHost,
    TargetHosts,
    TaskHost,
    read_notation,
    resolve_target,
)
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.domain.text.host_name_ranges import natural_key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAMES = [f"{word}{number}" for word in ("web", "db", "n1-") for number in ("1", "01", "2", "10")]
VALUES = ["prod", "test", "pre"]
GONE = ["gone1", "gone2"]  # once admitted
TASK = 62


@dataclass(frozen=True)
class Fleet:
    """Hosts, and what else a target depends on."""

    hosts: list[TargetHost]
    online: set[str]
    classes: dict[str, HostClass]  # of the hosts of the task, by name
    include_maintenance: bool

    @property
    def context(self) -> TargetContext:
        return TargetContext(
            now=NOW,
            include_maintenance=self.include_maintenance,
            is_online=lambda host_id: host_id.removeprefix("id-") in self.online,
            task_hosts={
                TASK: [TaskHost(f"id-{name}", name, one) for name, one in self.classes.items()]
            },
        )

    def resting(self, name: str) -> bool:
        """Whether it is in maintenance now."""
        for host in self.hosts:
            if host.name == name and host.maintenance:
                return host.maintenance.until is None or host.maintenance.until > NOW
        return False


def pairs(key: str) -> st.SearchStrategy[dict[str, str]]:
    return st.none() | st.sampled_from(VALUES).map(lambda value: {key: value})  # type: ignore[return-value]


MAINTENANCE = st.none() | st.sampled_from(
    [Maintenance("why", until, "ana") for until in (None, NOW + SECOND, NOW, NOW - SECOND)]
)
HOSTS = st.lists(
    st.builds(
        lambda name, labels, facts, maintenance: TargetHost(
            f"id-{name}", name, labels or {}, facts or {}, maintenance
        ),
        st.sampled_from(NAMES),
        pairs("env"),
        pairs("os"),
        MAINTENANCE,
    ),
    unique_by=lambda one: one.name,
)
FLEETS = st.builds(
    Fleet,
    HOSTS,
    st.sets(st.sampled_from(NAMES)),
    st.dictionaries(st.sampled_from([*NAMES, *GONE]), st.sampled_from(HostClass)),
    st.booleans(),
)
TERMS = st.sampled_from(
    [
        *NAMES,
        *("@all", "web*", "*1", "?b*", "env=prod", "env!=p*", "env=*e*", "db[1-2]"),
        *("@online", "@offline", "@maintenance", "fact.os=p*", "fact.os!=test"),
        *(f"task:{TASK}:{one}" for one in HostClass),
    ]
)
PARTS = st.tuples(st.booleans(), st.lists(TERMS, min_size=1, max_size=3))
TARGETS = st.lists(PARTS, min_size=1, max_size=5).map(lambda ps: [(False, ps[0][1]), *ps[1:]])


def naive(term: str, fleet: Fleet) -> set[str]:
    """The names that a term matches, also of hosts that are gone."""
    if term.startswith("task:"):
        return {name for name, one in fleet.classes.items() if one == term.split(":")[2]}
    fits: Callable[[TargetHost], bool]
    key, _, glob = term.replace("!=", "=").partition("=")
    if term == "@all":
        return {host.name for host in fleet.hosts}
    if term in ("@online", "@offline"):
        return {h.name for h in fleet.hosts if (h.name in fleet.online) == (term == "@online")}
    if term == "@maintenance":
        return {host.name for host in fleet.hosts if fleet.resting(host.name)}
    if term.startswith("fact."):
        fits = lambda h: (  # noqa: E731
            "os" in h.facts and fnmatchcase(h.facts["os"], glob) != ("!=" in term)
        )
    elif "=" in term:
        fits = lambda h: (  # noqa: E731
            (key in h.labels and fnmatchcase(h.labels[key], glob)) != ("!=" in term)
        )
    elif "[" in term:
        fits = lambda h: h.name in ("db1", "db2")  # noqa: E731
    else:
        fits = lambda h: fnmatchcase(h.name, term)  # noqa: E731
    return {host.name for host in fleet.hosts if fits(host)}


def union(fleet: Fleet, parts: list[tuple[bool, list[str]]]) -> set[str]:
    found: set[str] = set()
    for away, terms in parts:
        matching = set.intersection(*(naive(term, fleet) for term in terms))
        found = found - matching if away else found | matching
    return found


@given(fleet=FLEETS, parts=TARGETS)
def test_means_what_sets_say(fleet: Fleet, parts: list[tuple[bool, list[str]]]) -> None:
    target = ",".join(("!" if away else "") + "&".join(terms) for away, terms in parts)
    known = {host.name for host in fleet.hosts}
    mentioned = {term for _, terms in parts for term in terms if term in NAMES}
    mentioned |= {n for _, terms in parts if "db[1-2]" in terms for n in ("db1", "db2")}
    added = {term for away, terms in parts if not away for term in terms}
    found = union(fleet, parts)
    resting = set() if fleet.include_maintenance else set(filter(fleet.resting, found))
    kept = (found & known) - resting

    in_order = sorted(fleet.hosts, key=lambda host: natural_key(host.name))
    kept_hosts = TargetHosts(in_order, in_order=True)

    def resolved() -> tuple[list[str], list[str]]:
        notation = read_notation(target, {})
        result = resolve_target(notation, TargetHosts(fleet.hosts), fleet.context)
        for _ in range(2):  # what it keeps of the first target serves the second
            assert resolve_target(notation, kept_hosts, fleet.context) == result
        return [host.name for host in result.hosts], list(result.left_out)

    if "@maintenance" in added and not fleet.include_maintenance:
        problem = "@maintenance matches only hosts in maintenance"
    elif mentioned - known:
        problem = "Not known"
    elif not found:
        problem = "No host|Nothing is left|There are no admitted hosts"
    elif resting & added:
        problem = "In maintenance: "
    elif not kept:
        problem = "All hosts that match are left out"
    else:
        left_out = (found - known) | resting
        ordered = [sorted(names, key=natural_key) for names in (kept, left_out)]
        assert list(resolved()) == ordered
        return
    with pytest.raises(InvalidInputError, match=problem):
        resolved()

"""Which hosts a TARGET matches. The notation is parsed in `target_notation.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.names import fold_names, natural_key
from tui_manager.domain.status import Admission
from tui_manager.domain.target_notation import (
    Everything,
    Glob,
    Group,
    Label,
    Names,
    Part,
    Term,
    read_notation,
)

__all__ = [
    "TargetHost",
    "TargetPreview",
    "check_target",
    "fold_names",
    "named_hosts",
    "natural_key",
    "resolve_target",
]

_NAMED_MAX = 5  # hosts that an error names one by one
_NOT_USABLE = {
    Admission.PENDING: "Not approved yet",
    Admission.REVOKED: "Revoked",
    Admission.REJECTED: "Rejected",
    Admission.ADMITTED: "Not known",  # it was admitted a moment ago
    None: "Not known",
}


@dataclass(frozen=True, slots=True)
class TargetHost:
    """The facts of a host that a target can match."""

    host_id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetPreview:
    """The hosts that a target matches now.

    Attributes:
        hosts: names of all that match, in order.
        offline: names of those that are offline.
        folded: the names in ClusterShell notation, `web[01-14]`.
    """

    hosts: tuple[str, ...]
    offline: tuple[str, ...]
    folded: str


def check_target(target: str, groups: Mapping[str, str]) -> None:
    """Checks only the notation.

    Args:
        target: in the TARGET notation.
        groups: name, without `@`, → target.

    Raises InvalidInputError("target").
    """
    read_notation(target, groups)


def named_hosts(target: str, groups: Mapping[str, str]) -> frozenset[str] | None:
    """The names of all hosts that the target can match, if it contains only names; otherwise None.

    Args: as of `check_target`.

    Raises InvalidInputError("target"): the notation is wrong.
    """
    return read_notation(target, groups).names


def resolve_target(
    target: str,
    hosts: Sequence[TargetHost],
    groups: Mapping[str, str],
    admission_of: Callable[[str], Admission | None] = lambda name: None,
) -> list[TargetHost]:
    """The hosts that `target` matches, in natural order of their names, each once.

    Args:
        target: in the TARGET notation.
        hosts: all that can match, with unique names; those of `named_hosts` are enough.
        groups: name, without `@`, → target.
        admission_of: of a host that is not among `hosts`, for the error; None: no host has that
            name.

    Raises InvalidInputError("target"): the notation is wrong, a name is not known or its host is
    not admitted (also after `!`), or nothing matches; the message names what did not.
    """
    notation = read_notation(target, groups)
    resolution = _Resolution(hosts, notation.groups)
    found = resolution.union(notation.parts)
    if resolution.unknown:
        raise InvalidInputError("target", _not_usable(resolution.unknown, admission_of))
    if not found:
        raise InvalidInputError("target", resolution.why_empty(notation.parts))
    in_their_order = [name for name in resolution.by_name if name in found]  # quick to sort again
    return [resolution.by_name[name] for name in sorted(in_their_order, key=natural_key)]


def _not_usable(names: Iterable[str], admission_of: Callable[[str], Admission | None]) -> str:
    """A sentence for each reason why hosts of these names cannot be used."""
    by_reason: dict[str, list[str]] = {}
    for name in sorted(names, key=natural_key):
        by_reason.setdefault(_NOT_USABLE[admission_of(name)], []).append(name)
    sentences = []
    for reason, found in by_reason.items():
        more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
        sentences.append(f"{reason}: {fold_names(found[:_NAMED_MAX])}{more}.")
    return " ".join(sentences)


class _Resolution:
    """Works with sets of names; collects the names that are not known."""

    def __init__(self, hosts: Sequence[TargetHost], groups: Mapping[str, tuple[Part, ...]]) -> None:
        self.by_name = {host.name: host for host in hosts}
        self.unknown: set[str] = set()
        self._groups = groups
        self._known: dict[Term, frozenset[str]] = {}

    def union(self, parts: Iterable[Part]) -> set[str]:
        """The names that the parts match together, from left to right."""
        found: set[str] = set()
        for part in parts:
            matching = self._intersection(part)
            if part.excludes:
                found -= matching
            else:
                found |= matching
        return found

    def _intersection(self, part: Part) -> frozenset[str]:
        matching = self._term(part.terms[0])
        for term in part.terms[1:]:
            matching &= self._term(term)
        return matching

    def _term(self, term: Term) -> frozenset[str]:
        """The names that one term matches; each term is looked up once."""
        found = self._known.get(term)
        if found is None:
            found = self._known[term] = frozenset(self._matching(term))
        return found

    def _matching(self, term: Term) -> Iterable[str]:
        match term:
            case Everything():
                return self.by_name
            case Group(name=name):
                return self.union(self._groups[name])
            case Names(names=names):
                self.unknown.update(name for name in names if name not in self.by_name)
                return names
            case Glob(pattern=pattern):
                return filter(pattern.match, self.by_name)
            case Label():
                return self._labelled(term)

    def _labelled(self, term: Label) -> Iterable[str]:
        key, matches, absent = term.key, term.pattern.match, term.absent
        for name, host in self.by_name.items():
            value = host.labels.get(key)
            if (value is not None and matches(value) is not None) is not absent:
                yield name

    def why_empty(self, parts: Sequence[Part]) -> str:
        """A sentence that names the parts that match nothing."""
        if not self.by_name:
            return "There are no admitted hosts."
        empty = dict.fromkeys(
            text for part in parts if not part.excludes for text in self._empty_of(part)
        )
        if not empty:
            kept = ", ".join(part.text[:200] for part in parts if not part.excludes)
            return f"Nothing is left of {kept}: all hosts that match are excluded."
        named = list(empty)[:_NAMED_MAX]
        more = f" and {len(empty) - _NAMED_MAX} more" if len(empty) > _NAMED_MAX else ""
        return f"No host matches {', '.join(text[:200] for text in named)}{more}."

    def _empty_of(self, part: Part) -> Iterable[str]:
        """The terms that match nothing; the whole part if its terms match only separately."""
        if not self._intersection(part):
            return [term.text for term in part.terms if not self._term(term)] or [part.text]
        return []

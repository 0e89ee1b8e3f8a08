"""Terms of a filter that are targets: `role=web`, `web[01-20]`, `@offline`, `task:62:failed`. So
one term can filter a list of hosts and be the target of a task. Lists of hosts and of command hosts
have them. The rest of the language is in `filter_language.py`."""

from collections.abc import Collection, Iterable, Mapping

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import FilterTerm, parse_filter
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target_matching import Matching, TargetContext, TargetHosts
from tui_manager.domain.targets.target_notation import read_notation
from tui_manager.domain.targets.target_terms import Everything, InState, Names, Notation, Term

COMMAND_HOST_KEYS = ("status", "reason", "exit", "signal", "host", "batch", "step")
HOST_KEYS = ("state", "name", "agent", "system", "address", "id")  # besides labels and facts
_OF_TARGETS = frozenset("@*?[,&")  # a word with one of them is no plain word

_TURNED_AWAY = (Admission.REJECTED, Admission.REVOKED)


def asks_for_turned_away(text: str) -> bool:
    """Whether a filter names the state of hosts: `state=revoked`, `rejected`. Else lists may hide
    the hosts that were turned away.

    Raises InvalidInputError("text"): the filter is wrong.
    """
    return any(
        term.key == "state" or (not term.key and term.value.casefold() in _TURNED_AWAY)
        for term in parse_filter(text)
    )


@dataclass(frozen=True, slots=True)
class HostTerms:
    """A filter, cut in two.

    Attributes:
        own: the terms that are no targets.
        targets: the others, as they were typed and parsed.
    """

    own: tuple[FilterTerm, ...]
    targets: tuple[tuple[FilterTerm, Notation], ...]

    @property
    def task_ids(self) -> frozenset[int]:
        """The tasks whose hosts the targets name."""
        return frozenset().union(*(notation.task_ids for _, notation in self.targets))

    def matching(
        self, hosts: TargetHosts, admitted: frozenset[str], context: TargetContext
    ) -> frozenset[str] | None:
        """The host_ids that fit all targets; None: there are no targets.

        Args:
            hosts: all hosts, also those that are not admitted.
            admitted: the host_ids of the admitted ones. Only these are among `@all` and `@offline`.
        """
        if not self.targets:
            return None
        found = hosts.ids
        for term, notation in self.targets:
            matching = _AnyHost(notation, hosts, context, admitted).all()
            found = found - matching if term.negated else found & matching
        return found


class _AnyHost(Matching):
    """Matches hosts that are not admitted too. Several of these may have the same name."""

    def __init__(
        self,
        notation: Notation,
        hosts: TargetHosts,
        context: TargetContext,
        admitted: frozenset[str],
    ) -> None:
        super().__init__(notation, hosts, context)
        self._admitted = admitted

    def _matching(self, term: Term) -> Iterable[str]:
        if isinstance(term, Names):
            names = frozenset(term.names)
            return (host.host_id for host in self.hosts if host.name in names)
        found = super()._matching(term)
        if isinstance(term, Everything | InState):
            return self._admitted.intersection(found)
        return found


def read_host_terms(text: str, keys: Collection[str], groups: Mapping[str, str]) -> HostTerms:
    """The terms of a filter, cut in two.

    Args:
        keys: of the list; any other key is a label or a fact.
        groups: name, without `@`, → target.

    Raises InvalidInputError("text"): as `parse_filter`, or a target is wrong.
    """
    own, targets = [], []
    for term in parse_filter(text):
        if is_target(term, keys):
            targets.append((term, _notation(term, groups)))
        else:
            own.append(term)
    return HostTerms(tuple(own), tuple(targets))


def _notation(term: FilterTerm, groups: Mapping[str, str]) -> Notation:
    try:
        return read_notation(term.text, groups)
    except InvalidInputError as error:
        raise InvalidInputError("text", str(error)) from error


def is_target(term: FilterTerm, keys: Collection[str]) -> bool:
    """Whether a term is a target, and not of the list's own."""
    if term.kind == "word":
        return term.value.startswith("task:") or not _OF_TARGETS.isdisjoint(term.value)
    return term.kind == "value" and term.key not in keys


def filter_as_target(text: str, keys: Collection[str] = HOST_KEYS) -> str:
    """The target of the hosts that a filter shows; empty if it is not only made of targets."""
    try:
        terms = parse_filter(text)
    except InvalidInputError:
        return ""
    if not terms or terms[0].negated or not all(is_target(term, keys) for term in terms):
        return ""
    kept = [term.text for term in terms if not term.negated]
    if len(kept) > 1 and any("," in text or text.startswith("!") for text in kept):
        return ""  # what is joined by `&` must be one part each
    taken = [term.text for term in terms if term.negated]
    if any("," in text for text in taken):
        return ""
    return ",".join(["&".join(kept), *(f"!{text}" for text in taken)])

"""Which hosts a TARGET matches, and which of them a task leaves out. The sets of hosts are found in
`target_matching.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.status import Admission
from tui_manager.domain.targets.target_matching import (
    Matching,
    TargetContext,
    TargetHost,
    TargetHosts,
    TaskHost,
)
from tui_manager.domain.targets.target_notation import read_notation
from tui_manager.domain.targets.target_terms import HostState, Notation
from tui_manager.domain.text.host_name_ranges import fold_names, natural_key

__all__ = [
    "ResolvedTarget",
    "TargetContext",
    "TargetHost",
    "TargetHosts",
    "TaskHost",
    "check_target",
    "fold_names",
    "natural_key",
    "read_notation",
    "resolve_target",
]

_NAMED_MAX = 5  # hosts that an error names one by one
_REASON_MAX = 100  # characters of a maintenance's reason in an error
_INCLUDE = "include hosts in maintenance (--include-maintenance)"
_NOT_USABLE = {
    Admission.PENDING: "Not approved yet",
    Admission.REVOKED: "Revoked",
    Admission.REJECTED: "Rejected",
    Admission.ADMITTED: "Not known",  # it was admitted a moment ago
    None: "Not known",
}


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """The hosts of a target.

    Attributes:
        hosts: in natural order of their names, each once.
        left_out: names of hosts that the target matches and that a task leaves out, in natural
            order: those in maintenance, and those of an earlier task that are gone.
    """

    hosts: tuple[TargetHost, ...]
    left_out: tuple[str, ...] = ()


def check_target(
    target: str, groups: Mapping[str, str], *, include_maintenance: bool = False
) -> None:
    """Checks only the notation.

    Args:
        target: in the TARGET notation.
        groups: name, without `@`, → target.
        include_maintenance: hosts in maintenance are not left out.

    Raises InvalidInputError("target").
    """
    _check_maintenance(read_notation(target, groups), include_maintenance=include_maintenance)


def _check_maintenance(notation: Notation, *, include_maintenance: bool) -> None:
    """Raises InvalidInputError if the target asks for hosts in maintenance, which are left out."""
    if not include_maintenance and notation.adds(HostState.MAINTENANCE):
        raise InvalidInputError(
            "target",
            "@maintenance matches only hosts in maintenance, and these are left out; "
            f"{_INCLUDE} to run there.",
        )


def resolve_target(
    notation: Notation, hosts: TargetHosts, context: TargetContext
) -> ResolvedTarget:
    """The hosts that a target matches.

    Args:
        notation: from `read_notation`.
        hosts: all admitted hosts, with unique names; those of `notation.names` are enough.
        context: with the hosts of all `notation.task_ids`.

    Raises InvalidInputError("target"): a name is not known or its host is not admitted (also after
    `!`); a name is spelled out and its host is in maintenance; nothing matches, or all that matches
    is left out. The message names what did not fit.
    """
    _check_maintenance(notation, include_maintenance=context.include_maintenance)
    matching = Matching(notation, hosts, context)
    found = matching.all()
    if matching.unknown:
        raise InvalidInputError("target", _not_usable(matching.unknown, context.admission_of))
    if not found:
        raise InvalidInputError("target", matching.why_empty())
    kept = [host for host in hosts if host.host_id in found]
    if not hosts.in_order:
        kept.sort(key=lambda host: natural_key(host.name))
    gone = [name for host_id, name in matching.gone.items() if host_id in found]
    resting: list[TargetHost] = []
    if not context.include_maintenance:
        may_rest = (host for host in hosts.with_maintenance if host.host_id in found)
        resting = [host for host in may_rest if host.in_maintenance(context.now)]
    if resting:
        named = matching.spelled_out()
        _refuse_named([host for host in resting if host.host_id in named])
        kept = [host for host in kept if not host.in_maintenance(context.now)]
    if not kept:
        raise InvalidInputError("target", _why_all_left_out(resting, gone))
    left_out = (*(host.name for host in resting), *gone)
    return ResolvedTarget(tuple(kept), tuple(sorted(left_out, key=natural_key)))


def _refuse_named(resting: Sequence[TargetHost]) -> None:
    """Raises InvalidInputError if the target names hosts that are in maintenance."""
    if not resting:
        return
    said = [
        f"{host.name} ({host.maintenance.reason[:_REASON_MAX]})"
        for host in resting[:_NAMED_MAX]
        if host.maintenance
    ]
    raise InvalidInputError(
        "target",
        f"In maintenance: {', '.join(said)}{_more(resting)}. To run there, {_INCLUDE}; otherwise "
        "leave the name out.",
    )


def _why_all_left_out(resting: Sequence[TargetHost], gone: Sequence[str]) -> str:
    """Two sentences: who is left out, and what can be done."""
    said = []
    if resting:
        said.append(f"in maintenance: {_first_names([host.name for host in resting])}")
    if gone:
        said.append(f"not in the fleet any more: {_first_names(gone)}")
    advice = f" To run on hosts in maintenance, {_INCLUDE}." if resting else ""
    return f"All hosts that match are left out: {'; '.join(said)}.{advice}"


def _not_usable(names: Iterable[str], admission_of: Callable[[str], Admission | None]) -> str:
    """A sentence for each reason why hosts of these names cannot be used."""
    by_reason: dict[str, list[str]] = {}
    for name in sorted(names, key=natural_key):
        by_reason.setdefault(_NOT_USABLE[admission_of(name)], []).append(name)
    return " ".join(f"{reason}: {_first_names(found)}." for reason, found in by_reason.items())


def _first_names(names: Iterable[str]) -> str:
    """The first names, folded, and how many more there are."""
    ordered = sorted(names, key=natural_key)
    return f"{fold_names(ordered[:_NAMED_MAX])}{_more(ordered)}"


def _more(items: Sequence[object]) -> str:
    return f" and {len(items) - _NAMED_MAX} more" if len(items) > _NAMED_MAX else ""

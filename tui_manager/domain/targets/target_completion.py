"""What the last term of a target that is being typed can become. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tui_manager.domain.targets.target_matching import TargetHost
from tui_manager.domain.targets.target_notation import RESERVED_GROUPS

COMPLETIONS_LIMIT = 1000  # of one answer
_FACT = "fact."


def last_term(target: str) -> tuple[str, str]:
    """A target without its last term, and that term: `role=web,`, `db`. A range that is not closed
    has no term."""
    start = depth = 0
    for place, character in enumerate(target):
        if character == "[":
            depth += 1
        elif character == "]":
            depth = max(0, depth - 1)
        elif character in ",&" and not depth:
            start = place + 1
    while target[start : start + 1] in (" ", "!"):
        start += 1
    return (target, "") if depth else (target[:start], target[start:])


def completions(
    target: str, hosts: Iterable[TargetHost], groups: Iterable[str], limit: int
) -> Sequence[str]:
    """Terms that begin as the last one of the target, each once: groups, then keys or values of
    labels and facts, then names. A term that is whole already has none.

    Args:
        hosts: in the order in which their names are offered.
        groups: names without `@`.
    """
    before, term = last_term(target)
    if not term and before and before[-1] not in ",&! ":  # in a range
        return ()
    found = dict.fromkeys(
        one for one in _candidates(term, hosts, groups) if one.startswith(term) and one != term
    )
    return tuple(islice(found, max(0, min(limit, COMPLETIONS_LIMIT))))


def _candidates(term: str, hosts: Iterable[TargetHost], groups: Iterable[str]) -> Iterator[str]:
    if "=" in term:
        yield from _values(term, hosts)
        return
    if not term or term.startswith("@"):
        yield from sorted(f"@{name}" for name in (*RESERVED_GROUPS, *groups))
    if not term.startswith("@"):
        yield from _keys(term, hosts)
    if term and not term.startswith("@"):
        yield from (host.name for host in hosts if host.name.startswith(term))


def _keys(term: str, hosts: Iterable[TargetHost]) -> Sequence[str]:
    """`role=`, and when `fact.` is typed `fact.os=`."""
    labels: set[str] = set()
    facts: set[str] = set()
    for host in hosts:  # of which there may be thousands: formatted is what is left of them
        labels.update(host.labels)
        facts.update(host.facts)
        facts.update(host.agent)
    keys = [f"{key}=" for key in labels]
    if term.startswith(_FACT):
        keys += [f"{_FACT}{key}=" for key in facts]
    elif facts:
        keys.append(_FACT)
    return sorted(keys)


def _values(term: str, hosts: Iterable[TargetHost]) -> Sequence[str]:
    """`role=web` and `role!=web` for each value of the label."""
    key, _, _ = term.partition("=")
    sign = "!=" if key.endswith("!") else "="
    key = key.removesuffix("!")
    values: set[str] = set()
    for host in hosts:
        of_fact = key.startswith(_FACT)
        value = host.fact(key.removeprefix(_FACT)) if of_fact else host.labels.get(key)
        if value is not None:
            values.add(value)
    return sorted(f"{key}{sign}{value}" for value in values)

"""Sentences on what is odd about a host, for who approves it; inside a transaction."""

from collections.abc import Sequence

from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import Admission
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import hosts
from tui_manager.storage.tables.hosts import HostRow

_NAMED = 3  # other hosts that a note describes
_LENGTH = 1000  # characters of a note


def of_others(tx: Transaction, host_id: str, name: str, machine_id: str) -> str:
    """What speaks against a newcomer: its name or its machine is that of another host.

    Args:
        host_id: of the newcomer itself; empty when it has none yet.
        machine_id: empty when it gave none.
    """
    named = _others(hosts.by_name(tx, name), host_id)
    known = {other.host_id for other in named}
    same = [
        other
        for other in _others(hosts.by_machine(tx, machine_id), host_id)
        if other.host_id not in known
    ]
    sentences = [f"The name {name} is also that of {_listed(named)}."] if named else []
    if same:
        sentences.append(f"The machine {_id(machine_id)} is also that of {_listed(same)}.")
    return " ".join(sentences)


def of_changes(known: HostRow, name: str, machine_id: str) -> str:
    """What a known host says otherwise of itself now; empty for nothing. No machine id, now or
    before, is no other one."""
    sentences = []
    if name != known.name:
        sentences.append(f"It was called {known.name} and calls itself {name} now.")
    if moved(known, machine_id):
        sentences.append(
            f"Its key was on machine {_id(known.machine_id)} (last seen from "
            f"{known.address or 'nowhere'}) and is on machine {_id(machine_id)} now."
        )
    return " ".join(sentences)


def moved(known: HostRow, machine_id: str) -> bool:
    """Whether a known host says that it is another machine."""
    return bool(machine_id and known.machine_id) and machine_id != known.machine_id


def joined(before: str, more: str) -> str:
    """A note with a sentence more. The oldest is what its approval rested on: it stays, and what no
    longer fits is left out."""
    if not before or not more or more in before:
        return before or more
    return f"{before} {more}" if len(before) + len(more) < _LENGTH else before


def _others(found: Sequence[HostRow], host_id: str) -> list[HostRow]:
    return [other for other in found if other.host_id != host_id]


def _listed(others: Sequence[HostRow]) -> str:
    told = [_one(other) for other in others[:_NAMED]]
    if len(others) > _NAMED:
        told.append(f"{len(others) - _NAMED} more")
    return ", and of ".join(told)


def _one(host: HostRow) -> str:
    state = "is admitted" if host.admission is Admission.ADMITTED else "waits too"
    key = host.fingerprint or "no key"
    return (
        f"{host.name}, which {state} ({key}, machine {_id(host.machine_id)}, last seen from "
        f"{host.address or 'nowhere'})"
    )


def _id(machine_id: str) -> str:
    """What an agent calls its machine is any text."""
    return safe_line(machine_id[:40]) or "unknown"

"""What an operator should know before a host is approved, as sentences in its note; and what
happens to a known host that comes with another name or another machine. Inside a transaction."""

from collections.abc import Sequence

from tui_manager.domain.status import Admission
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.manager import audit

_NAMED_MAX = 3  # other hosts that a note describes
_NOTE_MAX = 1000  # characters


def describe_duplicates(tx: Transaction, host_id: str, name: str, machine_id: str) -> str:
    """Which other hosts have the same name or the same machine; empty: none.

    Args:
        host_id: of the host itself; empty: it has none yet.
        machine_id: empty: it gave none.
    """
    same_name = _others(hosts.by_name(tx, name), host_id)
    described = {other.host_id for other in same_name}
    same_machine = [
        other
        for other in _others(hosts.by_machine(tx, machine_id), host_id)
        if other.host_id not in described
    ]
    sentences = [f"The name {name} is also that of {_list(same_name)}."] if same_name else []
    if same_machine:
        sentences.append(f"Same machine ID as {_first_of(same_machine)}: a cloned image?")
    return " ".join(sentences)


def describe_changes(known: HostRow, name: str, machine_id: str) -> str:
    """What a known host says of itself that differs from what is stored; empty: nothing. A machine
    id that is missing, now or before, is no difference."""
    sentences = []
    name = known.name_with(name)
    if name != known.name:
        sentences.append(f"It was called {known.name} and calls itself {name} now.")
    if has_moved(known, machine_id):
        sentences.append(
            f"Its key was on machine {_safe_id(known.machine_id)} (last seen from "
            f"{_address(known)}) and is on machine {_safe_id(machine_id)} now."
        )
    return " ".join(sentences)


def has_moved(known: HostRow, machine_id: str) -> bool:
    """Whether a known host says that it is another machine."""
    return bool(machine_id and known.machine_id) and machine_id != known.machine_id


def record_changes(tx: Transaction, known: HostRow, name: str, machine_id: str, now: int) -> bool:
    """Writes a new name or a new machine of a known host to the audit. An enrolled host becomes
    pending again, because its approval was for the former name and machine.

    Args:
        name, machine_id: as the agent gives them now; `known` still holds the former.
        now: microseconds since 1970 UTC.

    Returns:
        Whether the host has to be approved again.
    """
    changes = describe_changes(known, name, machine_id)
    if not changes:
        return False
    enrolled = known.key_hash is not None
    if enrolled:
        duplicates = describe_duplicates(tx, known.host_id, name, machine_id)
        note = _append(known.note, _append(changes, duplicates))
        admissions.put_back(tx, known.host_id, note)
        if note == known.note and known.admission is Admission.PENDING:
            # A pending host may change as often as it likes, and must not fill the audit.
            return True
    more = {"admission": "pending"} if enrolled else {}
    changed = []
    if known.name != name:
        changed.append(("rename_host", known.name, name))
    if has_moved(known, machine_id):
        changed.append(("move_host", known.machine_id, machine_id))
    for action, before, after in changed:
        audit.record(
            tx,
            now,
            f"host {known.name}",
            action,
            host_id=known.host_id,
            host=name,
            before=before,
            after=after,
            more=more,
        )
    return enrolled


def _append(note: str, more: str) -> str:
    """A note with one more sentence. The oldest sentences stay, because the approval rests on
    them; a sentence that does not fit is left out."""
    if not note or not more or more in note:
        return note or more
    return f"{note} {more}" if len(note) + len(more) < _NOTE_MAX else note


def _others(found: Sequence[HostRow], host_id: str) -> list[HostRow]:
    return [other for other in found if other.host_id != host_id]


def _list(others: Sequence[HostRow]) -> str:
    described = [_describe(other) for other in others[:_NAMED_MAX]]
    if len(others) > _NAMED_MAX:
        described.append(f"{len(others) - _NAMED_MAX} more")
    return ", and of ".join(described)


def _first_of(others: Sequence[HostRow]) -> str:
    """`web03, which is admitted (lusab-babad, last seen from 10.0.0.13)`, or `web03 and 7 more`."""
    first = others[0]
    if len(others) > 1:
        return f"{first.name} and {len(others) - 1:,} more"
    key = first.fingerprint or "no key"
    return f"{first.name}, which {_state(first)} ({key}, last seen from {_address(first)})"


def _state(host: HostRow) -> str:
    return "is admitted" if host.admission is Admission.ADMITTED else "waits too"


def _address(host: HostRow) -> str:
    return host.address or "nowhere"


def _describe(host: HostRow) -> str:
    key = host.fingerprint or "no key"
    return (
        f"{host.name}, which {_state(host)} ({key}, machine {_safe_id(host.machine_id)}, last seen "
        f"from {_address(host)})"
    )


def _safe_id(machine_id: str) -> str:
    """An agent may send any text as its machine id."""
    return safe_line(machine_id[:40]) or "unknown"

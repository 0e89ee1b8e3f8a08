"""Which hosts an operator names, and the audit of what is done to them. Inside a transaction.

A word is a name, a host_id, or NAME/HOST_ID: the host with this id, if it still has the name that
the operator saw. Hosts that were removed are not found.
"""

from collections.abc import Iterable, Mapping, Sequence

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.status import Admission
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.tables.manager import audit

_MEMBERS = (Admission.ADMITTED, Admission.PENDING)


def in_admission(
    tx: Transaction, words: Iterable[str], admission: Admission, verb: str
) -> list[HostRow]:
    """The hosts that are named, each once: of those with a name, all with this admission.

    Args:
        verb: what is to be done to them, "approved".

    Raises:
        NotFoundError: there is no host of such a name.
        IllegalMoveError: a host has another admission, or another name than the operator saw.
        InvalidInputError: no host is named.
    """
    found: dict[str, HostRow] = {}
    for word in words:
        known = _find_and_lock(tx, word)
        selected = [host for host in known if host.admission is admission]
        if not selected:
            states = " and ".join(sorted({host.admission for host in known}))
            raise _illegal(known[0], verb, f"it is {states}, not {admission}")
        found.update((host.host_id, host) for host in selected)
    return _at_least_one(found, verb)


def members(tx: Transaction, words: Iterable[str], verb: str) -> list[HostRow]:
    """The hosts that are named, each once, none of which was turned away. A name is that of the
    admitted host if there is one.

    Args and errors: as `in_admission`; IllegalMoveError also if a name is that of several hosts.
    """
    found: dict[str, HostRow] = {}
    for word in words:
        known = _find_and_lock(tx, word)
        left = [host for host in known if host.admission in _MEMBERS]
        if not left:
            raise _illegal(known[0], verb, f"it is {known[0].admission}")
        admitted = [host for host in left if host.admission is Admission.ADMITTED]
        host = _only(admitted or left)
        found[host.host_id] = host
    return _at_least_one(found, verb)


def any_hosts(tx: Transaction, words: Iterable[str], verb: str) -> list[HostRow]:
    """The hosts that are named, each once, with any admission.

    Args and errors: as `members`.
    """
    found = [_only(_find_and_lock(tx, word)) for word in words]
    return _at_least_one({host.host_id: host for host in found}, verb)


def shown_host(tx: Transaction, word: str) -> HostRow:
    """The host that an operator wants to see: the admitted one of this name if there is one, else
    one that is pending, else one that was turned away.

    Raises:
        NotFoundError, IllegalMoveError: as `members`.
    """
    known = _find(tx, word)
    for admission in (Admission.ADMITTED, Admission.PENDING):
        if found := [host for host in known if host.admission is admission]:
            return _only(found)
    return _only(known)


def _find(tx: Transaction, word: str) -> list[HostRow]:
    """The hosts of one word, at least one."""
    name, slash, host_id = word.partition("/")
    known = admissions.find(tx, host_id if slash else name)
    if not known:
        raise NotFoundError(f"There is no host {word[:80]!r}.")
    if slash and known[0].name != name:
        raise IllegalMoveError(
            f"The host that was {name[:80]} is called {known[0].name} by now. Look at it again."
        )
    return known


def _find_and_lock(tx: Transaction, word: str) -> list[HostRow]:
    """The same; another manager changes them only after this transaction."""
    known = _find(tx, word)
    locked = hosts.lock(tx, [host.host_id for host in known])
    now = [locked[host.host_id] for host in known]
    if any(new.name != old.name or new.removed for new, old in zip(now, known, strict=True)):
        return _find(tx, word)
    return now


def _only(found: Sequence[HostRow]) -> HostRow:
    """The only one of these hosts of one name."""
    if len(found) > 1:
        which = ", ".join(f"{host.host_id} ({host.admission})" for host in found)
        raise IllegalMoveError(
            f"{len(found)} hosts are called {found[0].name}: {which}. Name one by its id."
        )
    return found[0]


def _at_least_one(found: Mapping[str, HostRow], verb: str) -> list[HostRow]:
    if not found:
        raise InvalidInputError("names", f"Name the hosts that are to be {verb}.")
    return list(found.values())


def _illegal(host: HostRow, verb: str, why: str) -> IllegalMoveError:
    return IllegalMoveError(f"{host.name} cannot be {verb}: {why}.")


def record(
    tx: Transaction, now: int, actor: str, action: str, row: HostRow, more: Mapping[str, str | int]
) -> None:
    """Writes into the audit what was done to a host, which has its key with it.

    Args:
        now: microseconds since 1970 UTC.
        more: what else is worth knowing later.
    """
    audit.record(
        tx,
        now,
        actor,
        action,
        host_id=row.host_id,
        host=row.name,
        key=row.fingerprint,
        more=more,
    )

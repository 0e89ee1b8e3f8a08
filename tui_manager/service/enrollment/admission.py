"""AdmissionService: an operator says who belongs, and who does no longer."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    Refusal,
)
from tui_manager.domain.names import fold_names
from tui_manager.domain.status import Admission
from tui_manager.service.dispatch.dispatch import Dispatch
from tui_manager.service.dispatch.task_dispatcher import SessionDoor
from tui_manager.service.hosts.directory import Directory
from tui_manager.service.manager.change_feed import ChangeFeed
from tui_manager.service.manager.clock import Clock
from tui_manager.service.manager.run_to_completion import whole
from tui_manager.service.tasks import task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.database import Database
from tui_manager.storage.tables import admissions, audit, hosts
from tui_manager.storage.tables.hosts import HostRow
from tui_manager.storage.views import sending

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Done:
    """What one act did: the hosts as they are now, and the tasks that went on without them."""

    rows: list[HostRow] = field(default_factory=list)
    tasks: set[int] = field(default_factory=set)

    def names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows)


class AdmissionService:
    """Approves, rejects and revokes hosts: all that are named, or none."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        dispatch: Dispatch,
        sessions: SessionDoor,
        feed: ChangeFeed,
        clock: Clock,
    ) -> None:
        self._database = database
        self._directory = directory
        self._dispatch = dispatch
        self._sessions = sessions
        self._feed = feed
        self._clock = clock

    async def approve(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        """pending → admitted: these may be given work.

        Args:
            names: names or host_ids of hosts that are pending, or NAME/HOST_ID: the host of this id
                as long as it has the name under which it was looked at.
            all_pending: instead of these all about which nothing is odd: a host with a note, or one
                whose name another host has, is approved by name alone.
            actor: who asked, `user@terminal`.

        Returns:
            The names of those that were approved.

        Raises:
            NotFoundError: there is no host of such a name.
            IllegalMoveError: one is not pending, or its name is that of another host.
            InvalidInputError: nobody is named.
        """
        return await whole(self._approve(names, all_pending, actor))

    async def _approve(
        self, names: Sequence[str], all_pending: bool, actor: str
    ) -> tuple[str, ...]:
        def work(tx: Transaction) -> _Done:
            now = self._clock.stamp()
            done = _Done()
            meant = _pending(tx, names, all_pending, "approved")
            if all_pending:
                meant = _not_odd(tx, meant)
            _check_distinct(meant)
            for host in meant:
                _check_name_is_free(tx, host)
                row = admissions.admit(tx, host.host_id)
                assert row is not None
                _record(tx, now, actor, "admit_host", row, {"note": host.note} if host.note else {})
                done.rows.append(row)
            return done

        done = await self._database.write(work)
        self._show(done, "hosts approved", actor)
        for row in done.rows:
            self._sessions.tell_admission(row.host_id, row.admission)
        self._dispatch.kick(row.host_id for row in done.rows)
        return done.names()

    async def reject(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        """pending → rejected: these are not let in, and their keys never will be. What they had
        been given before they had to wait is given up.

        Args and errors are those of `approve`, but that `all_pending` means all of them.
        """
        return await whole(
            self._turn_away(
                lambda tx: _pending(tx, names, all_pending, "rejected"),
                admissions.reject,
                "reject_host",
                actor,
            )
        )

    async def revoke(self, names: Sequence[str], actor: str) -> tuple[str, ...]:
        """admitted → revoked: these are thrown out at once, and their keys never get in again.

        Args:
            names: names or host_ids of hosts that are admitted.
            actor: who asked, `user@terminal`.

        Returns:
            The names of those that were revoked.

        Raises:
            NotFoundError, IllegalMoveError, InvalidInputError: as `approve`.
        """
        return await whole(
            self._turn_away(
                lambda tx: _named(tx, names, Admission.ADMITTED, "revoked"),
                admissions.revoke,
                "revoke_host",
                actor,
            )
        )

    async def _turn_away(
        self,
        whom: Callable[[Transaction], list[HostRow]],
        guard: Callable[[Transaction, str], HostRow | None],
        action: str,
        actor: str,
    ) -> tuple[str, ...]:
        def work(tx: Transaction) -> _Done:
            now = self._clock.stamp()
            done = _Done()
            for host in whom(tx):
                row = guard(tx, host.host_id)
                assert row is not None
                waiting = sending.unsent_of_turned_away(tx, row.row_id)
                why = f"The host was {row.admission} before it was sent."
                lost = task_status.give_up(tx, row.row_id, waiting, why, now, for_good=True)
                _record(tx, now, actor, action, row, {"tasks": len(lost)})
                done.rows.append(row)
                done.tasks |= lost
            for task_id in done.tasks:
                task_status.settle(tx, task_id, now)
            return done

        done = await self._database.write(work)
        self._show(done, "hosts turned away", actor)
        for row in done.rows:
            refusal = Refusal(row.admission.value)
            why = f"An operator has {row.admission} this host ({row.name})."
            self._sessions.turn_away(row.host_id, refusal, why)
        return done.names()

    def _show(self, done: _Done, what: str, actor: str) -> None:
        for row in done.rows:
            self._directory.put(row, self._clock.now(), self._clock.monotonic())
        log.info(what, extra={"hosts": fold_names(done.names()), "actor": actor})
        self._feed.publish(Changes(hosts=True, tasks=frozenset(done.tasks), manager=True))


def _pending(tx: Transaction, names: Sequence[str], all_pending: bool, verb: str) -> list[HostRow]:
    if all_pending and not names:
        return admissions.pending(tx)
    if all_pending:
        raise InvalidInputError("names", "Name hosts, or say all that are pending; not both.")
    return _named(tx, names, Admission.PENDING, verb)


def _not_odd(tx: Transaction, waiting: Sequence[HostRow]) -> list[HostRow]:
    """Those that an operator may let in without a second look."""
    names = Counter(host.name for host in waiting)
    return [
        host
        for host in waiting
        if not host.note and names[host.name] == 1 and _admitted(tx, host.name) is None
    ]


def _admitted(tx: Transaction, name: str) -> HostRow | None:
    """The admitted host of this name."""
    first = next(iter(hosts.by_name(tx, name)), None)
    return first if first and first.admission is Admission.ADMITTED else None


def _named(tx: Transaction, names: Iterable[str], admission: Admission, verb: str) -> list[HostRow]:
    """The hosts that are meant: of a name those that stand so, each once."""
    found: dict[str, HostRow] = {}
    for word in names:
        name, slash, host_id = word.partition("/")
        known = admissions.find(tx, host_id if slash else name)
        if not known:
            raise NotFoundError(f"There is no host {word[:80]!r}.")
        if slash and known[0].name != name:
            raise IllegalMoveError(
                f"The host that was {name[:80]} calls itself {known[0].name} by now. "
                "Look at it again."
            )
        meant = [host for host in known if host.admission is admission]
        if not meant:
            states = " and ".join(sorted({host.admission for host in known}))
            raise IllegalMoveError(
                f"{known[0].name} cannot be {verb}: it is {states}, not {admission}."
            )
        found.update((host.host_id, host) for host in meant)
    if not found:
        raise InvalidInputError("names", f"Name the hosts that are to be {verb}.")
    return list(found.values())


def _check_distinct(meant: Sequence[HostRow]) -> None:
    """Raises IllegalMoveError when two of them have one name: only one can be let in with it."""
    by_name: dict[str, HostRow] = {}
    for host in meant:
        other = by_name.setdefault(host.name, host)
        if other is not host:
            raise IllegalMoveError(
                f"Two hosts wait under the name {host.name}, and only one can be approved: "
                f"{other.host_id} (key {other.fingerprint}) and {host.host_id} (key "
                f"{host.fingerprint}). Name the right one by its id, and reject the other."
            )


def _check_name_is_free(tx: Transaction, host: HostRow) -> None:
    """Raises IllegalMoveError when another admitted host has the name."""
    owner = _admitted(tx, host.name)
    if owner is None:
        return
    key = f"key {owner.fingerprint}" if owner.fingerprint else "no key"
    raise IllegalMoveError(
        f"{host.name} (key {host.fingerprint}) cannot be approved: another host of that name is "
        f"admitted ({key}, last seen from {owner.address or 'nowhere'}). Revoke that one first, or "
        "start this agent with another --name."
    )


def _record(
    tx: Transaction, now: int, actor: str, action: str, row: HostRow, more: Mapping[str, str | int]
) -> None:
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

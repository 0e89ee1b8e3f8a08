"""AdmissionService: an operator approves, rejects and revokes hosts."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    Refusal,
)
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Admission
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.service.core import advance_task
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.dispatch.task_dispatcher import SessionControl
from tui_manager.service.enrollment import named_hosts
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.views.delivery import command_delivery

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Change:
    """What one act changed: the hosts as they are now, and the tasks of commands that failed."""

    rows: list[HostRow] = field(default_factory=list)
    tasks: set[int] = field(default_factory=set)

    def names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows)


class AdmissionService:
    """Approves, rejects and revokes hosts: all that are named, or none."""

    def __init__(self, core: Core, dispatch: DispatchLoop, sessions: SessionControl) -> None:
        self._core = core
        self._dispatch = dispatch
        self._sessions = sessions

    async def approve(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        """pending → admitted: these hosts may run commands.

        Args:
            names: names or host_ids of pending hosts, or NAME/HOST_ID: the host with this id, if it
                still has the name that the operator saw.
            all_pending: instead of names: all pending hosts, but skips hosts that have a note or
                share their name with another host. Those must be named.
            actor: who asked, `user@terminal`.

        Returns:
            The names of those that were approved.

        Raises:
            NotFoundError: there is no host of such a name.
            IllegalMoveError: one is not pending, or its name is that of another host.
            InvalidInputError: no host is named.
        """
        return await run_to_completion(self._approve(names, all_pending, actor))

    async def _approve(
        self, names: Sequence[str], all_pending: bool, actor: str
    ) -> tuple[str, ...]:
        def work(tx: Transaction) -> _Change:
            now = self._core.clock.stamp()
            change = _Change()
            selected = _pending(tx, names, all_pending, "approved")
            if all_pending:
                selected = _without_flagged(tx, selected)
            _check_distinct(selected)
            for host in selected:
                _check_name_is_free(tx, host)
                row = admissions.admit(tx, host.host_id)
                assert row is not None
                named_hosts.record(
                    tx, now, actor, "admit_host", row, {"note": host.note} if host.note else {}
                )
                change.rows.append(row)
            return change

        change = await self._core.database.write(work)
        self._publish(change, "hosts approved", actor)
        for row in change.rows:
            self._sessions.tell_admission(row.host_id, row.admission)
        self._dispatch.wake(row.host_id for row in change.rows)
        return change.names()

    async def reject(self, names: Sequence[str], all_pending: bool, actor: str) -> tuple[str, ...]:
        """pending → rejected: these hosts and their keys are refused for ever. Commands
        from the time when they were admitted fail.

        Args and errors are those of `approve`; here `all_pending` means every pending host.
        """
        return await run_to_completion(
            self._turn_away(
                lambda tx: _pending(tx, names, all_pending, "rejected"),
                admissions.reject,
                "reject_host",
                actor,
            )
        )

    async def revoke(self, names: Sequence[str], actor: str) -> tuple[str, ...]:
        """admitted → revoked: the sessions of these hosts end at once, and their keys are refused
        for ever.

        Args:
            names: names or host_ids of admitted hosts.
            actor: who asked, `user@terminal`.

        Returns:
            The names of those that were revoked.

        Raises:
            NotFoundError, IllegalMoveError, InvalidInputError: as `approve`.
        """
        return await run_to_completion(
            self._turn_away(
                lambda tx: named_hosts.in_admission(tx, names, Admission.ADMITTED, "revoked"),
                admissions.revoke,
                "revoke_host",
                actor,
            )
        )

    async def _turn_away(
        self,
        select: Callable[[Transaction], list[HostRow]],
        update: Callable[[Transaction, str], HostRow | None],
        action: str,
        actor: str,
    ) -> tuple[str, ...]:
        def work(tx: Transaction) -> _Change:
            now = self._core.clock.stamp()
            change = _Change()
            for host in select(tx):
                row = update(tx, host.host_id)
                assert row is not None
                unsent = command_delivery.unsent_of_turned_away(tx, row.row_id)
                why = f"The host was {row.admission} before it was sent."
                failed = advance_task.fail_host(tx, row.row_id, unsent, why, now, for_good=True)
                named_hosts.record(tx, now, actor, action, row, {"tasks": len(failed)})
                change.rows.append(row)
                change.tasks |= failed
            for task_id in change.tasks:
                advance_task.update_task_status(tx, task_id, now)
            return change

        change = await self._core.database.write(work)
        self._publish(change, "hosts turned away", actor)
        for row in change.rows:
            refusal = Refusal(row.admission.value)
            why = f"An operator has {row.admission} this host ({row.name})."
            self._sessions.turn_away(row.host_id, refusal, why)
        return change.names()

    def _publish(self, change: _Change, what: str, actor: str) -> None:
        for row in change.rows:
            self._core.directory.put(row, self._core.clock.now(), self._core.clock.monotonic())
        log.info(what, extra={"hosts": fold_names(change.names()), "actor": actor})
        self._core.feed.publish(Changes(hosts=True, tasks=frozenset(change.tasks), manager=True))


def _pending(tx: Transaction, names: Sequence[str], all_pending: bool, verb: str) -> list[HostRow]:
    if all_pending and not names:
        found = [host.host_id for host in admissions.pending(tx)]
        locked = hosts.lock(tx, found)
        return [
            locked[host_id] for host_id in found if locked[host_id].admission is Admission.PENDING
        ]
    if all_pending:
        raise InvalidInputError("names", "Name hosts, or say all that are pending; not both.")
    return named_hosts.in_admission(tx, names, Admission.PENDING, verb)


def _without_flagged(tx: Transaction, pending: Sequence[HostRow]) -> list[HostRow]:
    """Skips hosts that are flagged for review: with a note, or with the name of another host."""
    names = Counter(host.name for host in pending)
    return [
        host
        for host in pending
        if not host.note and names[host.name] == 1 and _admitted(tx, host.name) is None
    ]


def _admitted(tx: Transaction, name: str) -> HostRow | None:
    """The admitted host of this name."""
    first = next(iter(hosts.by_name(tx, name)), None)
    return first if first and first.admission is Admission.ADMITTED else None


def _check_distinct(selected: Sequence[HostRow]) -> None:
    """Raises IllegalMoveError if two of them have one name: only one can be admitted with it."""
    by_name: dict[str, HostRow] = {}
    for host in selected:
        other = by_name.setdefault(host.name, host)
        if other is not host:
            raise IllegalMoveError(
                f"Two hosts wait under the name {host.name}, and only one can be approved: "
                f"{other.host_id} (key {other.fingerprint}) and {host.host_id} (key "
                f"{host.fingerprint}). Name the right one by its id, and reject the other."
            )


def _check_name_is_free(tx: Transaction, host: HostRow) -> None:
    """Raises IllegalMoveError if another admitted host has the name."""
    owner = _admitted(tx, host.name)
    if owner is None:
        return
    key = f"key {owner.fingerprint}" if owner.fingerprint else "no key"
    raise IllegalMoveError(
        f"{host.name} (key {host.fingerprint}) cannot be approved: another host of that name is "
        f"admitted ({key}, last seen from {owner.address or 'nowhere'}). Revoke that one first, or "
        f"rename this one: tui-manager hosts rename {host.host_id} NEW."
    )

"""HostManagementService: operators look at one host, label, rename and remove hosts, and put them
into maintenance. The transactions are in `manage_hosts.py`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.hosts.host import TASKS_SHOWN, HostDetail, HostRun
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.host_name_ranges import fold_names, natural_key
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.enrollment import manage_hosts, named_hosts
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts.hosts import HostRow
from tui_manager.storage.views import host_runs, task_list
from tui_manager.storage.views.host_runs import LastAdmission

log = logging.getLogger(__name__)


class _StoredDetail(NamedTuple):
    """What the database has of one host beside its row."""

    tasks: list[Task]
    runs: tuple[HostRun, ...]
    admission: LastAdmission


class HostManagementService:
    """What operators say of hosts. Each act changes all hosts that are named, or none.

    A host is named by its name, its host_id, or NAME/HOST_ID: the host with this id, if it still
    has the name that the operator saw. An actor is `user@terminal`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get_host(self, name: str) -> HostDetail:
        """One host with its facts, its vitals of the last hour, and what ran on it.

        Raises:
            NotFoundError: there is no such host.
            IllegalMoveError: the name is that of several hosts.
        """

        def read(tx: Transaction) -> tuple[HostRow, _StoredDetail]:
            row = named_hosts.shown_host(tx, name)
            tasks = task_list.tasks_of_host(tx, row.row_id, TASKS_SHOWN)
            return row, _StoredDetail(
                tasks,
                host_runs.runs_of_host(tx, row.row_id, (task.task_id for task in tasks)),
                host_runs.last_admission(tx, row.host_id),
            )

        row, stored = await self._core.database.read(read)
        entry = self._core.directory.get(row.host_id)
        if entry is None:
            raise NotFoundError(f"The host {row.name} was removed just now.")
        clock = self._core.clock
        now = clock.now()
        managers = self._core.statistics.gauges.managers()
        names_manager = entry.online and managers.others
        return HostDetail(
            host=entry.to_host(now),
            facts=dict(entry.row.facts),
            facts_at=entry.row.facts_at,
            tasks=tuple(stored.tasks),
            operator_labels=dict(entry.row.operator_labels),
            vitals_history=entry.history.points(now, clock.monotonic()),
            runs=tuple(
                replace(run, row=self._core.directory.without_wait_if_online(run.row))
                for run in stored.runs
            ),
            admitted_at=stored.admission.at,
            admitted_by=stored.admission.by,
            manager=managers.label(row.gateway) if names_manager else "",
        )

    async def label(
        self,
        names: Sequence[str],
        to_set: Mapping[str, str],
        to_unset: Sequence[str],
        actor: str,
    ) -> tuple[str, ...]:
        """Gives labels to hosts. These win over the labels of the join token and of the agent.

        Args:
            to_unset: keys of labels that operators have given. If the agent or the join token has
                a label with this key, that one is valid again.

        Returns:
            The names of the hosts, in natural order.

        Raises:
            NotFoundError: there is no host of such a name.
            IllegalMoveError: one was turned away, or its name is that of several hosts.
            InvalidInputError: no host or no label is named, a label cannot be one, a host has too
                many, or a label that is to be unset was given to none of the hosts.
        """
        if not (to_set or to_unset):
            raise InvalidInputError("label", "Say which labels are to be set or unset.")
        for key in to_unset:
            if key in to_set:
                raise InvalidInputError("label", f"The label {key[:80]!r} is both set and unset.")
        return await self._change(
            "hosts labeled",
            actor,
            lambda tx: manage_hosts.label(
                tx, names, to_set, to_unset, actor, self._core.clock.stamp()
            ),
        )

    async def rename(self, name: str, new_name: str, actor: str) -> str:
        """Gives a host another name. Its identity and its history stay; the name that its agent
        gives is ignored from now on.

        Returns:
            The new name.

        Raises:
            NotFoundError: there is no such host.
            IllegalMoveError: `name` is that of several hosts, or another host has the new one.
            InvalidInputError: no host can have the new name.
        """
        (renamed,) = await self._change(
            "host renamed",
            actor,
            lambda tx: [manage_hosts.rename(tx, name, new_name, actor, self._core.clock.stamp())],
        )
        return renamed

    async def set_maintenance(
        self, names: Sequence[str], reason: str, until: datetime | None, actor: str
    ) -> tuple[str, ...]:
        """Puts hosts into maintenance, or replaces reason and end of theirs. What runs there goes
        on; tasks leave these hosts out.

        Args:
            until: when the maintenance ends by itself; None: an operator ends it.

        Returns:
            The names of the hosts, in natural order.

        Raises:
            NotFoundError, IllegalMoveError: as `label`.
            InvalidInputError: no host is named, the reason is missing, or the end has passed.
        """
        maintenance = Maintenance(reason.strip(), until, actor)
        maintenance.check(self._core.clock.now())
        return await self._change(
            "maintenance begun",
            actor,
            lambda tx: manage_hosts.begin_maintenance(
                tx, names, maintenance, self._core.clock.stamp()
            ),
        )

    async def end_maintenance(self, names: Sequence[str], actor: str) -> tuple[str, ...]:
        """Ends the maintenance of hosts.

        Returns:
            The names of the hosts, in natural order.

        Raises:
            NotFoundError, InvalidInputError: as `label`.
            IllegalMoveError: as `label`, or one is not in maintenance.
        """
        return await self._change(
            "maintenance ended",
            actor,
            lambda tx: manage_hosts.end_maintenance(tx, names, actor, self._core.clock.stamp()),
        )

    async def remove(self, names: Sequence[str], actor: str) -> tuple[str, ...]:
        """Forgets hosts for good, with any admission. Their keys and ids are refused from now on,
        their names are free, and tasks in which they were keep their names.

        Returns:
            The names of the hosts, in natural order.

        Raises:
            NotFoundError: there is no host of such a name.
            IllegalMoveError: one is online or has a command that has not ended, or a name is that
                of several hosts.
            InvalidInputError: no host is named.
        """
        directory = self._core.directory
        offline = {e.row.host_id: e.row.generation for e in directory if not e.online}
        return await self._change(
            "hosts removed",
            actor,
            lambda tx: manage_hosts.remove(tx, names, offline, actor, self._core.clock.stamp()),
        )

    async def _change(
        self, what: str, actor: str, work: Callable[[Transaction], list[HostRow]]
    ) -> tuple[str, ...]:
        """Runs a transaction, and takes over the hosts as they are after it."""
        return await run_to_completion(self._take_over(what, actor, work))

    async def _take_over(
        self, what: str, actor: str, work: Callable[[Transaction], list[HostRow]]
    ) -> tuple[str, ...]:
        rows = await self._core.database.write(work)
        directory, clock = self._core.directory, self._core.clock
        for row in rows:
            if row.removed:
                directory.remove(row.host_id)
                self._core.violations.forget(row.name)
            else:
                directory.put(row, clock.now(), clock.monotonic())
        names = tuple(sorted((row.name for row in rows), key=natural_key))
        log.info(what, extra={"hosts": fold_names(names), "actor": actor})
        self._core.feed.publish(Changes(hosts=True, manager=True))
        return names

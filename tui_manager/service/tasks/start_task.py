"""The start of a task: its transaction resolves the target and adds the command hosts, and then the
commands are sent."""

import logging
import shutil
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.ids import new_execution_ids
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.targets.target import ResolvedTarget, check_target
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE
from tui_manager.domain.task_spec.task_spec import Offline, TaskSpec, has_barrier
from tui_manager.domain.tasks.assign_batches import assign_batches
from tui_manager.domain.tasks.task import Task, TaskDetail
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.service.core.advance_task import update_task_status
from tui_manager.service.core.core import Core
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.dispatch.dispatch_loop import DispatchLoop
from tui_manager.service.files.file_store import FileStore
from tui_manager.service.rollout.rollout_loop import RolloutLoop
from tui_manager.service.tasks.create_task import CreatedTask, create
from tui_manager.service.tasks.target_hosts import find_hosts
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.tasks import command_hosts, rollouts, task_transitions, tasks
from tui_manager.storage.tables.tasks.command_hosts import NewRow

log = logging.getLogger(__name__)

_NAMES_MAX = 1000  # characters of the hosts' names in the audit


@dataclass(frozen=True, slots=True)
class StartedTask:
    """The result of a start.

    Attributes:
        host_ids: hosts that are online.
        offline: how many are not.
        left_out: names of hosts that the target matches and on which the task does not run.
        with_rollout: its hosts wait for their turn.
        new: False if the same request had started it before; then only `left_out` is known.
    """

    host_ids: tuple[str, ...]
    offline: int
    left_out: tuple[str, ...]
    with_rollout: bool
    new: bool = True


@dataclass(frozen=True, slots=True)
class Connections:
    """Which hosts are connected, as far as this manager knows.

    Attributes:
        online: row ids of the hosts that are.
        reachable: and of those that are expected to be soon. Commands on other hosts fail at once,
            unless the task waits for offline hosts.
        alive: the numbers of the other managers, to which some may just have connected.
    """

    online: Set[int]
    reachable: Set[int]
    alive: Set[int]

    def looked_up(self, tx: Transaction, row_ids: Set[int]) -> "Connections":
        """Adds those of these hosts that have connected to another manager by now."""
        missing = row_ids - self.online
        if not (missing and self.alive):
            return self
        found = hosts.connected_to(tx, self.alive, missing)
        return replace(self, online=self.online | found, reachable=self.reachable | found)


class TaskStarter:
    """Starts tasks for operators and for schedules. The caller calls `connections`, then `start` or
    `create_and_start` in its transaction, and `announce` after the commit."""

    def __init__(
        self,
        core: Core,
        dispatch: DispatchLoop,
        secrets: CommandSecrets,
        rollout_loop: RolloutLoop,
        files: FileStore,
    ) -> None:
        self._core = core
        self._dispatch = dispatch
        self._secrets = secrets
        self._rollout_loop = rollout_loop
        self.files = files

    def check(self, spec: TaskSpec) -> None:
        """Raises InvalidInputError if a field is out of bounds, or the notation of the target is
        wrong."""
        spec.check()
        groups = self._core.limits.groups
        check_target(spec.target, groups, include_maintenance=spec.include_maintenance)

    def connections(self) -> Connections:
        """Those of now; to be called on the loop."""
        directory = self._core.directory
        return Connections(
            directory.online_rows(),
            directory.reachable_rows(self._core.clock.monotonic()),
            directory.alive,
        )

    def start(
        self,
        tx: Transaction,
        task_id: int,
        connections: Connections,
        actor: str,
        request_id: str = "",
    ) -> StartedTask:
        """pending → running. If the same request has started the task already, nothing changes.

        Raises as the function `start`; StorageError if too little disk is free.
        """
        if request_id and tasks.was_started_by(tx, task_id, request_id):
            return StartedTask((), 0, tasks.left_out(tx, task_id), with_rollout=False, new=False)
        core = self._core
        _check_free_disk(core.database.folder, core.limits.free_disk)
        started = start(
            tx,
            task_id,
            core.limits.groups,
            connections,
            self.files,
            actor,
            core.clock.stamp(),
        )
        tasks.set_start_request(tx, task_id, request_id)
        return started

    def create_and_start(
        self,
        tx: Transaction,
        spec: TaskSpec,
        connections: Connections,
        actor: str,
        request_id: str = "",
    ) -> tuple[CreatedTask, StartedTask]:
        """Stores a task and starts it. Raises as `create` and `start`."""
        stamp = self._core.clock.stamp()
        created = create(tx, spec, self._secrets, self.files, stamp, request_id)
        return created, self.start(tx, created.task_id, connections, actor, request_id)

    def announce(self, task_id: int, started: StartedTask) -> None:
        """Call it after the commit: sends the commands of a start that is new, and tells
        watchers."""
        if not started.new:
            return
        log.info(
            "task started",
            extra={"task": task_id, "hosts": len(started.host_ids), "offline": started.offline},
        )
        if started.with_rollout:
            self._rollout_loop.add(task_id)
        else:
            self._dispatch.wake(started.host_ids)
            if started.offline:  # some may just have connected elsewhere
                self._core.requests.send_any()
        self._core.feed.publish(Changes(tasks=frozenset({task_id})))


def _check_free_disk(folder: Path | None, needed: int) -> None:
    """Raises StorageError if fewer bytes than `needed` are free where the database is; None:
    that is another machine."""
    if folder is None:
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError(
            f"{folder} is out of reach: {error.strerror}. Put it back in its place."
        ) from error
    if free < needed:
        raise StorageError(
            f"Only {free >> 20} MiB are free in {folder}; no task starts below "
            f"{needed >> 20} MiB. Free some space, or set free_disk."
        )


def start(
    tx: Transaction,
    task_id: int,
    groups: Mapping[str, str],
    connections: Connections,
    files: FileStore,
    actor: str,
    now: int,
) -> StartedTask:
    """pending → running, with a command host for each command on each host.

    Args:
        groups: host groups that the target may name.
        connections: when the start was asked for.
        files: has those that the commands copy.
        actor: who asked, `user@terminal`.
        now: microseconds since 1970 UTC.

    Raises:
        NotFoundError: there is no such task, or the files that it copies are not stored any more.
        IllegalMoveError: it was started already.
        InvalidInputError: its target matches no host now.
    """
    detail = tasks.detail(tx, task_id)
    task = detail.task
    found, row_ids = _resolve(tx, detail, groups, connections.online, now)
    targets = found.hosts
    connections = connections.looked_up(tx, {row_ids[target.host_id] for target in targets})
    task_transitions.start(tx, task_id, len(targets), found.left_out, now)
    files.use(tx, (command.spec for command in detail.commands))
    command_ids = tasks.command_ids(tx, task_id)
    batches = _start_rollout(
        tx, detail, [row_ids[target.host_id] for target in targets], len(command_ids)
    )
    for position, command_id in enumerate(command_ids):
        rows = [
            _waiting_row(execution_id, row_ids[target.host_id], batches)
            if batches
            else _row(
                task, execution_id, position, row_ids[target.host_id], connections.reachable, now
            )
            for execution_id, target in zip(
                new_execution_ids(now, len(targets)), targets, strict=True
            )
        ]
        command_hosts.insert(tx, task_id, command_id, position, rows)
    update_task_status(tx, task_id, now)
    _record_start(tx, task, found, actor, now)
    is_online = connections.online
    online_ids = tuple(host.host_id for host in targets if row_ids[host.host_id] in is_online)
    return StartedTask(online_ids, len(targets) - len(online_ids), found.left_out, bool(batches))


def _record_start(tx: Transaction, task: Task, found: ResolvedTarget, actor: str, now: int) -> None:
    """Writes the start into the audit."""
    audit.record(
        tx,
        now,
        actor,
        "start_task",
        task_id=task.task_id,
        target=task.target,
        hosts=len(found.hosts),
        names=_fold([target.name for target in found.hosts]),
        more={"left_out": _fold(found.left_out)} if found.left_out else None,
    )


def _resolve(
    tx: Transaction, detail: TaskDetail, groups: Mapping[str, str], online: Set[int], now: int
) -> tuple[ResolvedTarget, dict[str, int]]:
    """The hosts of a task's target, and their row ids; none of a task that cannot be started."""
    task = detail.task
    if task.status.ended or task.started_at:
        return ResolvedTarget(()), {}
    return find_hosts(
        tx,
        task.target,
        include_maintenance=detail.include_maintenance,
        groups=groups,
        online=online,
        now=now,
    )


def _fold(names: Sequence[str]) -> str:
    folded = fold_names(names)
    return folded if len(folded) <= _NAMES_MAX else f"{folded[: _NAMES_MAX - 1]}…"


def _start_rollout(
    tx: Transaction, detail: TaskDetail, row_ids: list[int], commands: int
) -> Mapping[int, int]:
    """Stores the rollout, and returns the batch of each host. Does nothing if all hosts begin now
    and wait for each other at no barrier."""
    spec = detail.rollout
    if spec == ALL_AT_ONCE and not has_barrier([command.spec for command in detail.commands]):
        return {}
    batches = assign_batches(spec, row_ids)
    rollouts.start(tx, detail.task.task_id, batches, commands)
    return batches.by_host


def _waiting_row(execution_id: str, host: int, batches: Mapping[int, int]) -> NewRow:
    """A command of a host of a rollout, whose turn has not come."""
    return NewRow(
        execution_id=execution_id,
        host=host,
        status=CommandHostStatus.PENDING,
        reason=Reason.NONE,
        ready=False,
        finished_at=None,
        batch=batches[host],
    )


def _row(
    task: Task, execution_id: str, position: int, host: int, reachable: Set[int], now: int
) -> NewRow:
    waits, first = task.offline is Offline.WAIT, position == 0
    if waits or host in reachable:
        status, reason = CommandHostStatus.PENDING, Reason.NONE
    elif first:
        status, reason = CommandHostStatus.FAILED, Reason.UNDELIVERABLE
    else:
        status, reason = CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED
    return NewRow(
        execution_id=execution_id,
        host=host,
        status=status,
        reason=reason,
        ready=status is CommandHostStatus.PENDING and first,
        finished_at=None if status is CommandHostStatus.PENDING else now,
        deliver_before=now + from_timedelta(task.delivery_timeout) if waits and first else None,
    )

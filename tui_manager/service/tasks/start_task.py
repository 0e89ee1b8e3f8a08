"""The transaction that starts a task: it resolves the target, and adds the command hosts."""

import shutil
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tui_manager.domain.errors import StorageError
from tui_manager.domain.ids import new_execution_ids
from tui_manager.domain.names import fold_names
from tui_manager.domain.spec import Offline
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.target import TargetHost, named_hosts, resolve_target
from tui_manager.domain.task import Task
from tui_manager.service.core.task_status import update_task_status
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.engine.statements import from_timedelta
from tui_manager.storage.tables import audit, command_hosts, hosts, tasks
from tui_manager.storage.tables.command_hosts import NewRow

_NAMES_MAX = 1000  # characters of the hosts' names in the audit


@dataclass(frozen=True, slots=True)
class StartedTask:
    """The result of a start: hosts that are online, and how many are offline."""

    host_ids: tuple[str, ...]
    offline: int


def check_free_disk(folder: Path, needed: int) -> None:
    """Raises StorageError if fewer bytes than `needed` are free in the state folder."""
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
    online: Set[int],
    actor: str,
    now: int,
) -> StartedTask:
    """pending → running, with a command host for each command on each host.

    Args:
        groups: host groups that the target may name.
        online: row ids of the hosts that are connected. Commands on other hosts fail at once,
            unless the task waits for offline hosts.
        actor: who asked, `user@terminal`.
        now: microseconds since 1970 UTC.

    Raises:
        NotFoundError: there is no such task.
        IllegalMoveError: it was started already.
        InvalidInputError: its target matches no host now.
    """
    task = tasks.get(tx, task_id)
    targets, row_ids = _resolve(tx, task, groups)
    tasks.start(tx, task_id, len(targets), now)
    for position, command_id in enumerate(tasks.command_ids(tx, task_id)):
        rows = [
            _row(task, execution_id, position, row_ids[target.host_id], online, now)
            for execution_id, target in zip(
                new_execution_ids(now, len(targets)), targets, strict=True
            )
        ]
        command_hosts.insert(tx, task_id, command_id, position, rows)
    update_task_status(tx, task_id, now)
    audit.record(
        tx,
        now,
        actor,
        "start_task",
        task_id=task_id,
        target=task.target,
        hosts=len(targets),
        names=_fold(targets),
    )
    reachable = tuple(host.host_id for host in targets if row_ids[host.host_id] in online)
    return StartedTask(reachable, len(targets) - len(reachable))


def _resolve(
    tx: Transaction, task: Task, groups: Mapping[str, str]
) -> tuple[list[TargetHost], dict[str, int]]:
    """The hosts of a task's target, and their row ids; none of a task that cannot be started."""
    if task.status.ended or task.started_at:
        return [], {}
    targetable, row_ids = hosts.targetable(tx, named_hosts(task.target, groups))
    admission_of = partial(hosts.admission_of, tx)
    return resolve_target(task.target, targetable, groups, admission_of), row_ids


def _fold(targets: Sequence[TargetHost]) -> str:
    names = fold_names(target.name for target in targets)
    return names if len(names) <= _NAMES_MAX else f"{names[: _NAMES_MAX - 1]}…"


def _row(
    task: Task, execution_id: str, position: int, host: int, online: Set[int], now: int
) -> NewRow:
    waits, first = task.offline is Offline.WAIT, position == 0
    if waits or host in online:
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

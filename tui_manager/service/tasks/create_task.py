"""Stores new tasks: those that an operator describes, and those that repeat a task on some of its
hosts."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.targets.target import TargetHost, TaskHost
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.host_class import HostClass, task_target
from tui_manager.domain.tasks.task import TaskDetail
from tui_manager.domain.text.host_name_ranges import fold_names, natural_key
from tui_manager.service.dispatch.command_secrets import CommandSecrets
from tui_manager.service.files.file_store import FileStore
from tui_manager.storage.engine.statements import to_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.schedules import templates
from tui_manager.storage.tables.tasks import tasks
from tui_manager.storage.views.host_classes import task_hosts

_ID_SHOWN = 80  # characters of a wrong id in an error


@dataclass(frozen=True, slots=True)
class CreatedTask:
    """A stored task.

    Attributes:
        new: False if the same request had created it before.
        gone: of a re-run, names of hosts that are not in the fleet any more and are left out.
    """

    task_id: int
    target: str
    new: bool
    gone: tuple[str, ...] = ()


def create(
    tx: Transaction,
    spec: TaskSpec,
    secrets: CommandSecrets,
    files: FileStore,
    now: int,
    request_id: str,
    rerun_of: int = 0,
) -> CreatedTask:
    """Stores a pending task. The same request id finds the task that it created.

    Args:
        secrets: seals those of the commands.
        files: has those that the commands copy.
        now: microseconds since 1970 UTC.
        rerun_of: the task whose hosts it repeats; 0: none.

    Raises:
        IllegalMoveError: the request id was used for another task.
        NotFoundError: there is no such version of its template, or the files that it copies are
            not stored. A task that is repeated keeps a template that was deleted.
    """
    existing = tasks.created_by_request(tx, request_id, spec) if request_id else None
    if existing:
        return CreatedTask(existing, spec.target, new=False)
    if spec.template and not rerun_of:
        templates.check_exists(tx, spec.template)
    copied = files.use(tx, spec.commands)
    task_id = tasks.insert(tx, spec, now, request_id, rerun_of)
    secrets.store(tx, task_id, spec)
    more: dict[str, str | int] = {"rerun_of": rerun_of} if rerun_of else {}
    if spec.template:
        more["template"] = str(spec.template)
    if copied:
        more["files"] = " ".join(one.sha256 for one in copied)
    if update := spec.commands[0].update:
        more["update"] = update.named
    audit.record(
        tx, now, spec.created_by, "create_task", task_id=task_id, target=spec.target, more=more
    )
    return CreatedTask(task_id, spec.target, new=True)


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """What an operator asks for.

    Attributes:
        task_id: of the task that is repeated.
        classes: of its hosts, at least one.
        secrets: values by name, for all commands that have a secret of this name.
        actor: who asks, `user@terminal`.
        host_ids: exactly these hosts, whatever their class is; empty: those of the classes.
    """

    task_id: int
    classes: Collection[HostClass]
    secrets: Mapping[str, str]
    actor: str
    request_id: str
    host_ids: tuple[str, ...] = ()


def create_rerun(
    tx: Transaction, asked: RerunRequest, secrets: CommandSecrets, files: FileStore, now: int
) -> CreatedTask:
    """Stores a pending task that repeats another one on its hosts of some classes.

    Args: as of `create`.

    Raises:
        NotFoundError: there is no such task, or the files that it copies are not stored any more.
        IllegalMoveError: it has not ended, or a task would run on none of these hosts; or as
            `create`.
        InvalidInputError("secret"): the task needs another secret, or none of this name.
    """
    detail = tasks.detail(tx, asked.task_id)
    if not detail.task.status.ended:
        raise IllegalMoveError(
            f"Task {asked.task_id} is {detail.task.status}: it can be run again when it has ended."
        )
    of_task = task_hosts(tx, asked.task_id)
    present, gone = _chosen_hosts(tx, of_task, asked)
    spec = _spec(detail, asked, present)
    spec.check(stored=True)
    existing = tasks.created_by_request(tx, asked.request_id, spec) if asked.request_id else None
    if not existing:
        moment = to_datetime(now)
        assert moment is not None
        runs = detail.include_maintenance or not all(h.in_maintenance(moment) for h in present)
        if not (present and runs):
            raise IllegalMoveError(_why_nowhere(asked, of_task, present, gone))
    created = create(tx, spec, secrets, files, now, asked.request_id, asked.task_id)
    return replace(created, gone=gone)


def _spec(detail: TaskDetail, asked: RerunRequest, present: Sequence[TargetHost]) -> TaskSpec:
    """The task with another target, and with its secrets."""
    task_id = detail.task.task_id
    wanted = {name for command in detail.commands for name in command.spec.secrets}
    _check_secrets(task_id, wanted, asked.secrets)
    return replace(
        detail.spec,
        target=_target(asked, present),
        commands=tuple(
            replace(
                command.spec, secrets={name: asked.secrets[name] for name in command.spec.secrets}
            )
            for command in detail.commands
        ),
        created_by=asked.actor,
    )


def _target(asked: RerunRequest, present: Sequence[TargetHost]) -> str:
    """Names of hosts that were asked for; else the classes, also if all of these hosts are gone."""
    if asked.host_ids and present:
        return fold_names(host.name for host in present)
    return task_target(asked.task_id, asked.classes)


def _check_secrets(task_id: int, wanted: Collection[str], given: Mapping[str, str]) -> None:
    """Raises InvalidInputError unless each secret of the task is given, and no other."""
    if missing := sorted(set(wanted) - set(given)):
        raise InvalidInputError(
            "secret",
            f"Task {task_id} has secrets, which are not kept after its end; give them again: "
            f"{', '.join(missing)}.",
        )
    if unknown := sorted(set(given) - set(wanted)):
        has = f"its secrets are {', '.join(sorted(wanted))}" if wanted else "it has no secrets"
        raise InvalidInputError(
            "secret", f"Task {task_id} has no secret {', '.join(unknown)}: {has}."
        )


def _chosen_hosts(
    tx: Transaction, of_task: Sequence[TaskHost], asked: RerunRequest
) -> tuple[list[TargetHost], tuple[str, ...]]:
    """The chosen hosts that are in the fleet, and the names of those that are not.

    Raises InvalidInputError("host_ids"): one is not a host of the task.
    """
    if unknown := set(asked.host_ids) - {host.host_id for host in of_task}:
        shown = min(unknown)[:_ID_SHOWN]
        raise InvalidInputError(
            "host_ids", f"Task {asked.task_id} has no host with the id {shown!r}."
        )
    wanted = frozenset(asked.host_ids)
    chosen = [
        host
        for host in of_task
        if (host.host_id in wanted if wanted else host.host_class in asked.classes)
    ]
    admitted = {host.host_id: host for host in hosts.targetable(tx)[0]}
    present = [admitted[host.host_id] for host in chosen if host.host_id in admitted]
    gone = (host.name for host in chosen if host.host_id not in admitted)
    return present, tuple(sorted(gone, key=natural_key))


def _why_nowhere(
    asked: RerunRequest,
    of_task: Sequence[TaskHost],
    present: Sequence[TargetHost],
    gone: Sequence[str],
) -> str:
    """Why a task would run on none of the chosen hosts."""
    task_id = asked.task_id
    if present:
        names = fold_names(host.name for host in present)
        return f"The hosts on which task {task_id} would run again are in maintenance: {names}."
    if gone:
        return f"These hosts of task {task_id} are not in the fleet any more: {fold_names(gone)}."
    words = " or ".join(one for one in HostClass if one in asked.classes)
    counts = Counter(host.host_class for host in of_task)
    others = ", ".join(f"{counts[one]} {one}" for one in HostClass if counts[one])
    has = f"Its hosts: {others}." if others else "It was never started, so it has no hosts."
    return f"Task {task_id} has no host that is {words}, so there is nothing to run again. {has}"

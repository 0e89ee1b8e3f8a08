"""The tables `tasks` and `commands`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from tui_manager.domain.errors import IllegalMoveError, NotFoundError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.script_and_stdin import Content
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import (
    CommandSpec,
    Offline,
    OnFailure,
    TaskSpec,
    has_barrier,
)
from tui_manager.domain.tasks.task import Command, Counts, Task, TaskDetail, command_status
from tui_manager.storage.engine.metric_counters import Act, count
from tui_manager.storage.engine.statements import (
    Columns,
    fetch_packed_ids,
    from_timedelta,
    load_queries,
    pack_values,
    to_datetime,
)
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks import (
    command_contents,
    rollouts,
    secrets,
    transfer_step_columns,
)

_SQL = load_queries("tasks.sql")
_PLAIN_PARAMETER = Parameter("")
_RERUNS_MAX = 20  # of one task that are shown
_FAILURES_MAX = 50_000  # of one task among which failed hosts are counted
_STATUSES = {str(status): status for status in TaskStatus}
_OFFLINE = {str(policy): policy for policy in Offline}
_COUNTERS = Columns(*(counter.name for counter in fields(Counts)))
_TASK_COLUMNS = Columns(  # in the order in which `_task` takes them
    *("id", "name", "description", "target", "status", "host_count", "created_by", "created_at"),
    *("started_at", "finished_at", "cancel_requested_at", "offline", "delivery_timeout"),
    *("paused_at", "rerun_of", "template_name", "template_version", "batch_count", "held_until"),
)


def _counts(row: Row) -> Counts:
    return Counts(*next(_COUNTERS.values((row,))))


def task_of(row: Row) -> Task:
    """The task of one row; see `tasks_of`."""
    return tasks_of((row,))[0]


def tasks_of(rows: Sequence[Row]) -> list[Task]:
    """The tasks of rows of `tasks` and `rollouts`."""
    counts = _COUNTERS.values(rows)
    values = _TASK_COLUMNS.values(rows)
    return [
        _task(row, Counts(*counted), *of_row)
        for row, counted, of_row in zip(rows, counts, values, strict=True)
    ]


def _task(
    row: Row,
    counts: Counts,
    task_id: int,
    name: str,
    description: str,
    target: str,
    status: str,
    host_count: int,
    created_by: str,
    created_at: int,
    started_at: int | None,
    finished_at: int | None,
    cancel_requested_at: int | None,
    offline: str,
    delivery_timeout: int,
    paused_at: int | None,
    rerun_of: int | None,
    template_name: str | None,
    template_version: int,
    batch_count: int | None,
    held_until: int | None,
) -> Task:
    created = to_datetime(created_at)
    assert created is not None
    return Task(
        task_id,
        name,
        description,
        target,
        _STATUSES[status],
        counts,
        host_count,
        created_by,
        created,
        to_datetime(started_at),
        to_datetime(finished_at),
        to_datetime(cancel_requested_at),
        _OFFLINE[offline],
        timedelta(microseconds=delivery_timeout),
        paused=paused_at is not None,
        hold=None if held_until is None else rollouts.hold_of(row),
        rerun_of=rerun_of or 0,
        rollout=rollouts.progress_of(row) if batch_count else None,
        template=_template(template_name, template_version),
        # Right for a task of one step; `with_hosts` reads what it is for the others.
        hosts_ended=counts.ended,
        hosts_failed=counts.failed + counts.timeout,
    )


def _template(name: str | None, version: int) -> TemplateVersion | None:
    return None if name is None else TemplateVersion(name, version)


def with_hosts(tx: Transaction, found: Sequence[Task]) -> list[Task]:
    """These tasks, with the right numbers of hosts that have ended and failed."""
    ids = [task.task_id for task in found if task.counts.total > task.host_count]
    if not ids:
        return list(found)
    rows = tx.execute(_SQL["hosts_of_steps"], {"ids": pack_values(ids)})
    steps = {row["task_id"]: row for row in rows}
    return [
        _with_hosts(tx, task, steps[task.task_id]) if task.task_id in steps else task
        for task in found
    ]


def _with_hosts(tx: Transaction, task: Task, steps: Row) -> Task:
    failed = steps["failures"]
    if steps["failing_steps"] > 1:  # a host may have failed in several steps
        values = {"task_id": task.task_id, "limit": _FAILURES_MAX}
        failed = len(set(fetch_packed_ids(tx, _SQL["failed_hosts"], values)))
    return replace(task, hosts_ended=steps["ended"], hosts_failed=failed)


def spec_of(row: Row, secret_names: Iterable[str] = ()) -> CommandSpec:
    """The operator's command of a row of `commands`; of secrets only the names."""
    return CommandSpec(
        text=row["text"],
        timeout=timedelta(microseconds=row["timeout_after"]),
        parameters=json.loads(row["parameters"]),
        environment=json.loads(row["environment"]),
        cwd=row["cwd"],
        run_as_user=row["run_as_user"],
        limits=ResourceLimits(row["memory_max"], row["tasks_max"], row["cpu_max"]),
        secrets=dict.fromkeys(secret_names, ""),
        name=row["name"],
        script=_content(row["script_size"], row["script_sha256"]),
        arguments=tuple(json.loads(row["arguments"])),
        stdin=_content(row["stdin_size"], row["stdin_sha256"]),
        on_failure=OnFailure(row["on_failure"]),
        always=bool(row["always"]),
        barrier=bool(row["barrier"]),
        copy=transfer_step_columns.copy_of(row["copy_step"]),
        fetch=transfer_step_columns.fetch_of(row["fetch_step"]),
        update=transfer_step_columns.update_of(row["update_step"]),
    )


def _content(size: int | None, sha256: str) -> Content | None:
    return None if size is None else Content(size, sha256)


def insert(
    tx: Transaction, spec: TaskSpec, now: int, request_id: str = "", rerun_of: int = 0
) -> int:
    """Adds a pending task with its commands, without their secrets; returns its task_id.

    Args:
        rerun_of: the task whose hosts it repeats, and whose contents are copied; 0: none.
    """
    values = {
        "name": spec.shown_name,
        "description": spec.description,
        "target": spec.target.strip(),
        "created_by": spec.created_by,
        "offline": spec.offline,
        "delivery_timeout": from_timedelta(spec.delivery_timeout),
        "request_id": request_id or None,
        "include_maintenance": spec.include_maintenance,
        "rerun_of": rerun_of or None,
        "template_name": spec.template and spec.template.name,
        "template_version": spec.template and spec.template.version,
        "parameters": json.dumps([_parameter_values(one) for one in spec.parameters]),
        "now": now,
    }
    task_id: int = tx.execute(_SQL["insert"], values).fetchall()[0]["id"]
    rollouts.insert(tx, task_id, spec.rollout, barrier=has_barrier(spec.commands))
    tx.executemany(
        _SQL["insert_command"],
        [
            {
                "task_id": task_id,
                "position": position,
                "text": command.text,
                "timeout_after": from_timedelta(command.timeout),
                "parameters": json.dumps(dict(command.parameters)),
                "environment": json.dumps(dict(command.environment)),
                "cwd": command.cwd,
                "run_as_user": command.run_as_user,
                "memory_max": command.limits.memory_max,
                "tasks_max": command.limits.tasks_max,
                "cpu_max": command.limits.cpu_max,
                "name": command.name,
                "arguments": json.dumps(command.arguments),
                "on_failure": command.on_failure,
                "always": command.always,
                "barrier": command.barrier,
                "script_size": command.script and command.script.size,
                "script_sha256": command.script and command.script.sha256,
                "stdin_size": command.stdin and command.stdin.size,
                "stdin_sha256": command.stdin and command.stdin.sha256,
                "copy_step": transfer_step_columns.copy_text(command.copy),
                "fetch_step": transfer_step_columns.fetch_text(command.fetch),
                "update_step": transfer_step_columns.update_text(command.update),
                "files_sha256": command.stored_files and command.stored_files.sha256,
            }
            for position, command in enumerate(spec.commands)
        ],
    )
    command_contents.insert(tx, task_id, spec.commands, rerun_of)
    count(Act.TASK_CREATED)
    return task_id


def created_by_request(tx: Transaction, request_id: str, spec: TaskSpec) -> int | None:
    """The task that a request created from `spec`; None: it created none.

    Raises:
        IllegalMoveError: it created a task with another target or other commands.
    """
    row = tx.execute(_SQL["of_request"], {"request_id": request_id}).fetchone()
    if row is None:
        return None
    task_id: int = row["id"]
    rows = tx.execute(_SQL["commands"], {"task_id": task_id})
    made = [_what_runs(spec_of(command)) for command in rows]
    wanted = [_what_runs(command) for command in spec.commands]
    if (row["target"], made) != (spec.target.strip(), wanted):
        raise IllegalMoveError(
            f"The request id {request_id} has made task {task_id}, which is another one; take a "
            "new id for each task."
        )
    return task_id


def _what_runs(command: CommandSpec) -> tuple[object, ...]:
    """What tells the commands of two tasks apart; contents are compared by their hashes."""
    return (
        command.text,
        command.script,
        command.arguments,
        command.stdin,
        command.copy,
        command.fetch,
        command.update,
    )


def was_started_by(tx: Transaction, task_id: int, request_id: str) -> bool:
    """Whether this request started the task."""
    row = tx.execute(_SQL["started_by"], {"task_id": task_id}).fetchone()
    return row is not None and row["start_request_id"] == request_id


def set_start_request(tx: Transaction, task_id: int, request_id: str) -> None:
    """Stores the request that started the task; empty: it had no id."""
    if request_id:
        tx.execute(_SQL["set_start_request"], {"task_id": task_id, "request_id": request_id})


def _row(tx: Transaction, task_id: int) -> Row:
    row: Row | None = tx.execute(_SQL["get"], {"task_id": task_id}).fetchone()
    if row is None:
        raise NotFoundError(f"There is no task {task_id}.")
    return row


def lock(tx: Transaction, task_id: int) -> None:
    """Another manager that pauses, resumes, cancels or plans this task waits for the end of the
    transaction."""
    tx.execute(_SQL["lock"], {"task_id": task_id})


def get(tx: Transaction, task_id: int) -> Task:
    """One task. Raises NotFoundError."""
    return task_of(_row(tx, task_id))


def detail(tx: Transaction, task_id: int) -> TaskDetail:
    """One task with its commands. Raises NotFoundError."""
    row = _row(tx, task_id)
    (task,) = with_hosts(tx, [task_of(row)])
    reruns = tx.execute(_SQL["reruns"], {"task_id": task_id, "limit": _RERUNS_MAX})
    return TaskDetail(
        task=task,
        commands=commands(tx, task),
        rollout=rollouts.spec_of(row),
        reruns=tuple(rerun["id"] for rerun in reruns),
        left_out=_left_out(row),
        include_maintenance=bool(row["include_maintenance"]),
        parameters=tuple(map(_parameter, json.loads(row["parameters"]))),
    )


def progress(tx: Transaction, task_id: int) -> tuple[Task, tuple[Counts, ...]]:
    """One task, without the numbers of hosts, and the counts of its commands in order. Raises
    NotFoundError."""
    rows = tx.execute(_SQL["command_counts"], {"task_id": task_id}).fetchall()
    return get(tx, task_id), tuple(Counts(*counted) for counted in _COUNTERS.values(rows))


def _parameter_values(parameter: Parameter) -> dict[str, Any]:
    """What is stored of a parameter: only the values that are not the defaults."""
    values = {one.name: getattr(parameter, one.name) for one in fields(Parameter)}
    return {
        name: value for name, value in values.items() if value != getattr(_PLAIN_PARAMETER, name)
    }


def _parameter(values: Mapping[str, Any]) -> Parameter:
    known = {**values, "type": ParameterType(values.get("type", ParameterType.TEXT))}
    return Parameter(**{**known, "choices": tuple(values.get("choices", ()))})


def left_out(tx: Transaction, task_id: int) -> tuple[str, ...]:
    """Names of the hosts that its start left out. Raises NotFoundError."""
    return _left_out(_row(tx, task_id))


def _left_out(row: Row) -> tuple[str, ...]:
    return tuple(json.loads(row["left_out"]))


def command_ids(tx: Transaction, task_id: int) -> list[int]:
    """Row ids of a task's commands in order."""
    return [row["id"] for row in tx.execute(_SQL["commands"], {"task_id": task_id})]


def commands(tx: Transaction, task: Task) -> tuple[Command, ...]:
    """The commands of a task in order, each with its derived status."""
    secret_names = secrets.names(tx, task.task_id)
    return tuple(
        Command(
            index=row["position"],
            spec=spec_of(row, secret_names.get(row["id"], ())),
            status=command_status(
                _counts(row),
                started=task.started_at is not None,
                canceled=task.cancel_requested_at is not None,
            ),
            counts=_counts(row),
        )
        for row in tx.execute(_SQL["commands"], {"task_id": task.task_id})
    )

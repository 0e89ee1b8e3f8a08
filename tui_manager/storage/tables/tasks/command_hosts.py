"""The table `command_hosts`: each legal change of a status is one statement with a guard."""

from collections.abc import Iterable
from dataclasses import field
from typing import Any, NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.agent_messages import Result
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.task_spec import OnFailure
from tui_manager.storage.engine.metric_counters import Act, count
from tui_manager.storage.engine.statements import (
    fetch_packed,
    from_timedelta,
    load_queries,
    pack_rows,
    pack_values,
)
from tui_manager.storage.engine.transaction import Row, Transaction

_SQL = load_queries("command_hosts.sql")


@dataclass(slots=True)
class StoredExecution:
    """What is stored of an execution. A report changes it before the changes are written.

    Attributes:
        host: the row id of its host.
        stored: bytes of each stream.
        totals: bytes of each stream on the host; None: there is no result yet.
        output_limit: bytes, both streams together; None: not known.
        canceled: an operator has asked for its end.
        task_canceled: its task has ended as canceled.
        not_held: its agent came back with the same journal and without it.
        over_limit: bytes that came over its limit in this transaction, and were not stored.
    """

    row_id: int
    execution_id: str
    host: int
    task_id: int
    position: int
    status: CommandHostStatus
    reason: Reason
    stored: dict[Stream, int]
    totals: dict[Stream, int] | None
    exit_code: int | None
    signal: int | None
    output_limit: int | None
    canceled: bool
    task_canceled: bool
    not_held: bool
    over_limit: int = 0

    @property
    def complete(self) -> bool:
        """Whether the result is stored, and the output up to its totals."""
        return self.totals is not None and all(
            self.stored[stream] >= total for stream, total in self.totals.items()
        )


def stored_bytes(row: Row) -> dict[Stream, int]:
    """Stored bytes of each stream."""
    return {Stream.STDOUT: row["stdout_bytes"], Stream.STDERR: row["stderr_bytes"]}


def total_bytes(row: Row) -> dict[Stream, int] | None:
    """Bytes of each stream on the host; None: there is no result yet."""
    if row["stdout_total"] is None:
        return None
    return {Stream.STDOUT: row["stdout_total"], Stream.STDERR: row["stderr_total"]}


def stored_executions(tx: Transaction, execution_ids: Iterable[str]) -> dict[str, StoredExecution]:
    """What is stored of these executions, of any host; unknown ones are left out."""
    values = {"execution_ids": pack_values(execution_ids)}
    rows = fetch_packed(tx, _SQL["stored_executions"], values)
    return {found.execution_id: found for found in map(_stored_execution, rows)}


def _stored_execution(row: list[Any]) -> StoredExecution:
    row_id, execution_id, host, task_id, position, status, reason, *rest = row
    stdout, stderr, stdout_total, stderr_total, *rest = rest
    exit_code, signal, output_limit, canceled, task_canceled, not_held = rest
    return StoredExecution(
        row_id=row_id,
        execution_id=execution_id,
        host=host,
        task_id=task_id,
        position=position,
        status=CommandHostStatus(status),
        reason=Reason(reason),
        stored={Stream.STDOUT: stdout, Stream.STDERR: stderr},
        totals=(
            None
            if stdout_total is None
            else {Stream.STDOUT: stdout_total, Stream.STDERR: stderr_total}
        ),
        exit_code=exit_code,
        signal=signal,
        output_limit=output_limit,
        canceled=bool(canceled),
        task_canceled=bool(task_canceled),
        not_held=bool(not_held),
    )


class NewRow(NamedTuple):
    """A new row, when its task starts; instants in microseconds."""

    execution_id: str
    host: int
    status: CommandHostStatus
    reason: Reason
    ready: bool
    finished_at: int | None
    deliver_before: int | None = None
    batch: int = 0


def insert(
    tx: Transaction, task_id: int, command_id: int, position: int, rows: Iterable[NewRow]
) -> None:
    """Adds the rows of a command, when its task starts; `position` is its number in the task."""
    rows = list(rows)
    values = {"task_id": task_id, "command_id": command_id, "position": position}
    tx.execute(_SQL["insert"], {**values, "rows": pack_rows(rows)})
    for row in rows:
        if row.status.ended:
            _count_ended(row.status, row.reason)


class Start(NamedTuple):
    """A row that starts; `at` in microseconds."""

    row_id: int
    at: int


def start(tx: Transaction, starts: Iterable[Start]) -> int:
    """START; returns how many rows have changed."""
    started = tx.execute(_SQL["start"], {"rows": pack_rows(starts)}).rowcount
    count(Act.COMMAND_HOST_STARTED, number=started)
    return started


@dataclass(frozen=True, slots=True)
class Finish:
    """A row that ends with a result, reported at `now` in microseconds."""

    execution: StoredExecution
    result: Result
    now: int


def finish(tx: Transaction, finishes: Iterable[Finish]) -> int:
    """COMPLETE, FAIL, TIME_OUT, CONFIRM_CANCEL; returns how many rows have changed. The caller
    raises unless all have."""
    finishes = list(finishes)
    ended = tx.execute(_SQL["finish"], {"rows": pack_rows(map(_finish, finishes))}).rowcount
    for finish in finishes:
        _count_ended(finish.result.status, finish.result.reason)
    return ended


def _count_ended(status: CommandHostStatus, reason: Reason, number: int = 1) -> None:
    count(Act.COMMAND_HOST_ENDED, status, reason, number=number)


def _finish(finish: Finish) -> tuple[object, ...]:
    execution, result = finish.execution, finish.result
    finished_at = finish.now - from_timedelta(result.age)
    ran, totals = result.duration, result.totals
    dropped = sum(total.dropped for total in totals.values())
    return (
        execution.row_id,
        result.status,
        result.reason,
        result.detail,
        result.exit_code,
        result.signal,
        None if ran is None else finished_at - from_timedelta(ran),
        finished_at,
        execution.stored[Stream.STDOUT],
        execution.stored[Stream.STDERR],
        totals[Stream.STDOUT].stored if Stream.STDOUT in totals else 0,
        totals[Stream.STDERR].stored if Stream.STDERR in totals else 0,
        max(dropped, execution.over_limit),
        from_timedelta(result.cpu),
        result.memory_peak,
        result.kill_incomplete,
    )


def set_output_sizes(tx: Transaction, executions: Iterable[StoredExecution]) -> None:
    """Sets how much output of executions is stored, and how much came over their limit."""
    rows = (
        (item.row_id, item.stored[Stream.STDOUT], item.stored[Stream.STDERR], item.over_limit)
        for item in executions
    )
    tx.execute(_SQL["set_output_sizes"], {"rows": pack_rows(rows)})


def hosts_of_task(
    tx: Transaction, task_id: int, host_ids: Iterable[str]
) -> dict[str, tuple[int, str]]:
    """Row id and name of each of these hosts that the task has, by host_id."""
    values = {"task_id": task_id, "host_ids": pack_values(host_ids)}
    rows = tx.execute(_SQL["hosts_of_task"], values)
    return {row["host_id"]: (row["id"], row["name"]) for row in rows}


def cancel_unsent(
    tx: Transaction, task_id: int, now: int, hosts: Iterable[int] | None = None
) -> int:
    """CANCEL_UNSENT for a task, on these hosts (row ids) or on all; returns how many rows have
    changed."""
    query, values = _on_hosts("cancel_unsent", task_id, now, hosts)
    canceled = tx.execute(_SQL[query], values).rowcount
    _count_ended(CommandHostStatus.CANCELED, Reason.CANCELED, canceled)
    return canceled


def request_cancel(
    tx: Transaction, task_id: int, now: int, hosts: Iterable[int] | None = None
) -> list[tuple[int, str]]:
    """Marks the rows of a task, on these hosts (row ids) or on all, that were sent and have not
    ended; (host row id, execution_id) of each."""
    query, values = _on_hosts("request_cancel", task_id, now, hosts)
    rows = tx.execute(_SQL[query], values).fetchall()
    return [(row["host"], row["execution_id"]) for row in rows]


def _on_hosts(
    query: str, task_id: int, now: int, hosts: Iterable[int] | None
) -> tuple[str, dict[str, object]]:
    """The query for all hosts, or for some, which finds the rows of these by another index."""
    values: dict[str, object] = {"task_id": task_id, "now": now}
    if hosts is None:
        return query, values
    return f"{query}_on_hosts", {**values, "hosts": pack_values(hosts)}


def give_up_sending(tx: Transaction, row_id: int, detail: str, now: int) -> bool:
    """GIVE_UP_SENDING; False: not legal in the present status."""
    values = {"id": row_id, "detail": detail, "now": now}
    ended = tx.execute(_SQL["give_up_sending"], values).rowcount
    _count_ended(CommandHostStatus.FAILED, Reason.UNDELIVERABLE, ended)
    return bool(ended)


def refuse_sending(tx: Transaction, row_id: int, detail: str, now: int) -> bool:
    """REFUSE_SENDING; False: not legal in the present status."""
    values = {"id": row_id, "detail": detail, "now": now}
    ended = tx.execute(_SQL["refuse_sending"], values).rowcount
    _count_ended(CommandHostStatus.FAILED, Reason.REJECTED, ended)
    return bool(ended)


class LostCommand(NamedTuple):
    """A command of a host that was lost, and how it has ended."""

    task_id: int
    position: int
    status: CommandHostStatus
    reason: Reason


def end_agent_lost(tx: Transaction, host: int, now: int, *, for_good: bool) -> list[LostCommand]:
    """LOSE_AGENT and LOSE_CANCELED for rows that were sent to a host.

    Args:
        for_good: the host never comes back. Otherwise a row that has not begun is left alone until
            its delivery timeout, if it has one and nobody has cancelled it.
    """
    values = {"host": host, "now": now}
    rows = tx.execute(_SQL["lose_agent"], {**values, "for_good": for_good}).fetchall()
    rows += tx.execute(_SQL["lose_canceled"], values).fetchall()
    lost = [
        LostCommand(task_id, position, CommandHostStatus(status), Reason(reason))
        for task_id, position, status, reason in rows
    ]
    for command in lost:
        _count_ended(command.status, command.reason)
    return lost


def fail_state_lost(tx: Transaction, row_id: int, now: int) -> bool:
    """LOSE_STATE; False: not legal in the present status."""
    ended = tx.execute(_SQL["lose_state"], {"id": row_id, "now": now}).rowcount
    _count_ended(CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST, ended)
    return bool(ended)


class CommandOnHost(NamedTuple):
    """One command of a task on one host, and the time of a change in microseconds."""

    task_id: int
    host: int
    position: int
    now: int


def skip(
    tx: Transaction, ended: Iterable[CommandOnHost], reason: Reason, *, spare_always: bool = False
) -> None:
    """SKIP for the commands that follow each of these on its host.

    Args:
        spare_always: those that are `always` are left alone.
    """
    values = {"rows": pack_rows(ended), "reason": reason, "spare_always": spare_always}
    skipped = tx.execute(_SQL["skip"], values).rowcount
    _count_ended(CommandHostStatus.SKIPPED, reason, skipped)


def make_ready(tx: Transaction, ended: Iterable[CommandOnHost]) -> None:
    """Lets the next command that has not ended behind each of these be sent. There may be none."""
    tx.execute(_SQL["make_ready"], {"rows": pack_rows(ended)})


@dataclass(slots=True)
class StepOrder:
    """What follows the steps of a task.

    Attributes:
        canceled: the task is being canceled.
        on_failure: of each step, by its position.
        has_barrier: hosts wait for each other before one of its steps.
    """

    canceled: bool
    on_failure: dict[int, OnFailure] = field(default_factory=dict)
    has_barrier: bool = False


def step_orders(tx: Transaction, task_ids: Iterable[int]) -> dict[int, StepOrder]:
    """What follows the steps of these tasks; those of one step are left out."""
    orders: dict[int, StepOrder] = {}
    values = {"tasks": pack_values(task_ids)}
    rows = fetch_packed(tx, _SQL["step_orders"], values)
    for task_id, position, on_failure, barrier, canceled in rows:
        order = orders.setdefault(task_id, StepOrder(bool(canceled)))
        order.on_failure[position] = OnFailure(on_failure)
        order.has_barrier |= bool(barrier)
    return orders


def hosts_with_work(tx: Transaction) -> list[str]:
    """host_id of each host with commands that were sent or wait, and have not ended."""
    return [row["host_id"] for row in tx.execute(_SQL["hosts_with_work"])]

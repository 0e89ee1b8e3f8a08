"""The guards in SQL agree with the table of transitions: every operation, status and reason."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.databases.engines import database_in
from tui_manager.domain.hosts.agent_messages import Result
from tui_manager.domain.status import Admission, Reason, Stream, TaskStatus
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.tasks.transitions import (
    ADMISSION_TRANSITIONS,
    OPERATION_OF_RESULT,
    TASK_TRANSITIONS,
    AdmissionOperation,
    Operation,
    TaskOperation,
    move,
)
from tui_manager.storage.engine.database import open_database
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import admissions, hosts
from tui_manager.storage.tables.tasks import command_hosts, task_transitions
from tui_manager.storage.tables.tasks.command_hosts import (
    CommandOnHost,
    Finish,
    Start,
    StoredExecution,
)
from tui_manager.storage.views.delivery import choose_commands
from tui_manager.storage.views.delivery.choose_commands import Recipient, RunSettings

# A status with a reason that it may have, and whether the row was sent.
STATES = [
    (Status.PENDING, Reason.NONE),
    (Status.RUNNING, Reason.NONE),
    (Status.COMPLETED, Reason.NONE),
    (Status.TIMEOUT, Reason.TIMEOUT),
    (Status.CANCELED, Reason.CANCELED),
    (Status.CANCELED, Reason.CANCEL_UNCONFIRMED),
    (Status.SKIPPED, Reason.EARLIER_FAILED),
    (Status.SKIPPED, Reason.BUDGET_SPENT),
    (Status.SKIPPED, Reason.HOLD_EXPIRED),
    (Status.SKIPPED, Reason.MAINTENANCE),
    *(
        (Status.FAILED, reason)
        for reason in (
            Reason.UNDELIVERABLE,
            Reason.REJECTED,
            Reason.SPAWN_FAILED,
            Reason.EXIT_CODE,
            Reason.SIGNAL,
            Reason.AGENT_LOST,
            Reason.AGENT_STATE_LOST,
            Reason.INTERRUPTED,
        )
    ),
]
NOW = 1_000_000
_REASON_OF_RESULT = {
    Status.COMPLETED: Reason.NONE,
    Status.FAILED: Reason.EXIT_CODE,
    Status.TIMEOUT: Reason.TIMEOUT,
    Status.CANCELED: Reason.CANCELED,
}


def _finish(status: Status) -> Callable[[Transaction], object]:
    result = Result("e", status, _REASON_OF_RESULT[status], duration=timedelta(seconds=1))
    execution = StoredExecution(
        row_id=1,
        execution_id="e",
        host=1,
        task_id=1,
        position=0,
        status=status,
        reason=Reason.NONE,
        stored=dict.fromkeys(Stream, 0),
        totals=None,
        exit_code=None,
        signal=None,
        output_limit=None,
        canceled=False,
        task_canceled=False,
        not_held=False,
    )
    return lambda tx: command_hosts.finish(tx, [Finish(execution, result, NOW)])


GUARDS: dict[Operation, Callable[[Transaction], object]] = {
    Operation.START: lambda tx: command_hosts.start(tx, [Start(1, NOW)]),
    **{operation: _finish(status) for status, operation in OPERATION_OF_RESULT.items()},
    Operation.CANCEL_UNSENT: lambda tx: command_hosts.cancel_unsent(tx, 1, NOW),
    Operation.GIVE_UP_SENDING: lambda tx: command_hosts.give_up_sending(tx, 1, "", NOW),
    Operation.REFUSE_SENDING: lambda tx: command_hosts.refuse_sending(tx, 1, "", NOW),
    Operation.LOSE_AGENT: lambda tx: command_hosts.end_agent_lost(tx, 1, NOW, for_good=False),
    Operation.LOSE_CANCELED: lambda tx: command_hosts.end_agent_lost(tx, 1, NOW, for_good=False),
    Operation.LOSE_STATE: lambda tx: command_hosts.fail_state_lost(tx, 1, NOW),
    Operation.SKIP: lambda tx: command_hosts.skip(
        tx, [CommandOnHost(1, 1, -1, NOW)], Reason.EARLIER_FAILED
    ),
}
_SENT = (Operation.LOSE_AGENT, Operation.LOSE_CANCELED)


def _prepare(tx: Transaction, operation: Operation, status: Status, reason: Reason) -> None:
    tx.execute(
        "INSERT INTO hosts (id, host_id, name, admission, first_seen, since)"
        " VALUES (1, 'h', 'web01', 'admitted', 0, 0)"
    )
    tx.execute(
        "INSERT INTO tasks (id, name, description, target, created_by, created_at, status)"
        " VALUES (1, '', '', '@all', '', 0, 'running')"
    )
    tx.execute(
        "INSERT INTO commands (id, task_id, position, text, timeout_after, parameters,"
        " environment, cwd) VALUES (1, 1, 0, 'true', 1, '{}', '{}', '')"
    )
    tx.execute(
        "INSERT INTO command_hosts (id, execution_id, task_id, command_id, position, host, status,"
        " reason, sent_at, cancel_requested_at) VALUES (1, 'e', 1, 1, 0, 1, ?, ?, ?, ?)",
        (
            status,
            reason,
            1 if operation in _SENT else None,
            1 if operation is Operation.LOSE_CANCELED else None,
        ),
    )


@pytest.mark.parametrize("sent", [False, True])
async def test_the_guard_of_a_cancel_on_some_hosts_agrees_with_the_table(
    tmp_path: Path, sent: bool
) -> None:
    operation = Operation.LOSE_AGENT if sent else Operation.CANCEL_UNSENT
    async with open_database(database_in(tmp_path)) as database:
        for status, reason in STATES:

            def work(
                tx: Transaction, status: Status = status, reason: Reason = reason
            ) -> tuple[Status, bool]:
                tx.execute("SAVEPOINT one_state")
                _prepare(tx, operation, status, reason)
                assert not command_hosts.cancel_unsent(tx, 1, NOW, [2])
                assert not command_hosts.request_cancel(tx, 1, NOW, [2])
                command_hosts.cancel_unsent(tx, 1, NOW, [1])
                told = bool(command_hosts.request_cancel(tx, 1, NOW, [1]))
                row = tx.execute("SELECT status FROM command_hosts").fetchone()
                tx.execute("ROLLBACK TO one_state")
                return Status(row["status"]), told

            became, told = await database.write(work)
            moved = None if sent else move(Operation.CANCEL_UNSENT, status, reason)
            assert became == (moved.status if moved else status)
            assert told == (not moved and not status.ended)


def test_every_operation_has_a_guard() -> None:
    assert set(GUARDS) == set(Operation)


@pytest.mark.parametrize("operation", list(Operation))
async def test_the_guard_of_a_command_host_agrees_with_the_table(
    tmp_path: Path, operation: Operation
) -> None:
    async with open_database(database_in(tmp_path)) as database:
        for status, reason in STATES:

            def work(
                tx: Transaction, status: Status = status, reason: Reason = reason
            ) -> tuple[Status, Reason, bool]:
                tx.execute("SAVEPOINT one_state")
                _prepare(tx, operation, status, reason)
                GUARDS[operation](tx)
                row = tx.execute("SELECT status, reason, late FROM command_hosts").fetchone()
                tx.execute("ROLLBACK TO one_state")
                return Status(row["status"]), Reason(row["reason"]), bool(row["late"])

            became, why, late = await database.write(work)
            expected = move(operation, status, reason)
            if expected is None:
                assert (became, why, late) == (status, reason, False)
            else:
                assert (became, late) == (expected.status, expected.late)
                assert why in expected.reasons


def _resume(tx: Transaction) -> object:
    tx.execute("UPDATE tasks SET paused_at = 1")
    return task_transitions.resume(tx, 1)


TASK_GUARDS: dict[TaskOperation, Callable[[Transaction], object]] = {
    TaskOperation.START: lambda tx: task_transitions.start(tx, 1, 1, (), NOW),
    TaskOperation.CANCEL: lambda tx: task_transitions.cancel(tx, 1, NOW),
    TaskOperation.PAUSE: lambda tx: task_transitions.pause(tx, 1, NOW),
    TaskOperation.RESUME: _resume,
    TaskOperation.END: lambda tx: task_transitions.end(tx, 1, TaskStatus.COMPLETED, NOW),
    TaskOperation.REOPEN: lambda tx: task_transitions.reopen(tx, 1),
}


@pytest.mark.parametrize("operation", list(TaskOperation))
@pytest.mark.parametrize("status", list(TaskStatus))
async def test_the_guard_of_a_task_agrees_with_the_table(
    tmp_path: Path, operation: TaskOperation, status: TaskStatus
) -> None:
    def correct(tx: Transaction) -> object:
        other = {
            TaskStatus.COMPLETED: TaskStatus.FAILED,
            TaskStatus.FAILED: TaskStatus.COMPLETED,
        }
        return task_transitions.correct(tx, 1, other.get(status, TaskStatus.FAILED))

    def work(tx: Transaction) -> TaskStatus:
        tx.execute(
            "INSERT INTO tasks (id, name, description, target, created_by, created_at, status)"
            " VALUES (1, '', '', '@all', '', 0, ?)",
            (status,),
        )
        guard = TASK_GUARDS.get(operation, correct)
        tx.execute("SAVEPOINT guard")
        try:
            moved = guard(tx)
        except Exception:
            tx.execute("ROLLBACK TO guard")
            moved = False
        row = tx.execute("SELECT status FROM tasks").fetchone()
        legal = (operation, status) in TASK_TRANSITIONS
        assert (moved is not False) == legal
        return TaskStatus(row["status"])

    async with open_database(database_in(tmp_path)) as database:
        became = await database.write(work)
    assert became in TASK_TRANSITIONS.get((operation, status), {status})


ADMISSION_GUARDS: dict[AdmissionOperation, Callable[[Transaction], object]] = {
    AdmissionOperation.ADMIT: lambda tx: admissions.admit(tx, "h"),
    AdmissionOperation.REJECT: lambda tx: admissions.reject(tx, "h"),
    AdmissionOperation.REVOKE: lambda tx: admissions.revoke(tx, "h"),
    AdmissionOperation.REMOVE: lambda tx: admissions.remove(tx, "h", NOW),
    AdmissionOperation.PUT_BACK: lambda tx: admissions.put_back(tx, "h", "odd"),
}


@pytest.mark.parametrize("operation", list(AdmissionOperation))
@pytest.mark.parametrize("admission", list(Admission))
async def test_the_guard_of_an_admission_agrees_with_the_table(
    tmp_path: Path, operation: AdmissionOperation, admission: Admission
) -> None:
    def work(tx: Transaction) -> Admission:
        hosts.insert(tx, "h", "web01", admission, NOW)
        hosts.insert(tx, "other", "web02", admission, NOW)
        moved = ADMISSION_GUARDS[operation](tx)
        assert (moved is not None) == ((operation, admission) in ADMISSION_TRANSITIONS)
        other, host = (hosts.by_host_id(tx, host_id) for host_id in ("other", "h"))
        assert other
        assert host
        assert other.admission is admission
        assert moved in (None, host)
        return host.admission

    async with open_database(database_in(tmp_path)) as database:
        became = await database.write(work)
    assert became is ADMISSION_TRANSITIONS.get((operation, admission), admission)


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.REJECTED, Admission.REVOKED])
async def test_nothing_is_claimed_for_a_host_that_is_not_admitted(
    tmp_path: Path, admission: Admission
) -> None:
    def claim(tx: Transaction) -> int:
        ask, terms = Recipient(1, 9, 9, "journal"), RunSettings(NOW, timedelta(0), 1)
        return len(choose_commands.choose_and_mark_sent(tx, [ask], terms))

    def work(tx: Transaction) -> tuple[int, int]:
        _prepare(tx, Operation.START, Status.PENDING, Reason.NONE)
        tx.execute("UPDATE command_hosts SET ready = true")
        tx.execute("UPDATE hosts SET admission = ?", (admission,))
        before = claim(tx)
        tx.execute("UPDATE hosts SET admission = 'admitted'")
        return before, claim(tx)

    async with open_database(database_in(tmp_path)) as database:
        assert await database.write(work) == (0, 1)

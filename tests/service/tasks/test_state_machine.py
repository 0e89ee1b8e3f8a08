"""Any sequence of operations and reports, in any order and with repeats, keeps every invariant."""

import asyncio
import contextlib
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.service.legal_moves import LEGAL, LEGAL_TASK
from tests.support.databases.engines import SQLITE, remove_database
from tests.support.managers.manager_parts import Parts, manager_parts, spec
from tests.support.managers.old_history import DAY
from tests.support.memory_folder import memory_folder
from tests.support.run_length import examples
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
)
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Output, Result, Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Admission, CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.task import CommandHost, Task, ended_task_status
from tui_manager.service.hosts.host_service import OpenedSession
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance import pruning

Executions = MultipleResults[tuple[str, str]]
NAMES = ("web01", "web02")
RESULTS = [
    (CommandHostStatus.COMPLETED, Reason.NONE, 0),
    (CommandHostStatus.FAILED, Reason.EXIT_CODE, 3),
    (CommandHostStatus.FAILED, Reason.INTERRUPTED, None),
    (CommandHostStatus.TIMEOUT, Reason.TIMEOUT, None),
    (CommandHostStatus.CANCELED, Reason.CANCELED, None),
]

_GUESSES = (
    (CommandHostStatus.FAILED, Reason.AGENT_LOST),
    (CommandHostStatus.CANCELED, Reason.CANCEL_UNCONFIRMED),
)


def _is_paused(tx: Transaction, execution_id: str) -> bool:
    """Whether the task of an execution is paused."""
    row = tx.execute(
        "SELECT t.paused_at FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id"
        " WHERE ch.execution_id = ?",
        (execution_id,),
    ).fetchone()
    return row["paused_at"] is not None


class TaskMachine(RuleBasedStateMachine):
    """Operators, agents and time act on the services; the database is looked at after each act."""

    tasks: Bundle[int] = Bundle("tasks")
    executions: Bundle[tuple[str, str]] = Bundle("executions")

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._kept = contextlib.ExitStack()
        self._folder = self._kept.enter_context(memory_folder("machine-"))
        self._context = manager_parts(self._folder)
        self.parts: Parts = self._loop.run_until_complete(self._context.__aenter__())
        self._sessions: dict[str, OpenedSession] = {}
        self._host_ids: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._calls_itself: dict[str, str] = {}
        self._rows: dict[str, CommandHost] = {}
        self._tasks: dict[int, Task] = {}
        self._gone: set[int] = set()

    def teardown(self) -> None:
        self._loop.run_until_complete(self._context.__aexit__(None, None, None))
        remove_database(self._folder)
        self._loop.close()
        self._kept.close()

    @initialize()
    def dial_in(self) -> None:
        for name in NAMES:
            self._enroll(name, 0)

    def _enroll(self, name: str, number: int) -> None:
        """The agent of a host, which has a new key; it has its journal still."""
        self._keys[name] = f"{name}-{number}"
        self._calls_itself[name] = name
        enrolling = self.parts.enroll(
            name, key=self._keys[name], machine_id=name, auto_approve=True
        )
        enrolled = self._loop.run_until_complete(enrolling)
        self._host_ids[name] = enrolled.host_id
        self._connect(name, ())

    def _connect(self, name: str, held: tuple[Held, ...], journal: str = "") -> None:
        dialing = self.parts.dial(
            self._host_ids[name],
            self._calls_itself[name],
            key=self._keys[name],
            machine_id=name,
            held=held,
            journal_id=journal or f"journal-{name}",
        )
        opened = self._loop.run_until_complete(dialing)
        self._sessions[name] = opened
        self.parts.hosts.session_ready(opened.host_id)

    def _say_never(self, opened: OpenedSession) -> None:
        """The journal has never heard of what its agent is asked for."""
        for execution_id in opened.missing:
            before = self._rows[execution_id]
            assert before.started_at is None or before.status is CommandHostStatus.RUNNING
            never = Result(execution_id, CommandHostStatus.CANCELED, Reason.CANCELED)
            self._report((opened.host_id, execution_id), never)
            if (before.status, before.reason) in _GUESSES:
                row = self._loop.run_until_complete(self.parts.row(execution_id, before.task_id))
                assert (row.reason, row.late) == (Reason.UNDELIVERABLE, True)

    def _admission(self, host_id: str) -> Admission:
        entry = self.parts.directory.get(host_id)
        assert entry is not None
        return entry.row.admission

    @rule(target=executions, name=st.sampled_from(NAMES), with_work=st.booleans())
    def rename(self, name: str, with_work: bool) -> Executions:
        """It waits until somebody approves it, and so does its work; it reports meanwhile."""
        if with_work:
            rooms = self.parts.dispatcher.rooms
            rooms[self._host_ids[name]] = 0
            self._start(self._create(1, Offline.WAIT))
            del rooms[self._host_ids[name]]
        renamed = self._calls_itself[name] != name
        self._calls_itself[name] = name if renamed else f"{name}-renamed"
        held = [row for row in self._rows.values() if self._is_held(row, name)]
        self._connect(name, tuple(Held(row.execution_id, HeldState.RUNNING) for row in held))
        assert self._admission(self._host_ids[name]) is Admission.PENDING
        return self._hand_out()

    def _is_held(self, row: CommandHost, name: str) -> bool:
        return row.host_id == self._host_ids[name] and row.sent_at is not None

    @rule(target=executions)
    def approve(self) -> Executions:
        self._loop.run_until_complete(self.parts.admission.approve([], True, "ana"))
        return self._hand_out()

    @rule(name=st.sampled_from(NAMES))
    def turn_away(self, name: str) -> None:
        """Its owner lets it enrol anew."""
        old, admission = self._host_ids[name], self.parts.admission
        if self._admission(old) is Admission.PENDING:
            self._loop.run_until_complete(admission.reject([old], False, "ana"))
        else:
            self._loop.run_until_complete(admission.revoke([old], "ana"))
        opened = self._sessions[name]
        closing = self.parts.hosts.close_session(old, opened.generation, "turned away")
        self._loop.run_until_complete(closing)
        self._enroll(name, int(self._keys[name].rpartition("-")[2]) + 1)

    @rule(target=tasks, commands=st.integers(1, 3), offline=st.sampled_from(Offline))
    def create(self, commands: int, offline: Offline) -> int:
        return self._create(commands, offline)

    def _create(self, commands: int, offline: Offline) -> int:
        texts = [f"step {number}" for number in range(commands)]
        given = spec("@all", *texts, offline=offline, delivery_timeout=timedelta(seconds=500))
        return self._loop.run_until_complete(self.parts.tasks.create_task(given))

    @rule(target=executions, task_id=tasks)
    def start(self, task_id: int) -> Executions:
        return self._start(task_id)

    def _start(self, task_id: int) -> Executions:
        try:
            self._loop.run_until_complete(self.parts.tasks.start_task(task_id))
        except NotFoundError:
            assert task_id in self._gone
        except IllegalMoveError:
            assert self._tasks[task_id].status is not TaskStatus.PENDING
        except InvalidInputError:  # nobody is there
            admissions = {self._admission(host_id) for host_id in self._host_ids.values()}
            assert Admission.ADMITTED not in admissions
        return self._hand_out()

    def _hand_out(self) -> Executions:
        sent = self._loop.run_until_complete(self.parts.send())
        assert all(self._admission(host_id) is Admission.ADMITTED for host_id, _ in sent)
        for _, run in sent:
            find = partial(_is_paused, execution_id=run.execution_id)
            assert not self._loop.run_until_complete(self.parts.database.read(find))
        return multiple(*((host_id, run.execution_id) for host_id, run in sent))

    @rule(task_id=tasks)
    def cancel(self, task_id: int) -> None:
        try:
            self._loop.run_until_complete(self.parts.tasks.cancel_task(task_id))
        except NotFoundError:
            assert task_id in self._gone
        except IllegalMoveError:
            assert self._tasks[task_id].status.ended

    @rule(task_id=tasks)
    def pause(self, task_id: int) -> None:
        """What is sent later is not of this task; `_hand_out` looks."""
        with contextlib.suppress(IllegalMoveError, NotFoundError):
            self._loop.run_until_complete(self.parts.tasks.pause_task(task_id))

    @rule(target=executions, task_id=tasks)
    def resume(self, task_id: int) -> Executions:
        paused = task_id in self._tasks and self._tasks[task_id].paused
        try:
            self._loop.run_until_complete(self.parts.tasks.resume_task(task_id))
        except (IllegalMoveError, NotFoundError):
            assert not paused
        else:
            assert paused
        return self._hand_out()

    @rule(target=executions, execution=executions, outcome=st.sampled_from(RESULTS))
    def end(
        self, execution: tuple[str, str], outcome: tuple[CommandHostStatus, Reason, int | None]
    ) -> Executions:
        status, reason, code = outcome
        result = Result(execution[1], status, reason, exit_code=code, duration=timedelta(seconds=1))
        self._report(execution, result)
        return self._hand_out()

    @rule(execution=executions)
    def begin(self, execution: tuple[str, str]) -> None:
        self._report(execution, Started(execution[1], timedelta(0)))

    @rule(execution=executions, offset=st.integers(0, 6), size=st.integers(1, 6))
    def say(self, execution: tuple[str, str], offset: int, size: int) -> None:
        data = bytes(range(offset, offset + size))
        self._report(execution, Output(execution[1], Stream.STDOUT, offset, data))

    def _report(self, execution: tuple[str, str], item: Started | Output | Result) -> None:
        try:
            self._loop.run_until_complete(self.parts.report(execution[0], item))
        except RefusedError:
            assert self._admission(execution[0]) in (Admission.REVOKED, Admission.REJECTED)

    @rule(name=st.sampled_from(NAMES), seconds=st.sampled_from([1, 200, 400]))
    def fall_silent(self, name: str, seconds: int) -> None:
        opened = self._sessions[name]
        closing = self.parts.hosts.close_session(opened.host_id, opened.generation, "test")
        self._loop.run_until_complete(closing)
        self.parts.clock.turn(seconds)
        self._loop.run_until_complete(self.parts.silence.run_once())

    @rule(
        target=executions,
        name=st.sampled_from(NAMES),
        journal=st.sampled_from(["", "", "", "another"]),
        state=st.sampled_from([HeldState.RUNNING, HeldState.ACCEPTED, HeldState.ENDED]),
        holds=st.booleans(),
        answers=st.booleans(),
    )
    def return_(
        self, name: str, journal: str, state: HeldState, holds: bool, answers: bool
    ) -> Executions:
        mine = [
            row.execution_id
            for row in self._rows.values()
            if row.host.startswith(name) and row.sent_at and holds
        ]
        ended = state is HeldState.ENDED
        self._connect(name, tuple(Held(item, state, ended) for item in mine), journal)
        if answers:
            self._say_never(self._sessions[name])
        return self._hand_out()

    @rule(days=st.sampled_from([1, 31]), steps=st.integers(0, 3))
    def prune(self, days: int, steps: int) -> None:
        """What has ended too long ago is gone at once, and cleared away by and by."""
        self.parts.clock.turn(days * DAY)
        self._loop.run_until_complete(self.parts.pruning.mark())
        with patch.object(pruning, "ROWS", 2):
            for _ in range(steps):
                self._loop.run_until_complete(self.parts.pruning.clear())

    @rule(execution=consumes(executions))
    def forget(self, execution: tuple[str, str]) -> None:
        """An agent that says nothing more of an execution."""

    @invariant()
    def everything_holds(self) -> None:
        assert self._loop.run_until_complete(self.parts.contradictions()) == []
        page = self._loop.run_until_complete(self.parts.tasks.list_tasks(Window(limit=1000)))
        self._look_for_gone({task.task_id for task in page.rows})
        for task in page.rows:
            self._look_at(task)

    def _look_for_gone(self, listed: set[int]) -> None:
        """Only what had ended can be gone, and it never comes back."""
        assert not listed & self._gone
        for task_id in self._tasks.keys() - listed:
            ended_at = self._tasks.pop(task_id).finished_at
            assert ended_at and self.parts.clock.instant - ended_at > timedelta(days=30)  # noqa: PT018
            self._gone.add(task_id)

    def _look_at(self, task: Task) -> None:
        before = self._tasks.get(task.task_id)
        if before:
            assert (before.status, task.status) in LEGAL_TASK
        self._tasks[task.task_id] = task
        canceled = task.cancel_requested_at is not None
        derived = ended_task_status(task.counts, canceled=canceled)
        if task.status is TaskStatus.RUNNING:
            assert derived is None
        elif task.status is not TaskStatus.CANCELED and task.started_at:
            assert task.status is derived
        for row in self._loop.run_until_complete(self.parts.rows(task.task_id)):
            self._look_at_row(row)
            self._look_at_wait(task, row)

    def _look_at_wait(self, task: Task, row: CommandHost) -> None:
        """Silence alone gives nothing up that may still be delivered."""
        if task.offline is Offline.WAIT and row.reason is Reason.AGENT_LOST and not row.started_at:
            assert task.started_at
            assert row.finished_at
            waited = row.finished_at - task.started_at
            turned_away = row.host_id not in self._host_ids.values()
            assert turned_away or waited >= task.delivery_timeout

    def _look_at_row(self, row: CommandHost) -> None:
        before = self._rows.get(row.execution_id)
        if before:
            assert (before.status, row.status) in LEGAL
            if before.status.ended and before.reason not in (
                Reason.AGENT_LOST,
                Reason.CANCEL_UNCONFIRMED,
            ):
                assert (row.status, row.reason) == (before.status, before.reason)
            assert row.stdout_bytes >= before.stdout_bytes
        self._rows[row.execution_id] = row
        assert row.status.ended == (row.finished_at is not None)
        assert (row.reason == Reason.NONE) == (
            row.status is CommandHostStatus.COMPLETED or not row.status.ended
        )
        chunks = self._loop.run_until_complete(
            self.parts.tasks.output.read(row.execution_id, Stream.STDOUT, 0, 1 << 20)
        )
        stored = b"".join(chunk.data for chunk in chunks)
        assert stored == bytes(range(row.stdout_bytes))


def test_tasks_under_any_order_of_acts(engine: str) -> None:
    number = examples(60, few=15) if engine == SQLITE else examples(20, few=5)
    steps = settings(max_examples=number, stateful_step_count=40)
    run_state_machine_as_test(TaskMachine, settings=steps)

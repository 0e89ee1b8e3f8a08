"""What the reports of one transaction change: gathered, and written by few statements."""

from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.hosts.agent_messages import Output, Result
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.service.core import advance_task
from tui_manager.service.core.advance_task import EndedCommand
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import transfers
from tui_manager.storage.tables.files.transfers import NewTransfer
from tui_manager.storage.tables.tasks import command_hosts, output
from tui_manager.storage.tables.tasks.command_hosts import (
    CommandOnHost,
    Finish,
    Start,
    StoredExecution,
)
from tui_manager.storage.tables.tasks.output import OutputPiece

_COUNT_MAX = 1 << 60  # bytes: far below what an INTEGER of the database holds


@dataclass(slots=True)
class ReportWrites:
    """The changes so far. The caller has found each of them legal. Each method also changes the
    execution in memory, so that the rest of the report is compared with what will be stored.

    Attributes:
        tasks: whose command hosts change.
    """

    tasks: dict[int, None] = field(default_factory=dict)
    _starts: list[Start] = field(default_factory=list)
    _pieces: list[OutputPiece] = field(default_factory=list)
    _grown: dict[int, StoredExecution] = field(default_factory=dict)
    _finishes: list[Finish] = field(default_factory=list)
    _lost: list[tuple[int, int]] = field(default_factory=list)
    _ended: list[EndedCommand] = field(default_factory=list)
    _transfers: list[NewTransfer] = field(default_factory=list)

    def start(self, execution: StoredExecution, at: int) -> None:
        """It runs, since `at`."""
        self._starts.append(Start(execution.row_id, at))
        self.tasks[execution.task_id] = None
        execution.status, execution.reason = CommandHostStatus.RUNNING, Reason.NONE

    def add_output(self, execution: StoredExecution, piece: Output, now: int) -> None:
        """A piece of its output is stored `now`."""
        self._pieces.append(OutputPiece(execution.task_id, execution.row_id, piece, now))
        self._grown[execution.row_id] = execution
        execution.stored[piece.stream] = piece.end

    def count_over_limit(self, execution: StoredExecution, size: int) -> None:
        """So many bytes of its output are over its limit."""
        execution.over_limit = min(execution.over_limit + size, _COUNT_MAX)
        self._grown[execution.row_id] = execution

    def end(self, execution: StoredExecution, result: Result, now: int) -> None:
        """It ends with a result, reported `now`; the size of its output is stored with it. A late
        result replaces a guess and lets no other command begin."""
        late = execution.status.ended
        if result.transfer is not None:
            self._transfers.append(NewTransfer(execution.row_id, result.transfer))
        self._grown.pop(execution.row_id, None)
        self._finishes.append(Finish(execution, result, now))
        execution.status, execution.reason = result.status, result.reason
        execution.exit_code, execution.signal = result.exit_code, result.signal
        execution.totals = {
            stream: result.totals[stream].stored if stream in result.totals else 0
            for stream in execution.stored
        }
        self._end(execution, now, advance=not late)

    def lose_state(self, execution: StoredExecution, now: int) -> None:
        """Its journal has never heard of it."""
        self._lost.append((execution.row_id, now))
        execution.status, execution.reason = CommandHostStatus.FAILED, Reason.AGENT_STATE_LOST
        self._end(execution, now, advance=True)

    def _end(self, execution: StoredExecution, now: int, *, advance: bool) -> None:
        self.tasks[execution.task_id] = None
        if advance:
            command = CommandOnHost(execution.task_id, execution.host, execution.position, now)
            self._ended.append(EndedCommand(command, execution.status, execution.reason))

    def write(self, tx: Transaction) -> frozenset[str]:
        """Writes all of it. The caller then updates the status of `tasks`.

        Returns:
            Fetches that name files that they have not brought.

        Raises:
            RuntimeError: a guard of the database has found a change illegal.
        """
        if self._starts:
            _check_all_changed(command_hosts.start(tx, self._starts), len(self._starts))
        if self._pieces:
            output.insert(tx, self._pieces)
        if self._grown:
            command_hosts.set_output_sizes(tx, self._grown.values())
        if self._finishes:
            _check_all_changed(command_hosts.finish(tx, self._finishes), len(self._finishes))
        not_brought = transfers.insert(tx, self._transfers) if self._transfers else frozenset()
        for row_id, now in self._lost:
            command_hosts.fail_state_lost(tx, row_id, now)
        advance_task.advance_all(tx, self._ended)
        return not_brought


def _check_all_changed(changed: int, expected: int) -> None:
    if changed != expected:
        raise RuntimeError(f"{changed} of {expected} command hosts changed as their reports say.")

"""What the reports of one transaction change, gathered and written by few statements."""

from dataclasses import dataclass, field

from tui_manager.domain.report import Output, Result
from tui_manager.domain.status import CommandHostStatus
from tui_manager.service.tasks import task_status
from tui_manager.service.tasks.task_status import Ended
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import command_hosts, output
from tui_manager.storage.tables.command_hosts import Finish, Known, Place, Start
from tui_manager.storage.tables.output import Piece

_COUNTABLE = 1 << 60  # bytes: far below what an INTEGER of the database holds


@dataclass(slots=True)
class ReportChanges:
    """Filled report by report; each move has been found legal by what the database held.

    Attributes:
        tasks: whose command hosts move.
    """

    tasks: dict[int, None] = field(default_factory=dict)
    _starts: list[Start] = field(default_factory=list)
    _pieces: list[Piece] = field(default_factory=list)
    _grown: dict[int, Known] = field(default_factory=dict)
    _past_limit: dict[int, int] = field(default_factory=dict)
    _finishes: list[Finish] = field(default_factory=list)
    _lost: list[tuple[Known, int]] = field(default_factory=list)
    _ended: list[Ended] = field(default_factory=list)

    def start(self, known: Known, at: int) -> None:
        """It runs, since `at`."""
        self._starts.append(Start(known.row_id, at))
        self.tasks[known.task_id] = None

    def insert(self, known: Known, piece: Output) -> None:
        """A piece of its output goes to its place."""
        self._pieces.append(Piece(known.task_id, known.row_id, piece))
        self._grown[known.row_id] = known

    def past_limit(self, known: Known, size: int) -> None:
        """So many bytes of its output came past its limit."""
        counted = self._past_limit.get(known.row_id, 0) + size
        self._past_limit[known.row_id] = min(counted, _COUNTABLE)
        self._grown[known.row_id] = known

    def end(self, known: Known, result: Result, now: int, *, late: bool) -> None:
        """Its result, reported `now`; its output so far is stored with it. A late one dispatches
        nothing."""
        past_limit = self._past_limit.get(known.row_id, 0)
        self._grown.pop(known.row_id, None)
        self._finishes.append(Finish(known.row_id, result, known.stored, past_limit, now))
        self._end(known, result.status, now, goes_on=not late)

    def lose_state(self, known: Known, now: int) -> None:
        """Its journal has never heard of it."""
        self._lost.append((known, now))
        self._end(known, CommandHostStatus.FAILED, now, goes_on=True)

    def _end(self, known: Known, status: CommandHostStatus, now: int, *, goes_on: bool) -> None:
        self.tasks[known.task_id] = None
        if goes_on:
            place = Place(known.task_id, known.host, known.position, now)
            self._ended.append(Ended(place, status))

    def write(self, tx: Transaction) -> None:
        """Writes it all, but for what becomes of the tasks.

        Raises:
            RuntimeError: a guard of the database has found a move illegal.
        """
        if self._starts:
            _all_moved(command_hosts.start(tx, self._starts), len(self._starts))
        if self._pieces:
            output.insert(tx, self._pieces)
        if self._grown:
            past_limit = self._past_limit
            grown = [(known, past_limit.get(row, 0)) for row, known in self._grown.items()]
            command_hosts.set_stored(tx, grown)
        if self._finishes:
            _all_moved(command_hosts.finish(tx, self._finishes), len(self._finishes))
        for known, now in self._lost:
            command_hosts.lose_state(tx, known.row_id, now)
        task_status.go_on_behind(tx, self._ended)


def _all_moved(moved: int, expected: int) -> None:
    if moved != expected:
        raise RuntimeError(f"{moved} of {expected} command hosts moved as their reports say.")

"""The command hosts of one task as a table: faults first, then running, waiting, completed. Each
row has the last line that its command has printed."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rich.cells import cell_len

from tui_manager.domain.lists.filter_by_target import COMMAND_HOST_KEYS
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.output.last_line import IDS_MAX, LastLine
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import Command, CommandHost, Task
from tui_manager.domain.text.number_format import number, running_time, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import KeyMap, Pane
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, shorten_name, spans
from tui_manager.ui.drawing.state_words_and_colours import TRUNCATED, command_host_glyph
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words
from tui_manager.ui.manager_link import Link
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.tasks.one_task.command_host_state import (
    STATE_WIDTH,
    StepFacts,
    line_cell,
    state_cell,
)
from tui_manager.ui.tasks.transfer_rates import TransferRates
from tui_manager.ui.terminal.closable import while_open

_HOST_LEAST, _HOST_MOST = 8, 44  # cells of a name
COLUMNS = (
    Column("state", "", 1),
    Column("host", "HOST", _HOST_LEAST, grow=6, max_width=_HOST_MOST, sort="host"),
    Column("words", "STATE", STATE_WIDTH),
    Column("time", "TIME", 7, right=True, hide_order=1),
    Column("line", "LAST LINE", 8, grow=1, max_width=400, hide_order=2),
)
# A task of one command needs no number of the command.
STEP_COLUMNS = (COLUMNS[0], Column("command", "STEP", 4, right=True), *COLUMNS[1:])
_NO_FACTS = StepFacts()
_LINES_MAX = 2_000  # last lines that are kept


def command_host_cell(
    row: CommandHost,
    key: str,
    width: int,
    now: datetime,
    last: LastLine | None = None,
    facts: StepFacts = _NO_FACTS,
) -> Spans:
    """The cell of a command host in a column; commands count from 1 on the screen."""
    match key:
        case "state":
            return (command_host_glyph(row),)
        case "command":
            return spans(number(row.command + 1, width), Role.MUTED)
        case "host":
            return spans(shorten_name(safe_line(row.host), width), Role.STRONG)
        case "words":
            return state_cell(row, last, width, now, facts)
        case "line":
            return line_cell(row, last, now, facts, width)
        case _:
            if row.started_at is None:
                return BLANK
            return spans(running_time((row.finished_at or now) - row.started_at, width))


def cut_note(row: CommandHost) -> Spans:
    """The note below output that is not complete; empty for complete output."""
    if not row.truncated_bytes:
        return BLANK
    text = f" {size(row.truncated_bytes)} past the output limit were not kept"
    return (TRUNCATED, Span(text, TRUNCATED.role))


def ended_without_output(row: CommandHost, width: int) -> tuple[Spans, ...]:
    """The text in place of output if a command has ended and printed nothing: how it ended. Its row
    may have no room for that. Empty while it may still print.

    Args:
        width: of a line, in cells.
    """
    if not row.status.ended:
        return ()
    lines = ("No output.", *textwrap.wrap(command_host_text(row), max(20, width)))
    return tuple(spans(line, Role.MUTED) for line in lines)


def not_started(keys: KeyMap) -> tuple[Spans, ...]:
    """What is shown of the hosts and the output of a task before its start."""
    key = Span(key_of("start_task", keys), Role.STRONG)
    return (
        (Span("Not started.", Role.STRONG),),
        (),
        (key, Span(" starts it; the target is resolved then.")),
    )


def _printed(row: CommandHost) -> int:
    return row.stdout_bytes + row.stderr_bytes


class CommandHostTable(RowTable[CommandHost]):
    """One row for each command on each host."""

    PANE = Pane.COMMAND_HOSTS
    TITLE = "Hosts"
    FILTER_KEYS = COMMAND_HOST_KEYS
    FILTERS = filter_words(COMMAND_HOST_KEYS, "web* @offline")
    NOUN = "hosts"

    def __init__(self, link: Link, task_id: int, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self.task_id = task_id
        self._commands: Sequence[Command] = ()
        self._hosts = 0
        self._in_batches = False
        self._paused = False
        self._longest = _HOST_LEAST  # name that was read, in cells
        self._lines: dict[str, LastLine] = {}  # by execution_id
        self._lines_at: dict[str, int] = {}  # bytes that each had printed when its line was read
        self._reader_of_lines = PacedReader(self._read_lines)
        self.rates = TransferRates()

    def show_task(self, task: Task, commands: Sequence[Command]) -> None:
        """What the rows belong to."""
        in_batches, hosts = task.rollout is not None and task.rollout.batches > 1, task.host_count
        if (in_batches, task.paused) != (self._in_batches, self._paused):
            self._in_batches, self._paused = in_batches, task.paused
            self.refresh()
        if (commands, hosts) != (self._commands, self._hosts):
            self._commands, self._hosts = commands, hosts
            self.retitle()

    @property
    def steps(self) -> bool:
        """Whether the task has several commands."""
        return len(self._commands) > 1

    @property
    def columns(self) -> Sequence[Column]:
        most = min(max(self._longest, _HOST_LEAST), _HOST_MOST)
        return tuple(
            replace(column, max_width=most) if column.key == "host" else column
            for column in (STEP_COLUMNS if self.steps else COLUMNS)
        )

    def key_of(self, row: CommandHost) -> str:
        return row.execution_id

    def cell(self, row: CommandHost, key: str, width: int, now: datetime) -> Spans:
        last = self._lines.get(row.execution_id)
        if not self._in_batches:  # the only batch is no news
            row = replace(row, batch=0)
        if self._paused:  # the wait for a host does not go on
            row = replace(row, waits_until=None)
        return command_host_cell(row, key, width, now, last, self._facts(row))

    def _facts(self, row: CommandHost) -> StepFacts:
        status, spec = self.link.status, self.spec_of(row)
        return StepFacts(
            spec.timeout if spec is not None else None,
            status.kill_grace if status is not None else None,
            spec.transfer if spec is not None else None,
            self.rates.rate(row),
        )

    def spec_of(self, row: CommandHost) -> CommandSpec | None:
        """What a row does; None: it is not known yet."""
        known = row.command < len(self._commands)
        return self._commands[row.command].spec if known else None

    async def fetch(self, window: Window) -> Page[CommandHost]:
        return await self.link.operator.list_command_hosts(self.task_id, window)

    def empty_lines(self) -> Sequence[Spans]:
        return not_started(self.link.keys)

    @property
    def title_words(self) -> str:
        """Says how many hosts there are, if there are several rows for each."""
        if not self.steps:
            return super().title_words
        return f"Hosts {self._hosts:,}, {len(self._commands):,} steps each: rows"

    # The last lines of the rows in sight.

    @property
    def last_lines(self) -> Mapping[str, LastLine]:
        """What was read, by execution_id."""
        return self._lines

    def refresh_changed(self, *, times: bool = False) -> None:
        for row in self.in_sight():
            self.rates.note(row, self.link.data_time())
        super().refresh_changed(times=times)
        self._widen_names()
        if self._ids_to_read() and self._reader_of_lines.request():
            self._follow_lines()

    def _widen_names(self) -> None:
        longest = max((cell_len(row.host) for row in self.in_sight()), default=0)
        if longest > self._longest:
            self._longest = longest
            self.refresh()

    def _ids_to_read(self) -> list[str]:
        """Of rows in sight that have printed something since their lines were read."""
        return [
            row.execution_id
            for row in self.in_sight()
            if _printed(row) and _printed(row) != self._lines_at.get(row.execution_id)
        ][:IDS_MAX]

    @while_open("lines")
    async def _follow_lines(self) -> None:
        await self._reader_of_lines.run()

    async def _read_lines(self) -> None:
        printed = {row.execution_id: _printed(row) for row in self.in_sight()}
        wanted = self._ids_to_read()
        if not wanted:
            return
        found = await self.link.operator.read_last_lines(self.task_id, wanted)
        if len(self._lines) > _LINES_MAX:
            self._lines.clear()
            self._lines_at.clear()
        self._lines.update(found)
        self._lines_at.update((key, printed[key]) for key in wanted)
        super().refresh_changed(times=True)

"""The command hosts of one task as a table: faults first, then running, waiting, completed."""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from tui_manager.domain.host_terms import COMMAND_HOST_KEYS
from tui_manager.domain.list_window import Page, Window
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task import CommandHost
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.number_format import number, running_time, size
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.drawing.state_words_and_colours import (
    TRUNCATED,
    command_host_glyph,
    command_host_text,
)
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words
from tui_manager.ui.manager_link import Link

COLUMNS = (
    Column("state", "", 1),
    Column("host", "HOST", 10, grow=1, max_width=24, sort="host"),
    Column("words", "STATUS", 14, grow=3, max_width=80),
    Column("bytes", "OUTPUT", 7, right=True, hide_order=2),
    Column("time", "TIME", 7, right=True, hide_order=1),
)
# A task of one command needs no number of the command.
STEP_COLUMNS = (COLUMNS[0], Column("command", "#", 3, right=True), *COLUMNS[1:])

_WORDS = {
    CommandHostStatus.FAILED: Role.FAULT,
    CommandHostStatus.TIMEOUT: Role.FAULT,
    CommandHostStatus.SKIPPED: Role.CAUTION,
    CommandHostStatus.CANCELED: Role.CAUTION,
    CommandHostStatus.PENDING: Role.MUTED,
    CommandHostStatus.COMPLETED: Role.MUTED,
    CommandHostStatus.RUNNING: Role.PLAIN,
}


def command_host_cell(row: CommandHost, key: str, width: int, now: datetime) -> Spans:
    """The cell of a command host in a column; commands count from 1 on the screen."""
    match key:
        case "state":
            return (command_host_glyph(row),)
        case "command":
            return spans(number(row.command + 1, width), Role.MUTED)
        case "host":
            return spans(safe_line(row.host), Role.STRONG)
        case "words":
            role = Role.CAUTION if row.canceling else _WORDS[row.status]
            return spans(command_host_text(row), role)
        case "bytes":
            stored = row.stdout_bytes + row.stderr_bytes
            cut = row.truncated_bytes > 0
            text = size(stored) + (TRUNCATED.text if cut else "") if stored or cut else ""
            return spans(text, Role.CAUTION if cut else Role.MUTED)
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


NOT_STARTED: tuple[Spans, ...] = (
    (Span("Not started.", Role.STRONG),),
    (),
    (Span("s", Role.STRONG), Span(" starts it; the target is resolved then.")),
)


class CommandHostTable(RowTable[CommandHost]):
    """One row for each command on each host."""

    PANE = Pane.COMMAND_HOSTS
    TITLE = "Hosts"
    FILTER_KEYS = COMMAND_HOST_KEYS
    FILTERS = filter_words(COMMAND_HOST_KEYS, "role=web web* @offline")
    NOUN = "hosts"

    def __init__(self, link: Link, task_id: int, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self.task_id = task_id
        self.steps = False  # whether the task has several commands

    @property
    def columns(self) -> Sequence[Column]:
        return STEP_COLUMNS if self.steps else COLUMNS

    def key_of(self, row: CommandHost) -> str:
        return row.execution_id

    def cell(self, row: CommandHost, key: str, width: int, now: datetime) -> Spans:
        return command_host_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[CommandHost]:
        return await self.link.operator.list_command_hosts(self.task_id, window)

    def empty_lines(self) -> Sequence[Spans]:
        return NOT_STARTED

"""The command hosts of one task: faults first, then running, waiting, completed."""

from collections.abc import Sequence
from datetime import datetime

from tui_manager.domain.task import CommandHost
from tui_manager.domain.window import Page, Window
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.listing.empty_text import NOT_STARTED
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column
from tui_manager.ui.manager_link import Link
from tui_manager.ui.tasks.command_host_row import COLUMNS, STEP_COLUMNS, command_host_cell


class CommandHostTable(RowTable[CommandHost]):
    """One row for each command on each host."""

    TITLE = "Hosts"
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

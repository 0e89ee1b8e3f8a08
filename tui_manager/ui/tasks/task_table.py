"""The tasks, the newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager.domain.task import Task
from tui_manager.domain.window import Page, Window
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.listing.empty_text import NO_TASKS
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column
from tui_manager.ui.tasks.task_row import COLUMNS, WIDE_COLUMNS, columns_for, task_cell


class TaskTable(RowTable[Task]):
    """All tasks."""

    TITLE = "Tasks"
    NOUN = "tasks"
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    @property
    def columns(self) -> Sequence[Column]:
        return columns_for(self.COLUMNS, self.list.rows.values())

    def key_of(self, row: Task) -> str:
        return str(row.task_id)

    def cell(self, row: Task, key: str, width: int, now: datetime) -> Spans:
        return task_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[Task]:
        return await self.link.operator.list_tasks(window)

    def empty_lines(self) -> Sequence[Spans]:
        return NO_TASKS


class WideTaskTable(TaskTable):
    """The same with more columns, for a screen of its own."""

    COLUMNS: ClassVar[Sequence[Column]] = WIDE_COLUMNS

"""All tasks."""

from collections.abc import Iterable
from dataclasses import replace

from textual import on
from textual.widget import Widget

from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.tasks.task import Task
from tui_manager.ui.action import ScreenName
from tui_manager.ui.key_bindings import bindings_of, open_task
from tui_manager.ui.listing.row_list import MARKED_MAX
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.tasks.lists.all_tasks_table import WideTaskTable
from tui_manager.ui.tasks.task_actions import TaskActions
from tui_manager.ui.terminal.closable import while_open


class TasksScreen(TaskActions):
    """All tasks, the newest first."""

    SCREEN = ScreenName.TASKS
    BINDINGS = bindings_of(ScreenName.TASKS)

    def body(self) -> Iterable[Widget]:
        yield WideTaskTable(self.link, id="tasks")

    @property
    def tasks(self) -> WideTaskTable:
        """The table."""
        return self.query_one("#tasks", WideTaskTable)

    def on_mount(self) -> None:
        """The table has the focus."""
        self.set_focus(self.tasks)

    def read_again(self, changes: Changes) -> None:
        if changes.tasks or changes.all_tasks:
            self.tasks.reload()

    def show_created(self, task_id: int) -> None:
        """Selects it. The newest task is the first."""
        if self.tasks.window.text or self.tasks.window.faults_only:
            self._select_filtered(task_id)
        else:
            self.tasks.select_row(str(task_id), 0)

    @while_open("created", exclusive=True)
    async def _select_filtered(self, task_id: int) -> None:
        """Selects a task. Clears the filter if it hides the task."""
        tasks = await self.tasks.read_matching(MARKED_MAX)
        if all(task.task_id != task_id for task in tasks):
            self.tasks.restart(replace(self.tasks.window, text="", faults_only=False))
        self.tasks.select_row(str(task_id), 0)

    def chosen_tasks(self) -> list[Task]:
        return self.tasks.chosen

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the selected task."""
        if (task := self.tasks.selected) is not None:
            await self.app.run_action(open_task(task.task_id))
        else:
            self.tasks.open_when_read()

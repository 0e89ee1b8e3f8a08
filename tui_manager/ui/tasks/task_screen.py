"""One task: its command hosts with status and reason, and the output of one or of all."""

from collections.abc import Iterable, Mapping

from textual import on
from textual.containers import Container
from textual.widget import Widget

from tui_manager.domain.changes import Changes
from tui_manager.domain.task import Task, TaskDetail
from tui_manager.ui.drawing.span_widgets import SpanLines
from tui_manager.ui.key_bindings import ScreenName, bindings_of, open_task
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.groups_pane import GroupsPane
from tui_manager.ui.output.output_actions import OutputActions
from tui_manager.ui.output.output_pane import NO_OUTPUT, OutputPane, Source
from tui_manager.ui.tasks.command_host_table import CommandHostTable, cut_note, ended_without_output
from tui_manager.ui.tasks.task_actions import TaskActions
from tui_manager.ui.tasks.task_head import task_head
from tui_manager.ui.terminal.closable import while_open

_MARGINS = 4  # cells beside a line of an empty output pane


class TaskScreen(OutputActions, TaskActions):
    """The command hosts of a task, faults first, and their output."""

    SCREEN = ScreenName.TASK
    BINDINGS = bindings_of(ScreenName.TASK)

    def __init__(self, link: Link, task_id: int) -> None:
        super().__init__(link)
        self.task_id = task_id
        self.detail: TaskDetail | None = None
        self.all_hosts = False  # whether the output is of all hosts, not of the selected one

    def body(self) -> Iterable[Widget]:
        yield SpanLines(id="head")
        yield Container(
            CommandHostTable(self.link, self.task_id, id="rows"),
            OutputPane(self.link, id="output"),
            GroupsPane(self.link, self.task_id, id="groups"),
            id="task",
        )

    @property
    def rows(self) -> CommandHostTable:
        """The command hosts."""
        return self.query_one("#rows", CommandHostTable)

    @property
    def output(self) -> OutputPane:
        """The output."""
        return self.query_one("#output", OutputPane)

    @property
    def groups(self) -> GroupsPane:
        """The output by groups."""
        return self.query_one("#groups", GroupsPane)

    @property
    def shown_output(self) -> Widget:
        """The pane that is seen: lines or groups."""
        return self.groups if self.groups.display else self.output

    def on_mount(self) -> None:
        """The command hosts have the focus."""
        self.groups.display = False
        self.set_focus(self.rows)

    def read_again(self, changes: Changes) -> None:
        if changes.touches(self.task_id):
            self._read_head()
            self.rows.reload()
            self.output.poll()
            self.groups.poll()

    @while_open("head", exclusive=True)
    async def _read_head(self) -> None:
        self.detail = await self.link.operator.get_task(self.task_id)
        self.rows.steps = self.groups.steps = len(self.detail.commands) > 1
        self._show_head()
        self._show_output()

    def _show_head(self) -> None:
        if self.detail is not None:
            head = self.query_one(SpanLines)
            width = max(1, self.size.width - 2)
            head.set_lines(task_head(self.detail, self.link.data_time(), width))

    def tick(self) -> None:
        super().tick()
        self._show_head()

    def on_resize(self) -> None:
        """The head depends on the width."""
        self._show_head()

    @on(RowTable.Selected)
    def _show_output(self) -> None:
        row, steps = self.rows.selected, self.rows.steps
        if self.all_hosts or row is None:
            self.output.set_end_note(())
            self.output.ended = self.detail is not None and self.detail.task.status.ended
            self.output.no_output_text = (NO_OUTPUT,)
            self.output.show(Source(self.task_id, title="all hosts", steps=steps))
            return
        self.output.set_end_note(cut_note(row))
        self.output.ended = row.status.ended
        ending = ended_without_output(row, self.output.size.width - _MARGINS)
        self.output.no_output_text = ending or (NO_OUTPUT,)
        self.output.refresh()
        step = f", command {row.command + 1}" if steps else ""
        self.output.show(Source(self.task_id, row.host_id, row.execution_id, row.host, step))

    def action_all_output(self) -> None:
        """Output of all hosts, or of the selected one."""
        self.all_hosts = not self.all_hosts
        self._show_output()

    def action_next_pane(self) -> None:
        """Command hosts, output, then command hosts again."""
        self.set_focus(self.shown_output if self.focused is self.rows else self.rows)

    def action_groups(self) -> None:
        """Lines, or groups of hosts with the same output."""
        grouped = not self.groups.display
        self.groups.display, self.output.display = grouped, not grouped
        self.set_focus(self.groups if grouped else self.rows)
        self.groups.poll()

    def action_compare(self) -> None:
        """Compares a group with the largest one. Shows the groups first."""
        if not self.groups.display:
            self.action_groups()
        self.groups.toggle_compare()

    def chosen_tasks(self) -> list[Task]:
        return [self.detail.task] if self.detail else []

    def marked_task_hosts(self) -> Mapping[str, str]:
        return {row.host_id: row.host for row in self.rows.marked}

    def task_created(self, task_id: int) -> None:
        """Shows the new task in place of this one."""
        self.app.call_later(self.app.run_action, open_task(task_id))

    async def leave(self) -> None:
        """Back to the screen before."""
        self.app.pop_screen()

"""One task: its command hosts with status and reason, and the output of one or of all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.widget import Widget

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.lists.list_window import LIMIT_MAX
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.task_spec import Offline
from tui_manager.domain.tasks.task import CommandHost, Task
from tui_manager.domain.tasks.task_map import FailureGroup, TaskMap
from tui_manager.ui.action import Action, ScreenName
from tui_manager.ui.drawing.alike_lines import PlainContainer
from tui_manager.ui.drawing.span_widgets import SpanLines
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.key_bindings import bindings_of, key_of, open_task
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.groups_pane import GroupsPane
from tui_manager.ui.output.output_pane import OutputPane, Source
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.tasks.failure_summary import failure_lines
from tui_manager.ui.tasks.one_task.command_host_table import CommandHostTable, cut_note
from tui_manager.ui.tasks.one_task.task_head import (
    HostCounts,
    away_lines,
    host_counts,
    task_head,
    waiting_lines,
)
from tui_manager.ui.tasks.one_task.task_map_strip import TaskMapStrip
from tui_manager.ui.tasks.one_task.task_steps import step_lines
from tui_manager.ui.tasks.one_task.transfer_actions import TransferActions
from tui_manager.ui.terminal.closable import while_open

_AROUND = 2  # lines of the header and the footer
_ROWS_LEAST, _OUTPUT_LEAST = 5, 3  # lines of both panes with their frames
_MIDDLE, _TALL = 30, 45  # lines of a terminal that has room for more of the map and the failures


class TaskScreen(TransferActions):
    """The command hosts of a task, faults first, and their output."""

    SCREEN = ScreenName.TASK
    BINDINGS = bindings_of(ScreenName.TASK)

    def __init__(self, link: Link, task_id: int) -> None:
        super().__init__(link, task_id)
        self.all_hosts = False  # whether the output is of all hosts, not of the selected one
        self.map = TaskMap()
        self.failures: Sequence[FailureGroup] = ()
        self._percent: int | None = None  # that its running commands announce
        self._removed = False  # the manager does not have the task any more
        self._overview = PacedReader(self._read_overview)

    @property
    def subject(self) -> int:
        """One screen for each task."""
        return self.task_id

    def body(self) -> Iterable[Widget]:
        yield SpanLines(id="head")
        yield TaskMapStrip(id="map")
        yield SpanLines(id="below-map")
        yield PlainContainer(
            CommandHostTable(self.link, self.task_id, id="rows"),
            OutputPane(self.link, id="output"),
            GroupsPane(self.link, self.task_id, id="groups"),
            id="task",
        )

    @property
    def groups(self) -> GroupsPane:
        """The output by groups."""
        return self.query_one("#groups", GroupsPane)

    @property
    def shown_output(self) -> Widget:
        """The pane that is seen: lines or groups."""
        return self.groups if self.groups.display else self.output

    @property
    def panes(self) -> Sequence[Widget]:
        return self.rows, self.shown_output

    def on_mount(self) -> None:
        """The command hosts have the focus."""
        self.groups.display = False
        self.set_focus(self.rows)

    def read_again(self, changes: Changes) -> None:
        if self._removed:
            return
        if changes.hosts and self._waits_for_hosts:
            self._follow_overview()
            self.rows.reload()
        if not changes.touches(self.task_id):
            return
        self._read_head()
        if changes.all_tasks or self.task_id in changes.tasks:
            self._follow_overview()
        self.rows.reload()
        self.output.poll()
        self.groups.poll()

    @property
    def _waits_for_hosts(self) -> bool:
        """Whether some of its hosts may be offline and waited for."""
        if self.detail is None:
            return False
        task = self.detail.task
        return task.offline is Offline.WAIT and not task.status.ended and task.counts.pending > 0

    # The head.

    @while_open("head", exclusive=True)
    async def _read_head(self) -> None:
        try:
            self.detail = await self.link.operator.get_task(self.task_id)
        except NotFoundError:
            self._removed = True
            self._show_head()
            return
        self.groups.steps = len(self.detail.commands) > 1
        self.rows.show_task(self.detail.task, self.detail.commands)
        self._show_head()
        self._show_output()
        self.show_keys()

    def _follow_overview(self) -> None:
        if self.link.connected is not None and self._overview.request():
            self._run_overview()

    @while_open("overview")
    async def _run_overview(self) -> None:
        await self._overview.run()

    async def _read_overview(self) -> None:
        operator = self.link.operator
        try:
            self.map = await operator.get_task_map(self.task_id)
            self.failures = await operator.summarize_failures(self.task_id)
            self._percent = await self._find_percent()
        except NotFoundError:
            return  # the head says so
        self._show_head()

    def _show_head(self) -> None:
        if self.detail is None:
            if self._removed:
                self.query_one("#head", SpanLines).set_lines((self._gone(),))
            return
        width, now = max(1, self.size.width - 2), self.link.data_time()
        head = self.query_one("#head", SpanLines)
        hosts = host_counts(self.detail) or self.map.counts()
        gone = (self._gone(),) if self._removed else ()
        head_lines = (*gone, *task_head(self.detail, now, width, hosts, self._percent))
        head.set_lines(head_lines)
        lines = 1 if self.size.height < _MIDDLE else 2 if self.size.height < _TALL else 4
        map_strip = self.query_one(TaskMapStrip)
        map_strip.show(self.map, width, lines)
        used = len(head_lines) + len(map_strip.lines) + _AROUND
        below = self._below_map(hosts, width, lines, self.size.height - used - self._panes_least)
        self.query_one("#below-map", SpanLines).set_lines(below)

    def _gone(self) -> Spans:
        return (
            Span("This task is not stored any more: its history was removed. ", Role.CAUTION),
            Span(key_of("back", self.link.keys), Role.STRONG),
            Span(" goes back."),
        )

    @property
    def _panes_least(self) -> int:
        """The lines that hosts and output need, one above the other in a narrow terminal."""
        return _ROWS_LEAST + (0 if self.has_class("-wide") else _OUTPUT_LEAST)

    def _below_map(self, hosts: HostCounts, width: int, lines: int, room: int) -> tuple[Spans, ...]:
        """What the task waits for, why it failed on which hosts, and its steps.

        Args:
            lines: for the causes of failures, at most.
            room: lines for all of it. The steps take what is left.
        """
        if self.detail is None:
            return ()
        task, status = self.detail.task, self.link.status
        grace = status.kill_grace if status is not None else None
        alone = task.host_count <= 1  # its row says why it failed
        first = (
            *waiting_lines(task, self.link.data_time(), hosts, grace, self.link.keys),
            *away_lines(task, self.map, self.link.data_time()),
            *(() if alone else failure_lines(self.failures, width, lines)),
        )
        return (*first, *step_lines(self.detail.commands, width, room - len(first)))

    def tick(self) -> None:
        super().tick()
        self._show_head()
        running = self.detail is not None and self.detail.task.counts.running > 0
        if running and self.is_current and not self.link.trouble:
            self._read_percent()

    @while_open("percent", exclusive=True)
    async def _read_percent(self) -> None:
        """Reads what its commands announce, which changes with their output only."""
        if (percent := await self._find_percent()) != self._percent:
            self._percent = percent
            self._show_head()

    async def _find_percent(self) -> int | None:
        if self.detail is not None and not self.detail.task.counts.running:
            return None
        found = await self.link.operator.summarize_tasks([self.task_id])
        return found[self.task_id].percent

    def on_resize(self) -> None:
        """The head depends on the size."""
        self._show_head()

    # Hosts.

    @on(TaskMapStrip.CellClicked)
    def _cell_clicked(self, message: TaskMapStrip.CellClicked) -> None:
        self._select_host(message.number)

    @while_open("select", exclusive=True)
    async def _select_host(self, number: int) -> None:
        row = await self.link.operator.find_task_host(self.task_id, number)
        self.rows.find(row.execution_id)
        self.set_focus(self.rows)

    def action_next_failure(self) -> None:
        """Selects the next command that failed, timed out or was skipped; after the last one the
        first. Commands that were skipped because of an earlier failure are passed over."""
        self._select_next_failure()

    @while_open("select", exclusive=True)
    async def _select_next_failure(self) -> None:
        rows, sorted_by = self.rows, self.rows.window.sort
        if sorted_by:
            found = await self._failure_after(rows.list.key)
        else:  # failures are the first rows
            found = await self._failure_after(
                "", rows.list.cursor + 1
            ) or await self._failure_after("")
        if found is None:
            self.notify("No command of this task has failed.", markup=False)
            return
        number, row = found
        rows.select_row(row.execution_id, rows.list.cursor if sorted_by else number)
        self.set_focus(rows)

    async def _failure_after(self, key: str, offset: int = 0) -> tuple[int, CommandHost] | None:
        """The next failure behind the row with this key, in the list as it is filtered, and its
        number among all failures; the first one if no failure is behind that row, or no failure has
        the key. It reads from `offset` on."""
        first, passed, more = None, not key, True
        while more:
            window = replace(self.rows.window, faults_only=True, offset=offset, limit=LIMIT_MAX)
            page = await self.rows.fetch(window)
            for number, row in enumerate(page.rows, offset):
                if row.reason is not Reason.EARLIER_FAILED:
                    first = first or (number, row)
                    if passed:
                        return number, row
                passed = passed or row.execution_id == key
            offset += len(page.rows)
            more = bool(page.rows) and offset < page.matching
        return first

    @on(RowTable.Selected)
    def _show_output(self) -> None:
        row, steps = self.rows.selected, self.rows.steps
        if self.all_hosts or row is None:
            self.output.set_end_note(())
            self.output.ended = self.detail is not None and self.detail.task.status.ended
            self.output.no_output_text = self.without_output()
            self.output.show_failed(False)
            self.output.show(Source(self.task_id, title="all hosts", steps=steps))
            return
        self.output.set_end_note(cut_note(row))
        self.output.ended = row.status.ended
        self.output.show_failed(row.status.failed)
        self.output.no_output_text = self.without_output(row)
        self.output.refresh()
        step = f", step {row.command + 1}" if steps else ""
        self.output.show(Source(self.task_id, row.host_id, row.execution_id, row.host, step))

    def action_all_output(self) -> None:
        """Output of all hosts, or of the selected one."""
        self.all_hosts = not self.all_hosts
        self._show_output()

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

    def action_mask(self) -> None:
        """Groups hosts whose output differs in numbers and addresses only. Shows the groups
        first."""
        if not self.groups.display:
            self.action_groups()
        self.groups.toggle_mask()

    def action_faults_only(self) -> None:
        """Shows only hosts and groups with a problem, or all."""
        self.rows.toggle_faults()
        self.groups.show_failed_only(self.rows.window.faults_only)

    def is_useful(self, action: Action) -> bool:
        if action.id == "next_failure" and self.detail is not None:
            return self.detail.task.counts.faults > 0
        return super().is_useful(action)

    def chosen_tasks(self) -> list[Task]:
        return [self.detail.task] if self.detail else []

    @property
    def host_rows(self) -> CommandHostTable:
        return self.rows

    async def find_marked_hosts(self) -> bool:
        return await super().find_marked_hosts() and not self.refuse_hidden_marks()

    def marked_task_hosts(self) -> Mapping[str, str]:
        return {row.host_id: row.host for row in self.rows.marked}

    def marked_have_ended(self) -> bool:
        # If the task has ended, that is what is said. With several steps, those of a host that are
        # not marked may still run.
        if (detail := self.detail) is None or detail.task.status.ended or len(detail.commands) > 1:
            return False
        return all(row.status.ended for row in self.rows.marked)

    def show_created(self, task_id: int) -> None:
        """Shows the new task in place of this one."""
        self.app.call_later(self.app.run_action, open_task(task_id))

    async def leave(self) -> None:
        """Back to the screen before."""
        self.app.pop_screen()

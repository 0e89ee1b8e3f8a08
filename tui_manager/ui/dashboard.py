"""The dashboard: what runs, what ran, the hosts, and the output of the selected task."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from textual import on
from textual.events import DescendantFocus, Resize
from textual.widget import Widget

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.ui.action import ScreenName
from tui_manager.ui.dashboard_panes import HOSTS, IN_TABS, NOW, OUTPUT, RECENT, TABS, DashboardPanes
from tui_manager.ui.frame.pane_tabs import PaneTabs
from tui_manager.ui.hosts.all_hosts_table import no_hosts
from tui_manager.ui.hosts.dashboard_hosts_table import DashboardHostTable
from tui_manager.ui.hosts.host_actions import HostActions
from tui_manager.ui.key_bindings import bindings_of, key_of, open_host, open_task
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.actions.output_actions import OutputActions
from tui_manager.ui.output.output_pane import Source
from tui_manager.ui.tasks.lists.recent_tasks_table import RecentTasksTable, move_marks
from tui_manager.ui.tasks.lists.running_tasks_table import RunningTasksTable
from tui_manager.ui.tasks.lists.task_selection import TaskPickTable
from tui_manager.ui.tasks.one_task.command_host_table import not_started
from tui_manager.ui.tasks.one_task.task_output_pane import TaskOutputPane
from tui_manager.ui.tasks.task_actions import TaskActions
from tui_manager.ui.terminal.closable import while_open


class DashboardScreen(OutputActions, HostActions, TaskActions):
    """The first screen. The panes of tasks share one selected task. Until the operator selects
    one, it is the task that was started last."""

    SCREEN = ScreenName.DASHBOARD
    BINDINGS = bindings_of(ScreenName.DASHBOARD)

    def body(self) -> Iterable[Widget]:
        yield self._panes

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.now = RunningTasksTable(link, id=NOW)
        self.recent = RecentTasksTable(link, id=RECENT)
        self.hosts = DashboardHostTable(link, id=HOSTS)
        self.output = TaskOutputPane(link, id=OUTPUT)
        self._tabs = PaneTabs(("Recent", "Hosts", "Output"), self.link.keys)
        self._tabs.id = TABS
        self._panes = DashboardPanes(self.now, self._tabs, self.recent, self.hosts, self.output)
        self.picked = False  # the operator has selected the task
        self._went = False  # the operator has gone to a pane: the focus stays there
        self._in_now = False  # the selected task is among those that run
        self._task_key = ""  # of the selected task; empty for none
        self._front = RECENT  # the pane that is seen if there are tabs
        self._only: tuple[int, Host] | None = None  # a task, and the one host whose output is shown
        # The task and counts when its failed hosts were read.
        self._failed_read: tuple[int, ...] = ()
        self._recent_changed = True  # a task has changed that may be among the recent ones
        # Keys of the tasks in Now when it was read last.
        self._running_keys: frozenset[str] = frozenset()

    @property
    def selected_task(self) -> Task | None:
        """The selected task."""
        if self._in_now:
            row = self.now.selected
            return row.task if row is not None else None
        return self.recent.selected

    def on_mount(self) -> None:
        """Recent tasks have the focus, until some task runs."""
        self._lay_out()
        self.set_focus(self.recent)

    def read_again(self, changes: Changes) -> None:
        if changes.hosts:
            self.hosts.reload()
        if changes.tasks or changes.all_tasks:
            changed = frozenset(map(str, changes.tasks))
            self._recent_changed |= changes.all_tasks or not changed <= self._running_keys
            self.now.reload()  # the recent ones are read after that, if they may have changed
        if changes.manager:
            self.hosts.retitle()
            self._title_tabs()
        source = self.output.source
        if source is not None and changes.touches(source.task_id):
            self.output.poll()
        status = self.link.status
        empty = status is not None and not (status.hosts_total or status.hosts_pending)
        dial, keys = self.link.dial_address, self.link.keys
        for pane in (self.output, self.recent):
            width = pane.size.width - 2
            said = empty and not (pane is self.recent and self.hosts.display)  # it says so too
            pane.set_hint(no_hosts(status, dial, width, keys) if said else ())

    # Panes.

    def _title_tabs(self) -> None:
        """Shows in the tab of the hosts what their title would say."""
        hosts = f"Hosts {self.hosts.counts_text}".rstrip()
        self._tabs.set_titles(("Recent", hosts, "Output"))

    def _lay_out(self) -> None:
        self._panes.lay_out(now_lines=self.now.lines_needed, front=self._front)
        self._tabs.chosen = IN_TABS.index(self._front)

    def place_zoomed(self, pane: Widget | None) -> None:
        self._panes.zoom(pane)

    @on(Resize)
    def _size_changed(self) -> None:
        self._lay_out()

    def show_pane(self, pane: Widget) -> None:
        if pane.id in IN_TABS:
            self._front = pane.id
            self._lay_out()
        self.set_focus(pane)

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        """A click may focus a pane while all are seen. Keys act on this one, so it stays in front
        if the terminal becomes too narrow for all."""
        if self.focused is not None and self.focused.id in IN_TABS:
            self._front = self.focused.id
            self._lay_out()

    @property
    def panes(self) -> Sequence[Widget]:
        running = (self.now,) if self.now.display else ()
        return *running, self.recent, self.hosts, self.output

    def go_to_pane(self, step: int) -> None:
        self._went = True
        super().go_to_pane(step)

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, message: PaneTabs.Chosen) -> None:
        self._went = True
        self.show_pane(self.query_one(f"#{IN_TABS[message.number]}"))

    # The selected task.

    @on(TaskPickTable.Picked)
    def _task_picked(self, message: TaskPickTable.Picked) -> None:
        self.picked = True
        self._select_in(message.rows)

    @on(TaskPickTable.Listed)
    def _tasks_listed(self, message: TaskPickTable.Listed) -> None:
        if message.rows is self.now:
            self._lay_out()
            self._find_task()
            move_marks(self.now, self.recent)
            self._read_recent()
        elif self._in_now and self.recent.list.key:
            self.recent.deselect()
        self._show_output()

    def _read_recent(self) -> None:
        """Reads the recent tasks again, if they may have changed. To read them also when running
        tasks only go on would be half of what a dashboard costs the manager."""
        running = frozenset(map(self.now.key_of, self.now.list.rows.values()))
        if self._recent_changed or running != self._running_keys:
            self._recent_changed, self._running_keys = False, running
            self.recent.reload()

    def _find_task(self) -> None:
        """Looks whether the selected task runs. Without one that the operator has selected, it is
        the one that was started last."""
        rows = self.now.list.rows
        first = rows.get(0)
        if not self.picked and first is not None:
            if (self._in_now, self.now.list.key) != (True, self.now.key_of(first)):
                self.now.list.move_to(0)
                self._select_in(self.now)
        elif self._in_now and not self.now.list.key:
            self._in_now = False  # it has ended
            self.recent.select_row(self._task_key, 0)
            self._focus_list()
        elif not self._in_now:
            keys = {self.now.key_of(row): number for number, row in rows.items()}
            if self._task_key in keys:  # it has started
                self.now.list.move_to(keys[self._task_key])
                self._select_in(self.now)
            elif self.now.list.key:
                self.now.deselect()

    def _select_in(self, table: TaskPickTable[Any]) -> None:
        """The selected task is that of this list; the other list has none."""
        self._in_now = table is self.now
        self._task_key = table.list.key
        other: TaskPickTable[Any] = self.recent if self._in_now else self.now
        other.deselect()
        table.refresh_changed()
        self._focus_list()
        self._show_output()

    def _focus_list(self) -> None:
        """If a list of tasks has the focus, it is the one with the selected task."""
        stays = self._went and not self.picked and self.focused is self.recent
        if stays or self.focused not in (None, self.now, self.recent):
            return
        if self._in_now:
            self.set_focus(self.now)
            if not self.picked:
                self._front = OUTPUT
        elif self.recent.display:
            self.set_focus(self.recent)
        else:
            self.set_focus(self.query_one(f"#{self._front}"))
        self._lay_out()

    def show_created(self, task_id: int) -> None:
        """A task that was made here is selected: first it is looked for among those that run."""
        self.picked, self._in_now, self._task_key = True, True, str(task_id)
        self.now.select_row(self._task_key, 0)

    async def leave(self) -> None:
        """There is no screen before: the task that was started last is selected again."""
        self.picked = self._went = False
        if not self.now.list.matching:
            self._in_now = False
            self.recent.select_row("", 0)  # the newest is the first
        self.now.reload()

    # Output.

    @on(RowTable.Selected)
    def _selected(self, message: RowTable.Selected) -> None:
        if message.rows is self.recent and not self._in_now:
            self._task_key = self.recent.list.key or self._task_key
        if message.rows is not self.hosts:
            self._show_output()

    def _show_output(self) -> None:
        """Shows the output of the selected task: of all hosts, or of the one that was chosen. The
        output of the last task stays until another task is selected."""
        task = self.selected_task
        if task is None or self._failed_read[:1] != (task.task_id,):
            self._show_failed_hosts()
        if task is None:
            if self.now.loaded and not (self.now.list.matching or self.recent.list.total):
                self.output.show(None)
            return
        source = Source(task.task_id, title=f"#{task.task_id} {task.name}")
        if self._only is not None and self._only[0] == task.task_id:
            host = self._only[1]
            source = replace(source, host_id=host.host_id, title_end=f" on {host.name}")
        else:
            self._only = None  # another task shows all hosts again
        pending = task.status is TaskStatus.PENDING
        files = self.output.files_of(source)
        self.output.no_output_text = not_started(self.link.keys) if pending else files
        self.output.ended = task.status.ended
        self.output.show(source)

    def _show_alone(self, host: Host | None) -> None:
        task = self.selected_task
        self._only = (task.task_id, host) if task is not None and host is not None else None
        self._show_output()

    def action_all_output(self) -> None:
        """Shows the output of the selected host, or of all hosts if that is shown already."""
        host = self.hosts.selected if self.focused is self.hosts else None
        shown = self._only[1] if self._only else None
        if host is None and shown is None:
            key = key_of("all_output", self.link.keys)
            self.notify(f"Select a host in Hosts: {key} shows its output alone.", markup=False)
        elif host is not None and shown is not None and host.host_id == shown.host_id:
            self._show_alone(None)
        else:
            self._show_alone(host)
            if not self.output.display:
                self.show_pane(self.output)

    def tick(self) -> None:
        super().tick()
        if self.is_current:
            self._show_failed_hosts()
            self._title_tabs()

    def _show_failed_hosts(self) -> None:
        """Marks the hosts on which the selected task has failed. They are read again if there are
        more of them, or others; at most once a second while many fail."""
        task = self.selected_task
        if task is None:
            self._failed_read = ()
            self.hosts.show_failed(frozenset(), 0)
            return
        known = (task.task_id, task.hosts_failed, task.counts.failed, task.counts.timeout)
        if not task.hosts_failed:
            self._failed_read = known
            self.hosts.show_failed(frozenset(), 0)
        elif known != self._failed_read:
            self._failed_read = known
            self._read_failed_hosts(task)

    @while_open("failed hosts", exclusive=True)
    async def _read_failed_hosts(self, task: Task) -> None:
        try:
            window = Window(faults_only=True, limit=LIMIT_MAX)
            page = await self.link.operator.list_command_hosts(task.task_id, window)
        except BaseException:
            self._failed_read = ()
            raise
        failed = frozenset(row.host_id for row in page.rows if row.status.failed)
        if self.selected_task is not None and self.selected_task.task_id == task.task_id:
            self.hosts.show_failed(failed, task.hosts_failed)
            self._title_tabs()

    # What the keys act on.

    @property
    def table(self) -> RowTable[Any]:
        """The focused table, else that of the selected task: its output is shown."""
        if isinstance(self.focused, RowTable):
            return self.focused
        return self.now if self._in_now else self.recent

    @property
    def _filtered(self) -> RowTable[Any]:
        """The table that a filter is for. What runs is always shown whole."""
        return self.recent if self.table is self.now else self.table

    async def action_filter(self) -> None:
        """Types a filter for the hosts or the recent tasks."""
        if self._filtered is self.recent:
            self.show_pane(self.recent)
        await self.open_filter(self._filtered)

    def action_faults_only(self) -> None:
        """Shows only what is wrong, or all."""
        self._filtered.toggle_faults()

    def chosen_tasks(self) -> list[Task]:
        if self.now.list.marks or self.recent.list.marks:
            return [*(row.task for row in self.now.marked), *self.recent.marked]
        return [self.selected_task] if self.selected_task is not None else []

    def marked_hosts(self) -> list[Host]:
        return self.hosts.marked

    def chosen_hosts(self) -> list[Host]:
        """The selected one only if the hosts have the focus. None if their pane is hidden: a key
        must not act on what cannot be seen."""
        if self.focused is self.hosts:
            return self.hosts.chosen
        return self.hosts.marked if self.hosts.display else []

    def find_hosts(self) -> list[Host]:
        hosts = self.chosen_hosts()
        if not hosts:
            self.show_pane(self.hosts)
        return hosts

    @property
    def host_rows(self) -> RowList[Host]:
        return self.hosts

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the selected host or task."""
        if self.focused is self.hosts:
            if (host := self.hosts.selected) is not None:
                await self.app.run_action(open_host(host.host_id))
            else:
                self.hosts.open_when_read()
        elif self.selected_task is not None:
            await self.app.run_action(open_task(self.selected_task.task_id))
        else:
            self.recent.open_when_read()

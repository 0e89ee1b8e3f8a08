"""The dashboard: hosts and tasks, side by side or as tabs, and the output of the selected task."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from textual import on
from textual.containers import Container
from textual.events import DescendantFocus
from textual.widget import Widget

from tui_manager.domain.changes import Changes
from tui_manager.domain.host import Host
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task import Task
from tui_manager.ui.frame.pane_tabs import PaneTabs
from tui_manager.ui.hosts.fleet_line import FleetLine
from tui_manager.ui.hosts.host_actions import HostActions
from tui_manager.ui.hosts.host_table import HostTable, no_hosts
from tui_manager.ui.key_bindings import ScreenName, bindings_of, open_host, open_task
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.output_actions import OutputActions
from tui_manager.ui.output.output_pane import NO_OUTPUT, OutputPane, Source
from tui_manager.ui.tasks.command_host_table import NOT_STARTED
from tui_manager.ui.tasks.task_actions import TaskActions
from tui_manager.ui.tasks.task_table import TaskTable


class DashboardScreen(OutputActions, HostActions, TaskActions):
    """The first screen."""

    SCREEN = ScreenName.DASHBOARD
    BINDINGS = bindings_of(ScreenName.DASHBOARD)

    def body(self) -> Iterable[Widget]:
        yield FleetLine(self.link)
        yield PaneTabs(("Hosts", "Tasks"))
        yield Container(
            HostTable(self.link, id="hosts"), TaskTable(self.link, id="tasks"), id="lists"
        )
        yield OutputPane(self.link, id="output")

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._only: tuple[int, Host] | None = None  # a task, and the one host whose output is shown
        self._show_when_found = ""  # the host_id of a host to show alone once it is selected

    @property
    def hosts(self) -> HostTable:
        """The hosts."""
        return self.query_one("#hosts", HostTable)

    @property
    def tasks(self) -> TaskTable:
        """The tasks."""
        return self.query_one("#tasks", TaskTable)

    @property
    def output(self) -> OutputPane:
        """The output."""
        return self.query_one("#output", OutputPane)

    def on_mount(self) -> None:
        """Tasks have the focus."""
        self.show_pane(self.tasks)

    def tick(self) -> None:
        """While the screen is seen, the line of the fleet reads one page after the other."""
        super().tick()
        if self.is_current:
            self.query_one(FleetLine).read_page()
            if self.link.trouble:
                self.query_one(FleetLine).refresh()

    def read_again(self, changes: Changes) -> None:
        if changes.hosts:
            self.hosts.reload()
        if changes.tasks or changes.all_tasks:
            self.tasks.reload()
        if changes == changes | Changes(hosts=True, manager=True, all_tasks=True):
            self.query_one(FleetLine).read_page()
        source = self.output.source
        if source is not None and changes.touches(source.task_id):
            self.output.poll()
        status = self.link.status
        empty = status is not None and not status.hosts_total
        width = self.output.size.width - 2
        self.output.set_hint(no_hosts(status, self.link.dial_address, width) if empty else ())

    # Panes.

    def show_pane(self, pane: Widget) -> None:
        """Focuses a pane. If there are tabs, its table comes to the front."""
        if isinstance(pane, RowTable):
            self._bring_forward(pane)
        self.set_focus(pane)

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        """A click may focus a table while both are seen. Keys act on this one, so it stays in front
        if the terminal becomes too narrow for both."""
        if isinstance(self.focused, RowTable):
            self._bring_forward(self.focused)

    def _bring_forward(self, table: RowTable[Any]) -> None:
        tasks = table is self.tasks
        self.set_class(tasks, "-tasks-first")
        self.query_one(PaneTabs).chosen = int(tasks)

    def action_next_pane(self) -> None:
        """Hosts, tasks, output, then hosts again."""
        panes: list[Widget] = [self.hosts, self.tasks, self.output]
        at = panes.index(self.focused) if self.focused in panes else -1
        self.show_pane(panes[(at + 1) % len(panes)])

    def show_host(self, host_id: str) -> None:
        """Selects a host, and shows its output of the selected task."""
        self.show_pane(self.hosts)
        selected = self.hosts.selected
        if selected is not None and selected.host_id == host_id:
            self._show_alone(selected)
            return
        self._show_when_found = host_id
        self.hosts.find(host_id)

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, message: PaneTabs.Chosen) -> None:
        self.show_pane(self.tasks if message.number else self.hosts)

    @on(RowTable.Selected)
    def _selected(self) -> None:
        host = self.hosts.selected
        if host is not None and host.host_id == self._show_when_found:
            self._show_when_found = ""
            self._show_alone(host)
        self._show_output()

    def _show_output(self) -> None:
        """Shows the output of the selected task: of all hosts, or of the one that was chosen."""
        task = self.tasks.selected
        if task is None:
            self.output.show(None)
            return
        source = Source(task.task_id, title=f"#{task.task_id} {task.name}")
        if self._only is not None and self._only[0] == task.task_id:
            host = self._only[1]
            source = replace(source, host_id=host.host_id, title_end=f" on {host.name}")
        else:
            self._only = None  # another task shows all hosts again
        pending = task.status is TaskStatus.PENDING
        self.output.no_output_text = NOT_STARTED if pending else (NO_OUTPUT,)
        self.output.ended = task.status.ended
        self.output.show(source)

    def _show_alone(self, host: Host | None) -> None:
        task = self.tasks.selected
        self._only = (task.task_id, host) if task is not None and host is not None else None
        self._show_output()

    def action_all_output(self) -> None:
        """Shows the output of the selected host, or of all hosts if that is shown already."""
        host = self.hosts.selected if self.focused is self.hosts else None
        shown = self._only[1] if self._only else None
        if host is None and shown is None:
            self.notify("Select a host in Hosts: o shows its output alone.", markup=False)
        elif host is not None and shown is not None and host.host_id == shown.host_id:
            self._show_alone(None)
        else:
            self._show_alone(host)

    @on(FleetLine.HostClicked)
    def _picked(self, message: FleetLine.HostClicked) -> None:
        self.show_pane(self.hosts)
        self.hosts.select_row(message.host_id, message.number)

    # What the keys act on.

    async def leave(self) -> None:
        """There is no screen before."""

    @property
    def table(self) -> RowTable[Host] | RowTable[Task]:
        """The focused table, else the tasks: their output is shown."""
        return self.hosts if self.focused is self.hosts else self.tasks

    def task_created(self, task_id: int) -> None:
        """The newest task is the first."""
        self.tasks.select_row(str(task_id), 0)

    def chosen_tasks(self) -> list[Task]:
        return self.tasks.chosen

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
        elif (task := self.tasks.selected) is not None:
            await self.app.run_action(open_task(task.task_id))
        else:
            self.tasks.open_when_read()

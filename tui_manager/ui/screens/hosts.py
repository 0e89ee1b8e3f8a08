"""All hosts, with the facts of the selected one."""

from collections.abc import Iterable

from textual import on, work
from textual.widget import Widget

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import ManagerError
from tui_manager.domain.host import Host
from tui_manager.domain.window import LIMIT_MAX, Window
from tui_manager.ui.actions import Place, place_bindings
from tui_manager.ui.messages import Problem
from tui_manager.ui.render.host_row import host_facts
from tui_manager.ui.screens.main_screen import MainScreen
from tui_manager.ui.widgets.fact_lines import FactLines
from tui_manager.ui.widgets.host_table import WideHostTable
from tui_manager.ui.widgets.row_table import RowTable


class HostsScreen(MainScreen):
    """The fleet."""

    PLACE = Place.HOSTS
    BINDINGS = place_bindings(Place.HOSTS)

    def body(self) -> Iterable[Widget]:
        yield WideHostTable(self.link, id="hosts")
        yield FactLines(id="facts")

    @property
    def hosts(self) -> WideHostTable:
        """The table."""
        return self.query_one("#hosts", WideHostTable)

    def on_mount(self) -> None:
        """The table has the focus."""
        super().on_mount()
        self.query_one("#facts").border_title = "Selected"
        self.hosts.focus()

    def take(self, changes: Changes) -> None:
        if changes.hosts:
            self.hosts.reload()

    def tick(self) -> None:
        super().tick()
        self._describe()

    @on(RowTable.Selected)
    def _describe(self) -> None:
        host = self.hosts.selected
        self.query_one(FactLines).set_lines(host_facts(host, self.link.now()) if host else ())

    def marked_hosts(self) -> list[Host]:
        return self.hosts.marked

    def go_to(self, host_id: str, name: str) -> None:
        """Selects a host, wherever it stands."""
        self._find(host_id)

    @work(group="find", exclusive=True)
    async def _find(self, host_id: str) -> None:
        """Its number is where its name stands in the order; the list tells it page by page."""
        self.hosts.restart(Window())
        offset = 0
        try:
            while True:
                page = await self.link.operator.list_hosts(Window(offset=offset, limit=LIMIT_MAX))
                for number, host in enumerate(page.rows, offset):
                    if host.host_id == host_id:
                        self.hosts.jump(host_id, number)
                        return
                offset += len(page.rows)
                if offset >= page.matching or not page.rows:
                    return
        except ManagerError as error:
            self.post_message(Problem(error))

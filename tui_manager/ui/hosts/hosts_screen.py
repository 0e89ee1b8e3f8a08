"""All hosts, with the facts of the selected one."""

from collections.abc import Iterable
from datetime import datetime

from textual import on
from textual.widget import Widget

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.hosts.host import Host, HostDetail
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui.action import ScreenName
from tui_manager.ui.drawing.span_widgets import SpanLines
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.hosts.all_hosts_table import HostTable
from tui_manager.ui.hosts.host_actions import HostActions
from tui_manager.ui.hosts.host_facts import host_facts, machine_facts
from tui_manager.ui.key_bindings import bindings_of, open_host
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_READ_EVERY = 5  # seconds, the facts of the selected host


class HostsScreen(HostActions):
    """All hosts."""

    SCREEN = ScreenName.HOSTS
    BINDINGS = bindings_of(ScreenName.HOSTS)

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._detail: HostDetail | None = None  # of the host that was read last
        self._facts_lines = 0  # that the facts of its machine take
        self._read_of = ""  # the host_id of the host whose detail is read, or was read last
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        yield HostTable(self.link, id="hosts")
        yield SpanLines(id="facts")

    @property
    def hosts(self) -> HostTable:
        """The table."""
        return self.query_one("#hosts", HostTable)

    def on_mount(self) -> None:
        """The table has the focus."""
        self.query_one("#facts").border_title = "Selected"
        self.set_focus(self.hosts)

    def read_again(self, changes: Changes) -> None:
        if changes.hosts:
            self.hosts.reload()

    def tick(self) -> None:
        super().tick()
        self._describe()
        self._ticks += 1
        if self.is_current and self._ticks % _READ_EVERY == 0 and not self.link.trouble:
            self._read_detail()

    @on(RowTable.Selected)
    def _on_selected(self) -> None:
        self._describe()
        host = self.hosts.selected
        if host is not None and host.host_id != self._read_of:  # its vitals are in the list
            self._read_detail()

    @while_open("detail", exclusive=True)
    async def _read_detail(self) -> None:
        """Reads what the list does not have of the selected host."""
        if (host := self.hosts.selected) is None:
            return
        self._read_of = host.host_id
        try:
            self._detail = await self.link.operator.get_host(host.host_id)
        except NotFoundError:  # it was removed; the list is about to say so
            self._detail = None
        self._describe()

    def _describe(self) -> None:
        host, facts = self.hosts.selected, self.query_one(SpanLines)
        width = facts.size.width or self.size.width
        if host is None:
            facts.set_lines(())
            return
        now = self.link.data_time()
        known = host_facts(host, now, width, away=bool(self.link.trouble))
        facts.set_lines((*known, *self._machine_facts(host, now, width)))

    def _machine_facts(self, host: Host, now: datetime, width: int) -> tuple[Spans, ...]:
        """The facts of its machine. Until they are read, empty lines in the place of those of the
        host before: else the table would become higher and lower again at each move."""
        if self._detail is None:
            return ()
        if self._detail.host.host_id != host.host_id:
            return ((),) * self._facts_lines
        lines = machine_facts(self._detail, now, width)
        self._facts_lines = len(lines)
        return lines

    def marked_hosts(self) -> list[Host]:
        return self.hosts.marked

    def chosen_hosts(self) -> list[Host]:
        return self.hosts.chosen

    @property
    def host_rows(self) -> RowList[Host]:
        return self.hosts

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the selected host."""
        if (host := self.hosts.selected) is not None:
            await self.app.run_action(open_host(host.host_id))
        else:
            self.hosts.open_when_read()

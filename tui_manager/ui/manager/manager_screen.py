"""What needs attention, all managers if there are several, figures of this one, and the audit."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.containers import Container
from textual.widget import Widget

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.ui.action import ScreenName
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.key_bindings import (
    bindings_of,
    open_host,
    open_schedule,
    open_task,
    show_hosts_that,
)
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager.alert_pane import AlertPane
from tui_manager.ui.manager.audit_table import AuditTable, audit_detail
from tui_manager.ui.manager.gateway_pane import GatewayPane
from tui_manager.ui.manager.manager_text import figure_lines

_CORNERS = 6  # cells of a frame's line that its subtitle leaves free


def _title(status: ManagerStatus) -> str:
    """Of the figures."""
    return "This manager" if status.other_managers else "Manager"


class ManagerScreen(MainScreen):
    """What needs attention first, then managers and figures, then the audit."""

    SCREEN = ScreenName.MANAGER
    BINDINGS = bindings_of(ScreenName.MANAGER)

    def body(self) -> Iterable[Widget]:
        attention = AlertPane(id="attention")
        attention.border_title = "Attention"
        figures = TextScroll(SpanLines(id="figure-lines"), id="figures")
        yield Container(attention, GatewayPane(self.link, id="managers"), figures, id="state")
        yield AuditTable(self.link, id="audit")

    @property
    def audit(self) -> AuditTable:
        """The audit."""
        return self.query_one("#audit", AuditTable)

    @property
    def alerts(self) -> AlertPane:
        """What needs attention."""
        return self.query_one("#attention", AlertPane)

    @property
    def managers(self) -> GatewayPane:
        """All managers of the database, if there are several."""
        return self.query_one("#managers", GatewayPane)

    @property
    def panes(self) -> Sequence[Widget]:
        several = (self.managers,) if self.managers.display else ()
        return self.alerts, *several, self.query_one("#figures"), self.audit

    def on_mount(self) -> None:
        """The audit has the focus."""
        self.set_focus(self.audit)

    def read_again(self, changes: Changes) -> None:
        self._describe()
        if changes.manager and self.link.status is not None:
            self.managers.follow(self.link.status)
        # The manager reports once a second. Hosts change too often to read the audit each time.
        if changes.manager or changes.tasks or changes.all_tasks:
            self.audit.reload()

    def tick(self) -> None:
        super().tick()
        self._describe()

    @on(SpanLines.WidthChanged)
    def _describe(self) -> None:
        status = self.link.status
        if status is not None:
            now = self.link.data_time()
            self.alerts.show(status.attention)
            figures = self.query_one("#figure-lines", SpanLines)
            width = figures.size.width or self.size.width
            figures.set_lines(figure_lines(status, now, width))
            self.set_class(status.other_managers > 0, "-several")
            self.query_one("#figures").border_title = _title(status)
            self.managers.draw()

    @on(RowTable.Selected)
    def _show_details(self) -> None:
        """The details of the selected entry, as its column may have no room for them."""
        entry, room = self.audit.selected, max(0, self.audit.size.width - _CORNERS)
        self.audit.border_subtitle = Text(shorten(audit_detail(entry), room) if entry else "")

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens what the selected alert is about, or the task or host of the selected entry of the
        audit."""
        if self.focused is self.alerts:
            await self._open_alert(self.alerts.chosen)
            return
        entry = self.audit.selected
        if entry is None:
            self.audit.open_when_read()
            return
        if entry.task_id:
            await self.app.run_action(open_task(entry.task_id))
        elif entry.host_id:
            await self.app.run_action(open_host(entry.host_id))
        else:
            self.notify("This entry is about no task and no host.", markup=False)

    @on(AlertPane.Clicked)
    async def _alert_clicked(self, message: AlertPane.Clicked) -> None:
        await self._open_alert(message.alert)

    async def _open_alert(self, alert: Alert | None) -> None:
        if alert is None:
            self.notify("There are no alerts.", markup=False)
        elif alert.task_id:
            await self.app.run_action(open_task(alert.task_id))
        elif alert.host_id:
            await self.app.run_action(open_host(alert.host_id))
        elif alert.schedule:
            await self.app.run_action(open_schedule(alert.schedule))
        elif alert.hosts:
            await self.app.run_action(show_hosts_that(alert.hosts))
        else:
            self.notify("This alert is about no host, task or schedule.", markup=False)

"""What needs attention, figures of the manager, and the audit."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.containers import Container
from textual.widget import Widget

from tui_manager.domain.changes import Changes
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.key_bindings import ScreenName, bindings_of, open_host, open_task
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager.audit_table import AuditTable, audit_detail
from tui_manager.ui.manager.manager_text import attention_lines, figure_lines

_CORNERS = 6  # cells of a frame's line that its subtitle leaves free


class ManagerScreen(MainScreen):
    """What needs attention first, then figures, then the audit."""

    SCREEN = ScreenName.MANAGER
    BINDINGS = bindings_of(ScreenName.MANAGER)

    def body(self) -> Iterable[Widget]:
        attention = TextScroll(SpanLines(id="attention-lines"), id="attention")
        attention.border_title = "Attention"
        figures = TextScroll(SpanLines(id="figure-lines"), id="figures")
        figures.border_title = "Manager"
        yield Container(attention, figures, id="state")
        yield AuditTable(self.link, id="audit")

    @property
    def audit(self) -> AuditTable:
        """The audit."""
        return self.query_one("#audit", AuditTable)

    @property
    def panes(self) -> Sequence[Widget]:
        return self.query_one("#attention"), self.query_one("#figures"), self.audit

    def on_mount(self) -> None:
        """The audit has the focus."""
        self.set_focus(self.audit)

    def read_again(self, changes: Changes) -> None:
        self._describe()
        # The manager reports once a second. Hosts change too often to read the audit each time.
        if changes.manager or changes.tasks or changes.all_tasks:
            self.audit.reload()

    def tick(self) -> None:
        super().tick()
        self._describe()

    def on_resize(self) -> None:
        """The lines depend on the width."""
        self.call_after_refresh(self._describe)

    def _describe(self) -> None:
        status = self.link.status
        if status is not None:
            now = self.link.data_time()
            attention = self.query_one("#attention-lines", SpanLines)
            attention.set_lines(attention_lines(status, self._width_of(attention)))
            figures = self.query_one("#figure-lines", SpanLines)
            figures.set_lines(figure_lines(status, now, self._width_of(figures)))

    def _width_of(self, lines: SpanLines) -> int:
        return lines.size.width or self.size.width

    @on(RowTable.Selected)
    def _show_details(self) -> None:
        """The details of the selected entry, as its column may have no room for them."""
        entry, room = self.audit.selected, max(0, self.audit.size.width - _CORNERS)
        self.audit.border_subtitle = Text(shorten(audit_detail(entry), room) if entry else "")

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the task or host of the selected entry."""
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

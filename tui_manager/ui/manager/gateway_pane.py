"""The managers of one database on the manager's screen: who leads, who is not heard, and what each
does. The pane is hidden while there is only one."""

from collections.abc import Sequence
from datetime import datetime

from tui_manager.domain.manager.gateway import Gateway, GatewayState
from tui_manager.domain.manager.manager_status import ManagerStatus
from tui_manager.domain.text.number_format import age, number, short_duration, since, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, shorten_name, spans
from tui_manager.ui.drawing.state_words_and_colours import FAULT, OFFLINE, ONLINE
from tui_manager.ui.listing.table_layout import GAP, Column, ColumnWidths, fit_columns
from tui_manager.ui.manager_link import Link
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.terminal.closable import while_open

COLUMNS = (
    Column("name", "MANAGER", 12, grow=2, max_width=40),
    Column("state", "STATE", 15),
    Column("hosts", "HOSTS", 6, right=True),
    Column("cpu", "CPU", 4, right=True),
    Column("memory", "MEMORY", 6, right=True, hide_order=4),
    Column("results", "RESULTS/S", 9, right=True, hide_order=3),
    Column("queue", "QUEUE", 6, right=True, hide_order=5),
    Column("delay", "DELAY", 6, right=True, hide_order=6),
    Column("up", "UP", 4, right=True, hide_order=2),
    Column("version", "VERSION", 7, grow=1, max_width=12, hide_order=1),
    Column("address", "ADDRESS", 15, grow=2, max_width=40),
)
_THIS = " (this)"  # behind the name of the manager that the screen is connected to
_ORDER = (
    GatewayState.NOT_HEARD,
    GatewayState.LEADS,
    GatewayState.RUNNING,
    GatewayState.STOPPED,
)
_CHANGES = ("state", "hosts", "cpu", "memory", "results", "queue", "delay", "up")
_NOT_KNOWN = {"state": spans("○ not known", Role.MUTED)}
_GLYPHS = {
    GatewayState.LEADS: ONLINE,
    GatewayState.RUNNING: ONLINE,
    GatewayState.NOT_HEARD: FAULT,
    GatewayState.STOPPED: Span(OFFLINE.text, Role.MUTED),
}


def gateway_lines(
    gateways: Sequence[Gateway], own: int, now: datetime, width: int, *, away: bool = False
) -> tuple[Spans, ...]:
    """A header and a line for each manager; those that are not heard first, then the leader.

    Args:
        own: the number of the manager that the screen is connected to.
        away: that one does not answer, so how they all stand is not known.
    """
    columns = fit_columns(COLUMNS, width)
    lines = [_line(columns, [spans(column.title, Role.MUTED) for column, _ in columns])]
    for one in sorted(gateways, key=lambda one: (_ORDER.index(one.state), one.number)):
        cells = [
            _NOT_KNOWN.get(column.key, ())
            if away and column.key in _CHANGES
            else gateway_cell(one, column.key, width, own, now)
            for column, width in columns
        ]
        lines.append(_line(columns, cells))
    return tuple(lines)


def _line(columns: ColumnWidths, cells: Sequence[Spans]) -> Spans:
    line: list[Span] = []
    for (column, width), cell in zip(columns, cells, strict=True):
        gap = (Span(" " * GAP),) if line else ()
        line += [*gap, *fit(cell, width, right=column.right)]
    return tuple(line)


def gateway_cell(one: Gateway, key: str, width: int, own: int, now: datetime) -> Spans:
    """The cell of a manager in a column. The figures of one that is not heard are left out."""
    match key:
        case "name":
            this = _THIS if one.number == own else ""
            return (Span(shorten_name(safe_line(one.name), width - len(this))), Span(this))
        case "state":
            return _state(one, now)
        case "up":
            return spans(since(one.started_at, now) if one.alive else "")
        case "version":
            return spans(safe_line(one.version), Role.MUTED)
        case "address":
            return spans(safe_line(one.address), Role.MUTED)
        case _:
            return spans(_figure(one, key, width))


def _state(one: Gateway, now: datetime) -> Spans:
    """`● leads`, `✘ not heard 12s`."""
    glyph, silent = _GLYPHS[one.state], one.silent_for(now)
    ago = f" {age(silent)}" if silent is not None and not one.alive else ""
    role = Role.STRONG if one.state is GatewayState.LEADS else Role.PLAIN
    words = Span(f" {one.state}{ago}", role if one.alive else glyph.role)
    return (glyph, words)


def _figure(one: Gateway, key: str, width: int) -> str:
    health = one.newest_health
    if health is None:
        return ""
    match key:
        case "hosts":
            return number(health.sessions, width)
        case "cpu":
            return f"{health.cpu_percent:.0f}%"
        case "memory":
            return size(health.memory_bytes)
        case "results":
            return f"{health.commands_per_second:,.1f}"
        case "queue":
            return number(health.write_queue, width)
        case _:
            return short_duration(health.loop_lag_seconds)


class GatewayPane(TextScroll):
    """All managers of the database."""

    def __init__(self, link: Link, *, id: str | None = None) -> None:  # noqa: A002
        self._lines = SpanLines(id=f"{id}-lines")
        super().__init__(self._lines, id=id)
        self.link = link
        self._gateways: Sequence[Gateway] = ()
        self._reader = PacedReader(self._read)
        self.display = False

    def follow(self, status: ManagerStatus) -> None:
        """Shows the pane if there are several managers, and then reads them again."""
        self.display = status.other_managers > 0
        if self.display and self._reader.request():
            self._follow()

    @while_open("managers")
    async def _follow(self) -> None:
        await self._reader.run()

    async def _read(self) -> None:
        self._gateways = await self.link.operator.list_managers()
        self.draw()

    def draw(self) -> None:
        """Draws the managers as they were read last. Times go on."""
        status = self.link.status
        if status is None or not self._gateways:
            return
        self.border_title = f"Managers {len(self._gateways)}"
        width = self._lines.size.width or self.app.size.width
        now = self.link.data_time()
        away = bool(self.link.trouble)
        self._lines.set_lines(gateway_lines(self._gateways, status.number, now, width, away=away))

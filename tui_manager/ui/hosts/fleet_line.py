"""The whole fleet in one line.

It reads a page of hosts at a time: ten thousand hosts cost no more a second than a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.strip import Strip

from tui_manager.domain.host import Host
from tui_manager.domain.list_window import LIMIT_MAX, Window
from tui_manager.domain.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.drawing.spans import Span
from tui_manager.ui.drawing.state_words_and_colours import (
    EXCLUDED,
    MAINTENANCE,
    OFFLINE,
    PARTLY_ONLINE,
    UNKNOWN,
    WAITING,
    host_glyph,
)
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open


def fleet_cells(glyphs: Sequence[Span], width: int) -> tuple[Span, ...]:
    """At most `width` cells for hosts with these glyphs."""
    if len(glyphs) <= width:
        return tuple(glyphs)
    buckets = _buckets(len(glyphs), max(width, 0))
    return tuple(combined_glyph(glyphs[first:last]) for first, last in buckets)


def combined_glyph(glyphs: Sequence[Span]) -> Span:
    """The glyph for several hosts: theirs if they have the same one, `◐` if some are offline."""
    kinds = set(glyphs)
    if len(kinds) == 1:
        return glyphs[0]
    if OFFLINE in kinds:
        return PARTLY_ONLINE
    if WAITING in kinds:
        return WAITING
    return max(glyphs, key=glyphs.count)


def hosts_at(cell: int, hosts: int, width: int) -> range:
    """The numbers of the hosts of a cell."""
    if hosts <= width:
        return range(cell, min(cell + 1, hosts))
    buckets = list(_buckets(hosts, width))
    return range(*buckets[cell]) if 0 <= cell < len(buckets) else range(0)


def _buckets(hosts: int, width: int) -> list[tuple[int, int]]:
    return [(hosts * cell // width, hosts * (cell + 1) // width) for cell in range(width)]


_STORED = (WAITING, EXCLUDED, MAINTENANCE)  # glyphs that do not depend on the connection


class FleetLine(SpanWidget):
    """One cell a host, or a cell for several."""

    @dataclass
    class HostClicked(Message):
        """A click on the cell of a host, the one at `number` of the list."""

        fleet: "FleetLine"
        host_id: str
        number: int

        @property
        def control(self) -> "FleetLine":
            """The line of the fleet."""
            return self.fleet

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._glyphs: list[Span] = []
        self._hosts: list[tuple[str, str]] = []  # host_id and name
        self._next = 0  # the page to read
        self._reading = False

    def read_page(self) -> None:
        """Reads one page. The first time it reads the whole fleet."""
        if self.link.connected is not None and not self._reading:
            self._reading = True
            self._read()

    @while_open("fleet")
    async def _read(self) -> None:
        whole = not self._glyphs
        try:
            while True:
                page = await self.link.operator.list_hosts(
                    Window(offset=self._next, limit=LIMIT_MAX)
                )
                self._place(page.rows, page.total)
                if not whole or self._next == 0:
                    return
        finally:
            self._reading = False

    def _place(self, hosts: Sequence[Host], total: int) -> None:
        end = self._next + len(hosts)
        self._glyphs[self._next : end] = [host_glyph(host) for host in hosts]
        self._hosts[self._next : end] = [(host.host_id, host.name) for host in hosts]
        del self._glyphs[total:], self._hosts[total:]
        self._next = end if end < total and hosts else 0
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The one line."""
        width, base = self.size.width, self.rich_style
        away = bool(self.link.trouble)
        glyphs = [glyph if not away or glyph in _STORED else UNKNOWN for glyph in self._glyphs]
        cells = fleet_cells(glyphs, width - 2)
        line = (Span(" "), *(cells or (Span("no hosts", WAITING.role),)))
        return self.strip(self.paint(line, base), width, base)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Shows the names of the hosts under the mouse."""
        numbers = self._hosts_under(event)
        names = [safe_line(self._hosts[number][1]) for number in numbers]
        shown = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}" if names else None
        self.tooltip = shown

    def on_click(self, event: events.Click) -> None:
        """Goes to the host under the mouse."""
        for number in self._hosts_under(event)[:1]:
            self.post_message(self.HostClicked(self, self._hosts[number][0], number))

    def _hosts_under(self, event: events.MouseEvent) -> range:
        found = hosts_at(event.x - 1, len(self._hosts), self.size.width - 2)
        return found if event.x > 0 and found.stop <= len(self._hosts) else range(0)

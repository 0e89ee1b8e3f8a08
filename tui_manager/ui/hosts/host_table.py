"""The hosts of the fleet."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager.domain.host import Host
from tui_manager.domain.status import Admission
from tui_manager.domain.window import Page, Window
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.hosts.host_row import COLUMNS, WIDE_COLUMNS, host_cell
from tui_manager.ui.listing.empty_text import no_hosts
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, Shares, rest_after


class HostTable(RowTable[Host]):
    """All hosts by name."""

    TITLE = "Hosts"
    NOUN = "hosts"
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def key_of(self, row: Host) -> str:
        return row.host_id

    def cell(self, row: Host, key: str, width: int, now: datetime) -> Spans:
        return host_cell(row, key, width, now, away=bool(self.link.trouble))

    def shares_of(self, row: Host, shares: Shares) -> Shares:
        """Who is not admitted shows its identity in place of figures."""
        return shares if row.admission is Admission.ADMITTED else rest_after(shares, "name")

    async def fetch(self, window: Window) -> Page[Host]:
        return await self.link.operator.list_hosts(window)

    def empty_lines(self) -> Sequence[Spans]:
        return no_hosts(self.link.status, self.link.dial_address, self.size.width - 2)


class WideHostTable(HostTable):
    """The same with more columns, for a screen of its own."""

    COLUMNS: ClassVar[Sequence[Column]] = WIDE_COLUMNS

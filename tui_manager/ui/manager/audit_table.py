"""The audit: who did what to which, the newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager.domain.audit import AuditEntry
from tui_manager.domain.window import Page, Window
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.listing.empty_text import NO_AUDIT
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column
from tui_manager.ui.manager.audit_row import COLUMNS, audit_cell


class AuditTable(RowTable[AuditEntry]):
    """Every act that was recorded."""

    TITLE = "Audit"
    NOUN = "entries"
    FILTERS = "who, what, host or #12"
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def key_of(self, row: AuditEntry) -> str:
        return str(row.audit_id)

    def cell(self, row: AuditEntry, key: str, width: int, now: datetime) -> Spans:
        return audit_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[AuditEntry]:
        return await self.link.operator.list_audit(window)

    def empty_lines(self) -> Sequence[Spans]:
        return NO_AUDIT

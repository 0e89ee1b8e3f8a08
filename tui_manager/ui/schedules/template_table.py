"""The templates as a table. What a row shows is a pure function."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.task_files.template import TEMPLATE_KEYS, Template
from tui_manager.domain.text.number_format import number, since
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words

COLUMNS = (
    Column("name", "NAME", 12, grow=2, max_width=64, sort="name"),
    Column("version", "VER", 4, right=True),
    Column("description", "DESCRIPTION", 12, grow=3, max_width=100, hide_order=3),
    Column("schedules", "SCHED", 5, right=True, hide_order=2),
    Column("by", "SAVED BY", 12, grow=1, max_width=24, hide_order=4),
    Column("saved", "AGE", 5, right=True, hide_order=1, sort="saved"),
)


def template_cell(row: Template, key: str, width: int, now: datetime) -> Spans:
    """The cell of a template in a column."""
    match key:
        case "name":
            return spans(safe_line(row.name), Role.STRONG)
        case "version":
            return spans(f"@{number(row.version, width - 1)}", Role.MUTED)
        case "description":
            return spans(safe_line(row.description))
        case "schedules":
            return spans(number(row.schedules, width)) if row.schedules else BLANK
        case "by":
            return spans(safe_line(row.saved_by), Role.MUTED)
        case _:
            return spans(since(row.saved_at, now), Role.MUTED)


NO_TEMPLATES: tuple[Spans, ...] = (
    (Span("No template yet.", Role.STRONG),),
    (),
    (Span("A template is a task to run again and again."),),
    (Span("Save one from a file, or from a task that has run:"),),
    (Span("tui-manager template save NAME FILE.toml", Role.ACTIVE),),
    (Span("tui-manager template save NAME 62", Role.ACTIVE),),
)


class TemplateTable(RowTable[Template]):
    """All templates, by name."""

    PANE = Pane.TEMPLATES
    TITLE = "Templates"
    NOUN = "templates"
    FILTER_KEYS = TEMPLATE_KEYS
    FILTERS = filter_words(TEMPLATE_KEYS)
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    def key_of(self, row: Template) -> str:
        return row.name

    def cell(self, row: Template, key: str, width: int, now: datetime) -> Spans:
        return template_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[Template]:
        return await self.link.operator.list_templates(window)

    def empty_lines(self) -> Sequence[Spans]:
        return NO_TEMPLATES

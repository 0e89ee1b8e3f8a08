"""Makes a document of a task in one of the formats."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import datetime

from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.tasks.task import TaskDetail
from tui_manager.operator.api import Operator

Maker = Callable[[Operator, TaskDetail, datetime], AsyncIterator[str]]


async def document(
    operator: Operator, task_id: int, wanted: Format, now: datetime
) -> AsyncGenerator[str, None]:
    """The pieces of a document of a task, to be stored as UTF-8 with the line ends that they have.

    Args:
        now: when it is made, with a time zone.

    Raises:
        NotFoundError: there is no such task.
    """
    detail = await operator.get_task(task_id)
    async for piece in _maker(wanted)(operator, detail, now):
        yield piece


def _maker(wanted: Format) -> Maker:
    """Imports only what it needs, because a command must start fast."""
    match wanted:
        case Format.JSON:
            from tui_manager.export.json_document import json_document

            return json_document
        case Format.CSV:
            from tui_manager.export.csv_document import csv_document

            return csv_document
        case Format.JUNIT:
            from tui_manager.export.junit_document import junit_document

            return junit_document
        case Format.HTML:
            from tui_manager.export.html_page import html_page

            return html_page

"""A task as CSV (RFC 4180): a line for each command host, for spreadsheets.

A spreadsheet executes a cell that looks like a formula. Such a cell gets a quotation mark in front,
and is then read as text."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from tui_manager.domain.output.last_line import IDS_MAX, LastLine
from tui_manager.domain.presentation.json_fields import timestamp
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import CommandHost, TaskDetail
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.export.read_task import batches, gather_all, pages
from tui_manager.operator.api import Operator

Cell = str | int | float | None
COLUMNS = (
    *("task_id", "task", "host", "command", "step", "kind", "batch", "status", "reason", "detail"),
    *("exit_code", "signal", "started_at", "finished_at", "seconds", "stdout_bytes"),
    *("stderr_bytes", "truncated_bytes", "late", "bytes", "sha256", "unchanged", "last_line"),
)
# The last four are what some spreadsheets read as the first four.
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001


async def csv_document(operator: Operator, detail: TaskDetail, now: datetime) -> AsyncIterator[str]:
    """The pieces of the document. `now` is not in it."""
    task = detail.task
    yield _lines([COLUMNS])
    async for page in pages(operator, task.task_id):
        last = await _last_lines(operator, task.task_id, page)
        yield _lines(
            [
                (task.task_id, task.name, *_cells(row, spec, last.get(row.execution_id)))
                for row in page
                for spec in (detail.commands[row.command].spec,)
            ]
        )


async def _last_lines(
    operator: Operator, task_id: int, page: Sequence[CommandHost]
) -> Mapping[str, LastLine]:
    printed = (row.execution_id for row in page if row.stdout_bytes or row.stderr_bytes)
    calls = (operator.read_last_lines(task_id, some) for some in batches(printed, IDS_MAX))
    found: dict[str, LastLine] = {}
    for lines in await gather_all(calls):
        found |= lines
    return found


def _cells(row: CommandHost, spec: CommandSpec, last: LastLine | None) -> Sequence[Cell]:
    files = row.transfer if spec.transfer else None
    return (
        row.host,
        row.command,
        spec.title,
        spec.kind,
        row.batch or None,
        row.status,
        row.reason,
        row.detail,
        row.exit_code,
        row.signal,
        timestamp(row.started_at),
        timestamp(row.finished_at),
        _seconds(row),
        row.stdout_bytes,
        row.stderr_bytes,
        row.truncated_bytes,
        _truth(row.late),
        files.bytes if files else None,
        files.sha256 if files else None,
        _truth(files.unchanged) if files else None,
        last.text if last else None,
    )


def _seconds(row: CommandHost) -> float | None:
    if row.started_at is None or row.finished_at is None:
        return None
    return round((row.finished_at - row.started_at).total_seconds(), 3)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _lines(rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[without_formula(cell) for cell in row] for row in rows])
    return text.getvalue()


def without_formula(cell: Cell) -> Cell:
    """The cell as a spreadsheet should read it. Numbers are never negative here."""
    if not isinstance(cell, str):
        return cell
    text = safe_line(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULAS) else text

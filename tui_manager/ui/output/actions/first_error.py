"""Finds the first error in stored output: a line of a failed command, or a line with an error."""

from collections.abc import Sequence

from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.output.output_search import OutputMatch
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.ui.output.actions.find_matches import Progress, find_next
from tui_manager.ui.output.output_reader import Source

ERROR_TEXT = r"/\b(error|fatal|failed|failure|panic|exception|traceback|denied|not found)\b/"
_ANYTHING = "/./"
_FAILED_HOSTS = 20  # whose output is looked at for the first error


async def find_first_error(
    operator: Operator, source: Source, progress: Progress
) -> OutputMatch | None:
    """Looks at the commands that failed, in the order of the list of the task. For each it looks
    for the first line of stderr, then for the first line that names an error. If no failed command
    has such a line, it returns the first line of all the output that names an error."""
    for row in await _failed(operator, source):
        of_row = Source(source.task_id, execution_id=row.execution_id)
        if row.stderr_bytes:
            printed = await find_next(operator, of_row, _ANYTHING, None, progress, stderr_only=True)
            if printed is not None:
                return printed.match
        if error := await find_next(operator, of_row, ERROR_TEXT, None, progress):
            return error.match
    error = await find_next(operator, source, ERROR_TEXT, None, progress)
    return error.match if error else None


async def _failed(operator: Operator, source: Source) -> Sequence[CommandHost]:
    """The first commands of the source that failed. It reads all faults of the task if need be:
    those of one host may be behind the first page."""
    rows: list[CommandHost] = []
    offset, more = 0, True
    while more and len(rows) < _FAILED_HOSTS:
        window = Window(faults_only=True, offset=offset, limit=LIMIT_MAX)
        page = await operator.list_command_hosts(source.task_id, window)
        rows += [
            row
            for row in page.rows
            if row.status.failed
            and source.host_id in ("", row.host_id)
            and source.execution_id in ("", row.execution_id)
        ]
        offset += len(page.rows)
        more = bool(page.rows) and offset < page.matching
    return rows[:_FAILED_HOSTS]

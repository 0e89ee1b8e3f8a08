"""Finds the next line with a text in all that is stored, counts such lines, and finds the first
error. No widget: a callback says how much was searched."""

from collections.abc import Callable, Sequence

from tui_manager.domain.frozen_dataclass import dataclass
from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.output.output_search import OutputMatch
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.operator.api import Operator
from tui_manager.ui.output.output_reader import END, Source

COUNT_MAX = 10_000  # lines that are counted
ERROR_TEXT = r"/\b(error|fatal|failed|failure|panic|exception|traceback|denied|not found)\b/"
_ANYTHING = "/./"
_FAILED_HOSTS = 20  # whose output is looked at for the first error

Progress = Callable[[int], None]  # takes the bytes that were searched so far


@dataclass(frozen=True, slots=True)
class Found:
    """A match, and whether the search has gone over the end of the output to it."""

    match: OutputMatch
    wrapped: bool


async def find_next(
    operator: Operator,
    source: Source,
    text: str,
    here: OutputMatch | None,
    progress: Progress,
    *,
    backwards: bool = False,
    stderr_only: bool = False,
) -> Found | None:
    """The next match behind a place, or from the beginning on; then from the other end on. None if
    there is none at all."""
    last, at, offset = here, END if backwards else 0, 0
    if here is not None:
        at, offset = here.position + 1 if backwards else here.position - 1, here.offset + 1
    searched, wrapped = 0, False
    while True:
        after, before = (0, at) if backwards else (at, 0)
        part = await operator.search_output(
            source.task_id,
            text,
            after,
            before,
            source.host_id,
            source.execution_id,
            stderr_only,
            offset,
        )
        for match in part.matches:
            if last is None or _is_behind(match, last, backwards=backwards):
                return Found(match, wrapped)
        searched += part.searched
        progress(searched)
        at, offset = part.position, part.offset
        if part.ended and wrapped:
            return None
        if part.ended:
            wrapped, last, at = True, None, END if backwards else 0


def _is_behind(match: OutputMatch, last: OutputMatch, *, backwards: bool) -> bool:
    one, other = (match.position, match.offset), (last.position, last.offset)
    return one < other if backwards else one > other


async def count_matches(operator: Operator, source: Source, text: str, progress: Progress) -> int:
    """How many lines have the text; `COUNT_MAX` if there are more."""
    count = at = searched = offset = 0
    while count < COUNT_MAX:
        part = await operator.search_output(
            source.task_id, text, at, 0, source.host_id, source.execution_id, False, offset
        )
        count, at, offset = count + len(part.matches), part.position, part.offset
        searched += part.searched
        progress(searched)
        if part.ended:
            break
    return min(count, COUNT_MAX)


async def find_first_error(
    operator: Operator, source: Source, progress: Progress
) -> OutputMatch | None:
    """Of the first command that failed, in the order of the list of its task: its first line of
    stderr, or its first line that names an error. If no command that failed has one: the first line
    in all of the output that names an error."""
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

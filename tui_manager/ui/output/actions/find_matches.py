"""Finds the next line with a text in all stored output, and counts such lines. No widget: a
callback says how much was searched. The first error is found in `first_error.py`."""

from collections.abc import Callable

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.output.output_search import OutputMatch
from tui_manager.operator.api import Operator
from tui_manager.ui.output.output_reader import END, Source

COUNT_MAX = 10_000  # lines that are counted

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

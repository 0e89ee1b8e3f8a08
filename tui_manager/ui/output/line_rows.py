"""Which rows of a pane show which line of output. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from rich.segment import Segment
from rich.style import Style

from tui_manager.domain.output.output_buffer import OutputLine
from tui_manager.domain.output.output_search import OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.ui.output.colour_and_wrap_lines import crop, highlight, row_count, segments, wrap

FAULT_ROWS = 6  # of a line that likely says what went wrong
_FOUND = Style(reverse=True)


class LineRows:
    """A line takes one row, or as many as it needs if lines are wrapped. Of a long line that is not
    wrapped, only its first part is shown. Lines of stderr, and all lines of a command that failed,
    take up to `FAULT_ROWS` without wrapping: they say what went wrong.

    Attributes:
        failed: all lines are of a command that failed.
        pattern: what is highlighted.
        total: how many rows there are.
    """

    def __init__(self) -> None:
        self.wraps = self.failed = False
        self.pattern: OutputPattern | None = None
        self.total = 0
        self._width = 1
        self._ends: list[int] = []  # rows up to and with each line
        self._lines: Sequence[OutputLine] = ()

    def place(self, lines: Sequence[OutputLine], width: int) -> int:
        """Places lines in rows of `width` cells. Returns how many rows they take."""
        self._width, self._lines = width, lines
        self._ends = list(accumulate(map(self._height, lines)))
        self.total = self._ends[-1] if self._ends else 0
        return self.total

    def line_at(self, row: int) -> tuple[int, int]:
        """The number of the line that a row shows, and which part of it."""
        number = bisect_right(self._ends, row)
        return number, row - self._begin(number)

    def row_of(self, number: int) -> int:
        """The first row of a line. A part that has no row is in the row of its line."""
        line = self._lines[number]
        while line.continues and not self.wraps and number:
            number -= 1
            other = self._lines[number]
            if (other.execution_id, other.stream) == (line.execution_id, line.stream):
                line = other
        return self._begin(number)

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number > 0 else 0

    def runs(self, line: OutputLine, part: int) -> list[Segment]:
        """What a row shows of a line."""
        runs = segments(line.text)
        if self.pattern is not None and not line.note:
            rows = wrap(runs, self._width, limit=part + 1)
            seen = sum(len(run.text) for row in rows for run in row)
            places = self.pattern.in_text("".join(run.text for run in runs), seen)
            if places:
                runs = highlight(runs, places, _FOUND)
        if (limit := self._limit(line)) and part + 1 >= limit:
            return self._last_row(runs, limit)
        rows = wrap(runs, self._width, limit=part + 1)
        return rows[part] if part < len(rows) else []

    def _last_row(self, runs: list[Segment], limit: int) -> list[Segment]:
        """The last row that a line may take, with a mark if more of the line follows."""
        rows = wrap(runs, self._width, limit=limit)
        if len(rows) < limit:
            return []
        rest, skipped = [], sum(len(run.text) for row in rows[:-1] for run in row)
        for text, style, _ in runs:
            if part := text[skipped:]:
                rest.append(Segment(part, style))
            skipped = max(0, skipped - len(text))
        return crop(rest, self._width)

    def part_of(self, line: OutputLine, byte: int) -> int:
        """About which row of a line has the byte at a place in it."""
        limit = self._limit(line)
        if limit == 1 or not byte:
            return 0
        before = line.text.encode(errors="replace")[:byte].decode(errors="replace")
        row = row_count(before, self._width) - 1
        return min(row, limit - 1) if limit else row

    def _limit(self, line: OutputLine) -> int:
        """How many rows a line takes at most; 0: as many as it needs."""
        if self.wraps:
            return 0
        return FAULT_ROWS if self.failed or line.stream is Stream.STDERR else 1

    def _height(self, line: OutputLine) -> int:
        limit = self._limit(line)
        if line.rewritten or (limit and line.continues):
            return 0
        if limit == 1:
            return 1
        rows, revision, width = line.rows
        if revision != line.revision or width != self._width:
            rows = row_count(line.text, self._width)
            line.rows = rows, line.revision, self._width
        return min(rows, limit) if limit else rows

"""Which rows of a pane show which line of output. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from rich.segment import Segment
from rich.style import Style

from tui_manager.domain.output_search import OutputPattern
from tui_manager.ui.output.colour_and_wrap_lines import crop, highlight, row_count, segments, wrap
from tui_manager.ui.output.output_buffer import OutputLine

_FOUND = Style(reverse=True)


class LineRows:
    """A line takes one row, or as many as it needs if lines are wrapped. Of a long line that is not
    wrapped, only its first part is shown.

    Attributes:
        pattern: what is highlighted.
        total: how many rows there are.
    """

    def __init__(self) -> None:
        self.wraps = False
        self.pattern: OutputPattern | None = None
        self.total = 0
        self._width = 1
        self._ends: list[int] = []  # rows up to and with each line
        self._lines: Sequence[OutputLine] = ()

    def place(self, lines: Sequence[OutputLine], width: int) -> int:
        """Places lines in rows of `width` cells. Returns how many rows they take."""
        self._width, self._lines = width, lines
        height = self._height if self.wraps else self._height_of_cut
        self._ends = list(accumulate(map(height, lines)))
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
        if not self.wraps:
            return crop(runs, self._width)
        rows = wrap(runs, self._width, limit=part + 1)
        return rows[part] if part < len(rows) else []

    def part_of(self, line: OutputLine, byte: int) -> int:
        """About which row of a wrapped line has the byte at a place in it."""
        if not self.wraps or not byte:
            return 0
        before = line.text.encode(errors="replace")[:byte].decode(errors="replace")
        return row_count(before, self._width) - 1

    def _height(self, line: OutputLine) -> int:
        if line.rewritten:
            return 0
        rows, revision, width = line.rows
        if revision != line.revision or width != self._width:
            rows = row_count(line.text, self._width)
            line.rows = rows, line.revision, self._width
        return rows

    @staticmethod
    def _height_of_cut(line: OutputLine) -> int:
        return 0 if line.continues or line.rewritten else 1

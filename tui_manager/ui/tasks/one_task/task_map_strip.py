"""One cell a host: how each host of a task stands. For many hosts a cell stands for several, and
shows the worst of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from textual import events
from textual.message import Message

from tui_manager.domain.tasks.task_map import STATUS_OF, WORST_FIRST, TaskMap
from tui_manager.ui.drawing.span_widgets import SpanLines
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.drawing.state_words_and_colours import command_glyph

_BATCHES_APART = 40  # more batches than this are not set apart


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the map.

    Attributes:
        letter: of the worst host.
        number: of this host in the order of the rollout, from 0.
    """

    letter: str
    number: int


MapLine = tuple[Cell | None, ...]  # None is a space between two batches


@dataclass(frozen=True, slots=True)
class MapCells:
    """The map in lines of cells; each cell stands for up to `hosts_a_cell`."""

    lines: tuple[MapLine, ...] = ()
    hosts_a_cell: int = 1


def map_cells(task_map: TaskMap, width: int, lines: int) -> MapCells:
    """The map in at most so many lines of at most `width` cells."""
    total = len(task_map.letters)
    if not total or width < 1 or lines < 1:
        return MapCells()
    room, hosts_a_cell = width * lines, 1
    cells = _cells(_apart(task_map, room), 1)
    if len(cells) > room:
        room -= len(_note(total)) if width > len(_note(total)) else 0
        batches = _apart(task_map, room)
        hosts_a_cell = max(2, -(-total // room))
        while len(cells := _cells(batches, hosts_a_cell)) > room:
            hosts_a_cell += 1
    found = tuple(tuple(cells[at : at + width]) for at in range(0, len(cells), width))
    return MapCells(found, hosts_a_cell)


def _apart(task_map: TaskMap, room: int) -> Sequence[str]:
    """The batches, or all of them as one if these are too many to be set apart."""
    most = min(_BATCHES_APART, room // 2)
    return task_map.batches if len(task_map.batches) <= most else (task_map.letters,)


def _cells(batches: Sequence[str], hosts_a_cell: int) -> list[Cell | None]:
    cells: list[Cell | None] = []
    first = 0
    for letters in batches:
        if cells:
            cells.append(None)
        for at in range(0, len(letters), hosts_a_cell):
            part = letters[at : at + hosts_a_cell]
            letter = min(part, key=WORST_FIRST.index) if hosts_a_cell > 1 else part
            cells.append(Cell(letter, first + at + part.index(letter)))
        first += len(letters)
    return cells


def map_lines(cells: MapCells, width: int) -> tuple[Spans, ...]:
    """The lines to draw. The last one says how many hosts a cell stands for, if it has room."""
    lines = [tuple(_runs(line)) for line in cells.lines]
    note = _note(cells.hosts_a_cell)
    if cells.hosts_a_cell > 1 and len(cells.lines[-1]) + len(note) <= width:
        lines[-1] = (*lines[-1], Span(note, Role.MUTED))
    return tuple(lines)


def _note(hosts_a_cell: int) -> str:
    return f"  1 cell = {hosts_a_cell} hosts"


def _runs(line: MapLine) -> Iterator[Span]:
    """Neighbours that look the same are one span."""
    for letter, run in groupby(line, key=lambda cell: cell.letter if cell else ""):
        count = len(list(run))
        if not letter:
            yield Span(" " * count)
        else:
            glyph = command_glyph(STATUS_OF[letter])
            yield Span(glyph.text * count, glyph.role)


class TaskMapStrip(SpanLines):
    """The map of a task. A click on a cell asks for its host."""

    @dataclass
    class CellClicked(Message):
        """A cell was clicked; `number` is that of its host."""

        strip: "TaskMapStrip"
        number: int

        @property
        def control(self) -> "TaskMapStrip":
            """The map."""
            return self.strip

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._cells = MapCells()

    def show(self, task_map: TaskMap, width: int, lines: int) -> None:
        """Draws a map in at most so many lines. A single host needs none."""
        alone = sum(map(len, task_map.batches)) <= 1
        self._cells = MapCells() if alone else map_cells(task_map, width, lines)
        self.display = bool(self._cells.lines)
        self.set_lines(map_lines(self._cells, width))

    def on_click(self, event: events.Click) -> None:
        """Asks for the host of the cell."""
        if (offset := event.get_content_offset(self)) is None or offset.y >= len(self._cells.lines):
            return
        line = self._cells.lines[offset.y]
        if offset.x < len(line) and (cell := line[offset.x]) is not None:
            self.post_message(self.CellClicked(self, cell.number))

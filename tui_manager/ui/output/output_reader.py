"""What an output pane reads next, and how: at the end, at a place, earlier, later."""

from collections.abc import Sequence
from enum import Enum, auto

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.operator.api import Operator, OutputChunk
from tui_manager.ui.output.output_window import HELD_MAX, KEPT, OutputWindow

READ = 128 * 1024  # bytes of one answer, about
_READ_MAX = 1 << 20  # of one answer, if the ones before did not fill the pane
_PIECES = 500  # an answer with fewer chunks, and with fewer bytes than asked for, is the last
END = (1 << 63) - 1  # a position behind all output
_LATERS = 2  # answers in a row that did not reach the end; then the newest output is shown


@dataclass(frozen=True, slots=True)
class Source:
    """Whose output is shown.

    Attributes:
        host_id: of one host only; empty for all.
        execution_id: of one command host only; empty for all.
        title: in the frame; shortened if space is short.
        title_end: after the title; never shortened.
        steps: whether lines show the number of their command.
    """

    task_id: int
    host_id: str = ""
    execution_id: str = ""
    title: str = ""
    title_end: str = ""
    steps: bool = False

    @property
    def full_title(self) -> str:
        """The title as it is if there is space."""
        return self.title + self.title_end

    async def read(
        self, operator: Operator, *, after: int = 0, before: int = 0, limit: int = READ
    ) -> Sequence[OutputChunk]:
        """Chunks after a position, or the newest before one."""
        return await operator.follow_output(
            self.task_id, after, self.host_id, limit, before, self.execution_id
        )


class ReadKind(Enum):
    """Which part is read."""

    NEWEST = auto()
    FIRST = auto()
    AROUND = auto()
    EARLIER = auto()
    LATER = auto()
    EXTENT = auto()  # only how far the stored output goes


@dataclass(frozen=True, slots=True)
class OutputRead:
    """One read of output, around a position."""

    kind: ReadKind
    position: int = 0


@dataclass(frozen=True, slots=True)
class Viewport:
    """What of the window is seen, in rows.

    Attributes:
        top: the first row that is seen, counted from the first row of the window.
        height: of the pane.
        rows: of the window.
        share: how far the pane is scrolled: 0 at the beginning, 1 at the end.
        follow: whether the end is shown.
        stale: there may be new output.
    """

    top: int
    height: int
    rows: int
    share: float
    follow: bool
    stale: bool

    @property
    def is_outside(self) -> bool:
        """Whether nothing of the window is seen."""
        return self.top >= self.rows or self.top + self.height <= 0


class OutputReader:
    """Holds a part of the output of a source.

    Attributes:
        first, last: positions of the first and last chunk that are stored, as far as is known.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.window = OutputWindow()
        self.first = self.last = 0
        self.has_read = False
        self._laters = 0
        self._limit = READ  # it grows while one answer after the other is needed

    @property
    def extent(self) -> tuple[object, ...]:
        """What is held, and what is known to be stored: the same if a read has brought nothing."""
        window = self.window
        held = (window.first, window.last, window.at_start, window.at_end)
        return (*held, self.first, self.last, self.has_read)

    def next_read(self, view: Viewport) -> OutputRead | None:
        """What is read next; None if nothing is needed."""
        read = self._needed(view)
        if read is None or read.kind not in (ReadKind.EARLIER, ReadKind.LATER):
            self._limit = READ
        return read

    def _needed(self, view: Viewport) -> OutputRead | None:
        window = self.window
        if not self.has_read:
            return OutputRead(ReadKind.NEWEST)
        if view.follow and not window.at_end:
            if self._laters < _LATERS and not view.is_outside:
                return OutputRead(ReadKind.LATER)
            return OutputRead(ReadKind.NEWEST)
        if view.is_outside and not window.is_complete and not view.follow:
            return self._jump(view.share)
        if window.size < HELD_MAX:
            ahead = view.height if window.size < KEPT else 0  # rows that are read before their time
            if not window.at_start and view.top < ahead:
                return OutputRead(ReadKind.EARLIER)
            if not window.at_end and view.top + view.height + ahead > view.rows:
                return OutputRead(ReadKind.LATER)
        if view.stale:
            return OutputRead(ReadKind.LATER if window.at_end else ReadKind.EXTENT)
        return None

    def _jump(self, share: float) -> OutputRead:
        if share <= 0:
            return OutputRead(ReadKind.FIRST)
        if share >= 1:
            return OutputRead(ReadKind.NEWEST)
        return OutputRead(ReadKind.AROUND, self.first + int(share * (self.last - self.first)))

    async def fetch(
        self, operator: Operator, read: OutputRead
    ) -> tuple[Sequence[OutputChunk], Sequence[OutputChunk]]:
        """The chunks before a place, and those behind it."""
        source, window = self.source, self.window
        match read.kind:
            case ReadKind.NEWEST:
                before = await source.read(operator, before=END)
                if _is_full(before, READ):
                    await self._read_first(operator)
                return before, ()
            case ReadKind.FIRST:
                return (), await source.read(operator)
            case ReadKind.AROUND:
                before = await source.read(operator, before=read.position, limit=READ // 2)
                await self._read_first(operator)
                return before, await source.read(operator, after=read.position - 1)
            case ReadKind.EARLIER:
                return await source.read(operator, before=window.first, limit=self._limit), ()
            case ReadKind.LATER:
                return (), await source.read(operator, after=window.last, limit=self._limit)
            case ReadKind.EXTENT:
                return (), await source.read(operator, before=END, limit=1)

    async def _read_first(self, operator: Operator) -> None:
        if not self.first:
            for chunk in await self.source.read(operator, limit=1):
                self.first = chunk.position

    def take(
        self, read: OutputRead, before: Sequence[OutputChunk], after: Sequence[OutputChunk]
    ) -> None:
        """Holds what was read."""
        window = self.window
        limit = self._limit if read.kind in (ReadKind.EARLIER, ReadKind.LATER) else READ
        starts, ends = not _is_full(before, limit), not _is_full(after, limit)
        match read.kind:
            case ReadKind.NEWEST:
                window.replace(before, at_start=starts, at_end=True)
            case ReadKind.FIRST:
                window.replace(after, at_start=True, at_end=ends)
            case ReadKind.AROUND:
                starts = not _is_full(before, READ // 2)
                window.replace((*before, *after), at_start=starts, at_end=ends)
            case ReadKind.EARLIER:
                window.prepend(before, at_start=starts)
            case ReadKind.LATER:
                window.append(after, at_end=ends)
        self.has_read = True
        if read.kind in (ReadKind.EARLIER, ReadKind.LATER):
            self._limit = min(2 * limit, _READ_MAX)
        self._laters = self._laters + 1 if read.kind is ReadKind.LATER and not ends else 0
        if window.at_start:
            self.first = window.first
        self.last = max(self.last, window.last, *(chunk.position for chunk in after[-1:]))

    def rows_around(self, rows: int) -> tuple[int, int]:
        """About how many rows are before the window and behind it, if it has so many."""
        window = self.window
        each = rows / max(1, window.last - window.first + 1)
        before = 0 if window.at_start else max(1, int(each * (window.first - self.first)))
        after = 0 if window.at_end else max(1, int(each * (self.last - window.last)))
        return before, after

    def share_of(self, position: int) -> float:
        """How far into the stored output a position is: from 0 to 1."""
        return (position - self.first) / max(1, self.last - self.first)


def _is_full(chunks: Sequence[OutputChunk], limit: int) -> bool:
    """Whether there may be more in this direction."""
    return len(chunks) >= _PIECES or sum(len(chunk.data) for chunk in chunks) >= limit

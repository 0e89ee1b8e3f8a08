"""Searches stored output, a bounded part of it at a time, forwards or backwards."""

from tui_manager.domain.output.output_search import OutputMatch, OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables.tasks import output
from tui_manager.storage.tables.tasks.output import OutputOf

BYTES_MAX = 4 << 20  # that one call searches
PIECES_MAX = 20_000  # of one call
MATCHES_MAX = 1_000  # after which a call ends
_SLICE = 2048  # bytes of a piece that are searched together backwards, if many lines in it match
LINE_BEFORE = 4096  # bytes of a line before a piece in which a match may begin
Place = tuple[int, int]  # beginning and end in a piece, in bytes


def search(
    tx: Transaction,
    of: OutputOf,
    pattern: OutputPattern,
    after: int = 0,
    before: int = 0,
    *,
    stderr_only: bool = False,
    offset: int = 0,
) -> OutputMatches:
    """Searches the pieces after a position, or those before a position, the newest first.

    Args:
        offset: of the piece beside this position, only lines that begin at this byte of their
            stream or behind it; if it searches backwards, those that end before it. 0: all of it.
    """
    forwards = not before
    if forwards:
        rows, beside = output.pieces_after(tx, of, after, PIECES_MAX), after + 1
    else:
        rows, beside = output.pieces_before(tx, of, before, PIECES_MAX), before - 1
    lines = _LinesBefore(tx, forwards=forwards)
    matches: list[OutputMatch] = []
    position, searched, pieces = before or after, 0, 0
    for row in rows:
        position, pieces = row["id"], pieces + 1
        part = _Part(row["data"], lines.take(row))
        if offset and row["id"] == beside:
            part.narrow(offset - row["offset"], forwards=forwards)
        if not stderr_only or output.STREAM[row["stream"]] is Stream.STDERR:
            limit = MATCHES_MAX - len(matches)
            found = part.find(pattern, limit) if forwards else part.find_last(pattern, limit)
            matches += (_match(row, *place) for place in found)
            if part.left:
                position += -1 if forwards else 1
                rest = row["offset"] + part.left
                return OutputMatches(tuple(matches), position, searched, False, rest)
        searched += len(row["data"])
        if searched >= BYTES_MAX or len(matches) >= MATCHES_MAX:
            break
    else:
        return OutputMatches(tuple(matches), position, searched, pieces < PIECES_MAX)
    return OutputMatches(tuple(matches), position, searched, False)


class _Part:
    """The lines of a piece that are searched.

    Attributes:
        left: the byte of the piece where the search has to go on, behind it or before it; 0: it is
            through.
    """

    def __init__(self, data: bytes, line_before: bytes) -> None:
        self._data = data
        self._line_before = line_before  # the beginning of the line that `data` continues
        self._begin, self._end = 0, len(data)
        self.left = 0

    def narrow(self, byte: int, *, forwards: bool) -> None:
        """Leaves out the lines before a byte, or those behind it."""
        byte = max(0, min(byte, len(self._data)))
        is_begin_of_line = self._data[byte - 1 : byte] == b"\n"
        if forwards:
            if byte and not is_begin_of_line:
                byte = self._data.find(b"\n", byte) + 1 or len(self._data)
            self._begin = byte
        else:
            self._end = byte if is_begin_of_line else self._data.rfind(b"\n", 0, byte) + 1

    def find(self, pattern: OutputPattern, limit: int) -> list[Place]:
        """The first matches: their beginnings and their ends."""
        found, searched = self._find(pattern, self._begin, self._end, limit)
        self.left = self._begin + searched if self._begin + searched < self._end else 0
        return found

    def find_last(self, pattern: OutputPattern, limit: int) -> list[Place]:
        """The last matches, from the end on. If there are many, it looks for them in slices."""
        found, searched = self._find(pattern, self._begin, self._end, limit)
        if searched == self._end - self._begin:
            return found[::-1]
        found, end = [], self._end
        while end > self._begin and len(found) < limit:
            begin = max(self._begin, self._data.rfind(b"\n", 0, max(0, end - _SLICE)) + 1)
            found += self._find(pattern, begin, end, _SLICE + 1)[0][::-1]
            end = begin
        self.left = end if end > self._begin else 0
        return found

    def _find(
        self, pattern: OutputPattern, begin: int, end: int, limit: int
    ) -> tuple[list[Place], int]:
        before = b"" if begin else self._line_before
        found, searched = pattern.in_bytes(before, self._data[begin:end], limit)
        return [(start + begin, stop + begin) for start, stop in found], searched


def _match(row: Row, start: int, end: int) -> OutputMatch:
    return OutputMatch(
        position=row["id"],
        execution_id=row["execution_id"],
        host=row["host_name"],
        command=row["position"],
        stream=output.STREAM[row["stream"]],
        offset=row["offset"] + start,
        size=end - start,
    )


class _LinesBefore:
    """The beginnings of lines that a piece continues. They are kept while pieces come forwards, and
    read for the first piece of each stream."""

    def __init__(self, tx: Transaction, *, forwards: bool) -> None:
        self._tx = tx
        self._forwards = forwards
        self._kept: dict[tuple[int, int], bytes] = {}

    def take(self, row: Row) -> bytes:
        """The beginning of the line that this piece continues."""
        key = (row["command_host_id"], row["stream"])
        found = self._kept.get(key)
        if found is None:
            found = self._read(row) if row["offset"] else b""
        if self._forwards:
            last = row["data"] if b"\n" in row["data"] else found + row["data"]
            self._kept[key] = b"" if row["gap"] else last[last.rfind(b"\n") + 1 :][-LINE_BEFORE:]
        return b"" if row["gap"] else found

    def _read(self, row: Row) -> bytes:
        line = b""
        for data in output.data_before(self._tx, row, LINE_BEFORE):
            end = data.rfind(b"\n")
            line = data[end + 1 :] + line
            if end >= 0 or len(line) >= LINE_BEFORE:
                break
        return line[-LINE_BEFORE:]

"""Searches stored output, a bounded part of it at a time, forwards or backwards."""

from tui_manager.domain.output_search import OutputMatch, OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.transaction import Row, Transaction
from tui_manager.storage.tables import output
from tui_manager.storage.tables.output import OutputOf

BYTES_MAX = 4 << 20  # that one call searches
PIECES_MAX = 20_000  # of one call
MATCHES_MAX = 1_000  # after which a call ends; those of its last piece are all reported
LINE_BEFORE = 4096  # bytes of a line before a piece in which a match may begin


def search(
    tx: Transaction,
    of: OutputOf,
    pattern: OutputPattern,
    after: int = 0,
    before: int = 0,
    *,
    stderr_only: bool = False,
) -> OutputMatches:
    """Searches the pieces after a position, or those before a position, the newest first."""
    if before:
        rows = output.pieces_before(tx, of, before, PIECES_MAX)
    else:
        rows = output.pieces_after(tx, of, after, PIECES_MAX)
    lines = _LinesBefore(tx, forwards=not before)
    matches: list[OutputMatch] = []
    position, searched, pieces = before or after, 0, 0
    for row in rows:
        position, pieces = row["id"], pieces + 1
        if not stderr_only or output.STREAM[row["stream"]] is Stream.STDERR:
            found = pattern.in_bytes(lines.take(row), row["data"])
            made = [_match(row, *place) for place in found]
            matches += reversed(made) if before else made
        searched += len(row["data"])
        if searched >= BYTES_MAX or len(matches) >= MATCHES_MAX:
            break
    else:
        return OutputMatches(tuple(matches), position, searched, pieces < PIECES_MAX)
    return OutputMatches(tuple(matches), position, searched, False)


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

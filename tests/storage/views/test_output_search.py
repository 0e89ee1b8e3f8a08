"""Searching stored output: across pieces, in both directions, a bounded part at a time."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.storage.test_output import AT, output_database, row_id
from tests.support.databases.engines import SQLITE
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.output.output_search import OutputMatch, OutputMatches, OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import output
from tui_manager.storage.tables.tasks.output import OutputOf
from tui_manager.storage.views import output_search
from tui_manager.ui.output.actions.find_matches import count_matches, find_next
from tui_manager.ui.output.output_reader import Source

TASK = OutputOf(1)
Piece = tuple[int, Stream, bytes]  # host, stream, data


def _store(tx: Transaction, pieces: Sequence[Piece]) -> None:
    ends: dict[tuple[int, Stream], int] = {}
    for host, stream, data in pieces:
        offset = ends.get((host, stream), 0)
        ends[host, stream] = offset + len(data)
        row = row_id(1, 0, host)
        piece = Output(f"e{row}", stream, offset, data)
        output.insert(tx, [output.OutputPiece(1, row, piece, AT)])


def _stdout(*pieces: bytes) -> list[Piece]:
    return [(1, Stream.STDOUT, data) for data in pieces]


def _places(found: OutputMatches) -> list[tuple[str, int, int]]:
    return [(match.host, match.offset, match.size) for match in found.matches]


def _parts(tx: Transaction, pattern: OutputPattern, *, backwards: bool) -> list[OutputMatches]:
    """One part of a search after the other, up to the last."""
    parts, at, offset = list[OutputMatches](), 100 if backwards else 0, 0
    while not parts or not parts[-1].ended:
        after, before = (0, at) if backwards else (at, 0)
        parts.append(output_search.search(tx, TASK, pattern, after, before, offset=offset))
        at, offset = parts[-1].position, parts[-1].offset
    return parts


@pytest.mark.parametrize("backwards", [False, True])
def test_matches_are_found_across_pieces(backwards: bool) -> None:
    with output_database() as tx:
        _store(tx, _stdout(b"one err", b"o", b"r\ntwo\nERROR twice: error\n", b"no error"))
        pattern = OutputPattern("error")
        found = output_search.search(tx, TASK, pattern, before=100 if backwards else 0)
        places = [("web1", 4, 5), ("web1", 14, 5), ("web1", 36, 5)]
        assert _places(found) == (places[::-1] if backwards else places)
        assert (found.ended, found.searched) == (True, 41)


def test_a_line_of_one_host_is_not_joined_with_that_of_another() -> None:
    with output_database() as tx:
        pieces = [(1, Stream.STDOUT, b"er"), (2, Stream.STDOUT, b"ror\n"), (1, Stream.STDERR, b"r")]
        _store(tx, [*pieces, (1, Stream.STDOUT, b"ror\n")])
        found = output_search.search(tx, TASK, OutputPattern("error"))
        assert found.matches == (OutputMatch(4, "e101", "web1", 0, Stream.STDOUT, 0, 5),)
        only = output_search.search(tx, OutputOf(1, execution_id="e102"), OutputPattern("ror"))
        assert _places(only) == [("web2", 0, 3)]


@pytest.mark.parametrize(
    ("text", "offsets"),
    [
        ("GRÜN", [8]),
        ("a.c", []),
        ("/a.c/", [0]),
        ("/^gr/", []),
        ("/^ .*n$/", [4]),
        ("/", []),
    ],
)
def test_plain_text_and_regular_expressions_ignore_case(text: str, offsets: list[int]) -> None:
    with output_database() as tx:
        _store(tx, _stdout("abc\n · grün\n".encode()))
        found = output_search.search(tx, TASK, OutputPattern(text))
        assert [match.offset for match in found.matches] == offsets


def test_colours_within_a_word_do_not_hide_it() -> None:
    with output_database() as tx:
        _store(tx, _stdout(b"\x1b[1mfa", b"\x1b[31mil\x1b[0med\n"))
        (match,) = output_search.search(tx, TASK, OutputPattern("failed")).matches
        assert (match.offset, match.size) == (4, 15)


def test_only_stderr() -> None:
    with output_database() as tx:
        _store(tx, [(1, Stream.STDOUT, b"error\n"), (2, Stream.STDERR, b"x\nerror\n")])
        found = output_search.search(tx, TASK, OutputPattern("error"), stderr_only=True)
        assert _places(found) == [("web2", 2, 5)]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_search_goes_on_where_a_part_of_it_ended(
    backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_search, "BYTES_MAX", 3)
    with output_database() as tx:
        _store(tx, _stdout(*(b"%d x" % number for number in range(10))))
        parts = _parts(tx, OutputPattern("x"), backwards=backwards)
        offsets = [match.offset for part in parts for match in part.matches]
        expected = [3 * number + 2 for number in range(10)]
        assert offsets == (expected[::-1] if backwards else expected)
        assert len(parts) > 5


@pytest.mark.parametrize("backwards", [False, True])
def test_all_lines_of_a_large_piece_are_found(backwards: bool) -> None:
    with output_database() as tx:
        _store(tx, _stdout(b"x\n" * 5000, b"y\n", b"x\n" * 3000))
        parts = _parts(tx, OutputPattern("x"), backwards=backwards)
        offsets = [match.offset for part in parts for match in part.matches]
        expected = [2 * line for line in range(8001) if line != 5000]
        assert offsets == (expected[::-1] if backwards else expected)


MANY = 2 * output_search.MATCHES_MAX + output_search._SLICE  # matches of one part at most


LINES = (b"\n", b"x\n", b"\x1b[31mx\x1b[0m\n", b"x" * 70 + b"\n")


@pytest.mark.parametrize("text", ["/^$/", "/^/", "x", "/x*/"])
@pytest.mark.parametrize("backwards", [False, True])
def test_one_part_of_a_search_finds_a_bounded_number_of_lines(
    engine: str, text: str, backwards: bool
) -> None:
    for line in LINES if engine == SQLITE else LINES[1:2]:
        _search_in_parts(text, line, backwards=backwards)


def _search_in_parts(text: str, line: bytes, *, backwards: bool) -> None:
    lines = (1 << 14) // len(line)
    pattern = OutputPattern(text)
    with output_database() as tx:
        _store(tx, _stdout(b"before\n", line * lines, line * 10))
        parts = _parts(tx, pattern, backwards=backwards)
        assert max(len(part.matches) for part in parts) <= MANY, line
        at = [(match.position, match.offset) for part in parts for match in part.matches]
        assert at == sorted(at, reverse=backwards), line
        assert len(at) == len(set(at)), line
        matches = len(pattern.in_bytes(b"", line, 1)[0])
        assert len(at) == matches * (lines + 10) + len(pattern.in_bytes(b"", b"before\n", 1)[0])


def test_a_long_line_with_many_matches_is_passed_over_in_bounded_time() -> None:
    pattern = OutputPattern("x")
    searches = 0

    class Counted:
        def search(self, *arguments: Any) -> Any:
            nonlocal searches
            searches += 1
            return compiled.search(*arguments)

    compiled = pattern._compiled
    pattern.__dict__["_compiled"] = Counted()
    assert pattern.in_bytes(b"x" * output_search.LINE_BEFORE, b"x" * 9, 5) == ([(0, 1)], 9)
    assert searches < 100


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("here", range(12))
def test_a_search_begins_at_the_line_behind_or_before_a_byte(here: int, backwards: bool) -> None:
    with output_database() as tx:
        _store(tx, _stdout(b"x\nxx\n\n", b"x\nx"))
        after, before = (0, 2) if backwards else (0, 0)
        pattern = OutputPattern("x")
        found = output_search.search(tx, TASK, pattern, after, before, offset=here)
        of_first = [match.offset for match in found.matches if match.position == 1]
        if backwards:
            ends = [(0, 2), (2, 5)]
            expected = [begin for begin, end in ends if end <= here or not here][::-1]
        else:
            expected = [begin for begin in (0, 2) if begin >= here]
        assert of_first == expected


class Stored:
    """The call of an operator that searches, over a database."""

    def __init__(self, tx: Transaction) -> None:
        self.calls = 0
        self._tx = tx

    async def search_output(
        self, task_id: int, text: str, after: int, before: int, host_id: str, execution_id: str,
        stderr_only: bool, offset: int,
    ) -> OutputMatches:  # fmt: skip
        self.calls += 1
        of, pattern = OutputOf(task_id, host_id, execution_id), OutputPattern(text)
        return output_search.search(
            self._tx, of, pattern, after, before, stderr_only=stderr_only, offset=offset
        )


async def test_the_next_match_in_a_piece_with_many_is_found_at_once() -> None:
    with output_database() as tx:
        _store(tx, _stdout(b"no\n", b"\n" * 9000, b"no\n\n"))
        operator: Any = Stored(tx)
        source, text, progress = Source(1), "/^$/", list[int]().append

        async def found_from(here: OutputMatch | None, *, backwards: bool = False) -> int:
            operator.calls = 0
            found = await find_next(operator, source, text, here, progress, backwards=backwards)
            assert found is not None
            assert operator.calls <= 3
            return found.match.offset

        at = OutputMatch(2, "e101", "web1", 0, Stream.STDOUT, 8000, 1)
        assert await found_from(at) == 8001
        assert await found_from(at, backwards=True) == 7999
        assert await found_from(None) == 3
        assert await found_from(None, backwards=True) == 9006
        assert await count_matches(operator, source, text, progress) == 9001

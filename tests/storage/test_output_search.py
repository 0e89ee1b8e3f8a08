"""Searching stored output: across pieces, in both directions, a bounded part at a time."""

from collections.abc import Sequence

import pytest

from tests.storage.test_output import AT, output_database, row_id
from tui_manager.domain.output_search import OutputMatch, OutputMatches, OutputPattern
from tui_manager.domain.report import Output
from tui_manager.domain.status import Stream
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables import output
from tui_manager.storage.tables.output import OutputOf
from tui_manager.storage.views import output_search

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
    parts, at = list[OutputMatches](), 100 if backwards else 0
    while not parts or not parts[-1].ended:
        after, before = (0, at) if backwards else (at, 0)
        parts.append(output_search.search(tx, TASK, pattern, after, before))
        at = parts[-1].position
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

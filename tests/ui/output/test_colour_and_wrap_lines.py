"""From chunks of bytes to lines, and from lines to rows of cells."""

import re
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from tui_manager.domain.output import output_buffer
from tui_manager.domain.output.output_buffer import PART, OutputBuffer, OutputLine
from tui_manager.domain.output.output_search import OutputPattern
from tui_manager.domain.status import Stream
from tui_manager.operator.api import OutputChunk
from tui_manager.ui.output.colour_and_wrap_lines import crop, highlight, row_count, segments, wrap
from tui_manager.ui.output.line_rows import FAULT_ROWS, LineRows


class Host:
    """One stream of one command host, for tests."""

    def __init__(self, name: str = "web01", stream: Stream = Stream.STDOUT) -> None:
        self.name, self.stream, self.offset = name, stream, 0

    def chunk(self, data: bytes, gap: int = 0) -> OutputChunk:
        chunk = OutputChunk(1, self.name, self.name, 0, self.stream, self.offset, data, gap)
        self.offset += len(data) + gap
        return chunk


def texts(lines: OutputBuffer) -> list[str]:
    return [line.text for line in lines.lines]


def test_a_line_grows_until_its_end() -> None:
    host, lines = Host(), OutputBuffer()
    lines.feed([host.chunk(b"one\ntw")])
    assert texts(lines) == ["one", "tw"]
    lines.feed([host.chunk(b"o\n")])
    assert texts(lines) == ["one", "two"]


def test_streams_and_hosts_keep_their_own_lines() -> None:
    one, two, errors = Host(), Host("web02"), Host(stream=Stream.STDERR)
    lines = OutputBuffer()
    lines.feed([one.chunk(b"a"), two.chunk(b"b"), errors.chunk(b"c"), one.chunk(b"d\n")])
    assert [(line.host, line.stream.value, line.text) for line in lines.lines] == [
        ("web01", "stdout", "ad"),
        ("web02", "stdout", "b"),
        ("web01", "stderr", "c"),
    ]


def test_the_last_rewrite_of_a_progress_line_wins() -> None:
    host, lines = Host(), OutputBuffer()
    lines.feed([host.chunk(b"10%\r20%\r"), host.chunk(b"30"), host.chunk(b"%\rdone\r\nnext\n")])
    assert texts(lines) == ["done", "next"]


def test_a_coloured_progress_line_keeps_its_colour_while_it_stands() -> None:
    host, lines = Host(), OutputBuffer()
    lines.feed([host.chunk(b"\x1b[32m10%\r")])
    assert texts(lines) == ["\x1b[32m10%"]
    lines.feed([host.chunk(b"20%\r\n")])
    assert texts(lines) == ["\x1b[32m20%\x1b[0m"]


def test_characters_cut_between_chunks_come_out_whole() -> None:
    host, lines = Host(), OutputBuffer()
    data = "工程 🚀".encode()
    lines.feed([host.chunk(data[at : at + 1]) for at in range(len(data))])
    assert texts(lines) == ["工程 🚀"]


_PIECES = (b"plain\n", b"1\n2\n", b"a", b"\n", b"\r", b"\t", b"\x1b[31m", b"\x1b[0m", b"\x1b]")
_OTHERS = (b"\x07", b"\xe5\xb7", b"\xa5", b"x" * PART)


@given(st.lists(st.lists(st.sampled_from(_PIECES + _OTHERS), max_size=8), max_size=4))
def test_a_line_that_needs_no_decoder_is_as_with_it(chunks: list[list[bytes]]) -> None:
    """An empty chunk stands for output that is missing."""

    def fields() -> list[list[Any]]:
        host, lines = Host(), OutputBuffer()
        for data in map(b"".join, chunks):
            lines.feed([host.chunk(data, gap=0 if data else 7)])
        return [[getattr(line, name) for name in OutputLine.__slots__] for line in lines.lines]

    found = fields()
    with patch.object(output_buffer, "_PLAIN_LINE", re.compile(rb"(?!)")):
        assert fields() == found


def test_what_is_missing_is_said() -> None:
    host, lines = Host(), OutputBuffer()
    lines.feed([host.chunk(b"tail\n"), host.chunk(b"", gap=1000), host.chunk(b"after\n")])
    assert texts(lines) == ["tail", "… 1.0 kB are gone", "after"]


def test_a_very_long_line_has_parts_that_keep_its_colour() -> None:
    host, lines = Host(), OutputBuffer()
    lines.feed([host.chunk(b"\x1b[31m" + b"x" * 2 * PART), host.chunk(b"y" * PART + b"\n1\n")])
    assert "".join(
        segment.text for line in lines.lines[:-1] for segment in segments(line.text)
    ) == ("x" * 2 * PART + "y" * PART)
    parts = [line.continues for line in lines.lines]
    assert parts == [False, *[True] * (len(parts) - 2), False]
    assert all(
        segments(line.text)[0].style == segments("\x1b[31mx")[0].style for line in lines.lines[:-1]
    )
    assert lines.lines[-1].offset == 5 + 3 * PART + 1


def test_a_rewritten_long_line_has_no_parts_left() -> None:
    host, lines, rows = Host(), OutputBuffer(), LineRows()
    rows.wraps = True
    lines.feed([host.chunk(b"x" * 3 * PART), host.chunk(b"\rdone\n")])
    assert rows.place(lines.lines, 80) == 1
    assert lines.lines[rows.line_at(0)[0]].text == "done"


def row_texts(rows: list[list[Segment]]) -> list[str]:
    return ["".join(run.text for run in row) for row in rows]


def test_colours_become_styles_and_tabs_spaces() -> None:
    runs = segments("a\tb\x1b[1;31mred\x1b[0m\x1b[38;2;1;2;3mx\x1b[0m[b]")
    assert "".join(run.text for run in runs) == "a       bredx[b]"
    red = runs[1].style
    assert red is not None
    assert red.bold
    assert red.color == Color.parse("color(1)")
    assert runs[2].style is not None
    assert runs[2].style.color == Color.parse("rgb(1,2,3)")


def test_lines_break_at_the_width_in_cells() -> None:
    assert row_texts(wrap(segments("abcdefg"), 3)) == ["abc", "def", "g"]
    assert row_texts(wrap(segments("工程师x"), 3)) == ["工", "程", "师x"]
    assert row_texts(wrap(segments("abc"), 3)) == ["abc"]
    assert row_texts(wrap(segments("工"), 1)) == ["工"]
    assert row_texts(wrap(segments("e\u0301x"), 1)) == ["e\u0301", "x"]


def test_cut_lines_say_so_and_fit() -> None:
    for text in ("工程师" * 30, "x" * 100_000, "a\x1b[31mb" * 50):
        cut = row_texts([crop(segments(text), 20)])[0]
        assert cut.endswith("…")
        assert cell_len(cut) <= 20
    assert row_texts([crop(segments("short"), 20)]) == ["short"]


def pane_texts(rows: LineRows, lines: OutputBuffer, count: int) -> list[str]:
    """What the rows of a pane show."""
    shown = []
    for row in range(count):
        number, part = rows.line_at(row)
        shown.append("".join(run.text for run in rows.runs(lines.lines[number], part)))
    return shown


def test_each_line_takes_a_row_or_as_many_as_it_needs() -> None:
    host, lines, rows = Host(), OutputBuffer(), LineRows()
    lines.feed([host.chunk(b"abcdef\n\nxyz\n")])
    assert pane_texts(rows, lines, rows.place(lines.lines, 4)) == ["abc…", "", "xyz"]
    rows.wraps = True
    assert pane_texts(rows, lines, rows.place(lines.lines, 4)) == ["abcd", "ef", "", "xyz"]


def test_lines_that_likely_say_what_went_wrong_are_not_cut_in_their_first_row() -> None:
    errors, lines, rows = Host(stream=Stream.STDERR), OutputBuffer(), LineRows()
    lines.feed([Host().chunk(b"abcdef\n"), errors.chunk(b"ghijkl\n" + b"x" * 40)])
    shown = pane_texts(rows, lines, rows.place(lines.lines, 4))
    assert shown == ["abc…", "ghij", "kl", *["xxxx"] * (FAULT_ROWS - 1), "xxx…"]
    assert rows.part_of(lines.lines[2], 39) == FAULT_ROWS - 1
    rows.failed = True
    assert pane_texts(rows, lines, rows.place(lines.lines, 4))[:3] == ["abcd", "ef", "ghij"]


def test_a_line_of_stderr_in_several_parts_takes_no_more_rows() -> None:
    errors, lines, rows = Host(stream=Stream.STDERR), OutputBuffer(), LineRows()
    lines.feed([errors.chunk(b"\x1b[31m" + b"x" * 3 * PART)])
    shown = pane_texts(rows, lines, rows.place(lines.lines, 80))
    assert shown == [*["x" * 80] * (FAULT_ROWS - 1), "x" * 79 + "…"]


def test_a_line_that_grew_takes_more_rows_and_another_width_too() -> None:
    host, lines, rows = Host(), OutputBuffer(), LineRows()
    rows.wraps = True
    lines.feed([host.chunk(b"abcd")])
    assert rows.place(lines.lines, 4) == 1
    lines.feed([host.chunk(b"ef")])
    assert rows.place(lines.lines, 4) == 2
    assert rows.place(lines.lines, 2) == 3


def test_rows_are_counted_as_they_are_drawn() -> None:
    for text in ("", "abc", "abcd", "a\tb" * 9, "\x1b[31mab\x1b[0mcde", "工程师x", "é" * 9):
        for width in (1, 3, 4, 80):
            assert row_count(text, width) == len(wrap(segments(text), width))


def test_what_was_searched_for_is_highlighted_across_colours() -> None:
    style = Style(reverse=True)
    runs = highlight(segments("one \x1b[31mtw\x1b[0mo two"), [(4, 7), (8, 11)], style)
    assert [run.text for run in runs if run.style and run.style.reverse] == ["tw", "o", "two"]
    assert "".join(run.text for run in runs) == "one two two"


def test_a_match_in_a_long_line_is_found_in_its_row() -> None:
    host, lines, rows = Host(), OutputBuffer(), LineRows()
    rows.wraps, rows.pattern = True, OutputPattern("needle")
    lines.feed([host.chunk("ü".encode() * 50 + b"needle")])
    rows.place(lines.lines, 20)
    assert rows.part_of(lines.lines[0], 100) == 2
    (found,) = [run.text for run in rows.runs(lines.lines[0], 2) if run.style and run.style.reverse]
    assert found == "needle"

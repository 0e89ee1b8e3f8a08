"""The last line of a command, and the progress that it announces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.output.last_line import TEXT_MAX, LastLine, last_line
from tui_manager.domain.status import Stream
from tui_manager.domain.text.safe_text import safe_line

OUT, ERR = Stream.STDOUT, Stream.STDERR


@pytest.mark.parametrize(
    ("printed", "text", "percent"),
    [
        (b"one\ntwo\n", "two", None),
        (b"one\ntwo\n\n  \r\n", "two", None),
        (b"without an end", "without an end", None),
        (b"10%\r 20%\r 61% of 9 MB", "61% of 9 MB", 61),
        (b"done  5%\r", "done  5%", 5),
        (b"  1,238,099  87%  146.38kB/s  0:00:08", "1,238,099  87%  146.38kB/s  0:00:08", 87),
        (b"12.5 %", "12.5 %", 12),
        (b"250% faster", "250% faster", None),
        (b"-5%", "-5%", None),
        (b"1.100%", "1.100%", 1),
        (b"\x1b]9;4;1;42\x07Unpacking", "Unpacking", 42),
        (b"\x1b]9;4;1;42\x1b\\Unpacking 7%", "Unpacking 7%", 42),
        (b"\x1b]9;4;1;42\x07a\n\x1b]9;4;1;43\x07b\n", "b", 43),
        (b"\x1b]9;4;2;42\x07failing", "failing", 42),
        (b"\x1b]9;4;1;900\x07x", "x", 100),
        (b"\x1b]9;4;1;42\x07x\x1b]9;4;0;\x07", "x", None),
        (b"\x1b]9;4;3\x07x", "x", None),
        (b"\x1b[31m\x1b]0;title\x07[b]red[/b]\x1b[0m", "[b]red[/b]", None),
        (b"a\tb", "a b", None),
        ("é \u202eevil".encode(), "é <U+202E>evil", None),
    ],
)
def test_the_last_line_and_its_percentage(printed: bytes, text: str, percent: int | None) -> None:
    assert last_line(printed, b"", OUT) == LastLine(text, False, percent)


def test_the_newest_stream_counts_unless_it_is_blank() -> None:
    assert last_line(b"out\n", b"err\n", ERR) == LastLine("err", True, None)
    assert last_line(b"out\n", b"err\n", OUT) == LastLine("out", False, None)
    assert last_line(b"out\n", b" \n", ERR) == LastLine("out", False, None)
    assert last_line(b" \n", b"", OUT) is None


def test_progress_may_be_announced_on_the_other_stream() -> None:
    assert last_line(b"Unpacking\n", b"\x1b]9;4;1;7\x07", OUT) == LastLine("Unpacking", False, 7)


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(list(Stream)))
def test_any_bytes_become_one_safe_line(stdout: bytes, stderr: bytes, newest: Stream) -> None:
    line = last_line(stdout, stderr, newest)
    if line is not None:
        assert safe_line(line.text) == line.text
        assert len(line.text) <= TEXT_MAX
        assert line.percent is None or 0 <= line.percent <= 100

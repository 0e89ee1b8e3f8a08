"""What a terminal shows is read from what was written to it."""

from tests.monkey.terminal_screen import TerminalScreen


def shown(*pieces: str) -> list[str]:
    screen = TerminalScreen(10, 3)
    for piece in pieces:
        screen.feed(piece)
    return screen.lines


def test_text_stands_where_it_was_put() -> None:
    assert shown("\x1b[2;3Hab", "\x1b[1;1Hc") == ["c", "  ab", ""]


def test_a_sequence_may_come_in_two_pieces() -> None:
    assert shown("\x1b[2", ";3Hab\x1b[3", "1mc") == ["", "  abc", ""]
    assert shown("\x1b]52;c;YWJj", "\x1b\\x") == ["x", "", ""]


def test_wide_characters_take_two_cells_and_marks_none() -> None:
    assert shown("\x1b[1;1H备e\u0301x", "\x1b[1;4Hy") == ["备e\u0301y", "", ""]


def test_lines_and_screens_are_cleared_and_not_wrapped() -> None:
    assert shown("0123456789abc") == ["0123456789", "", ""]
    assert shown("abc\r\ndef\x1b[1;2H\x1b[K") == ["a", "def", ""]
    assert shown("abc\r\ndef\x1b[2J") == ["", "", ""]


def test_another_size_cuts_and_fills() -> None:
    screen = TerminalScreen(10, 3)
    screen.feed("0123456789\r\nab")
    screen.resize(4, 2)
    assert screen.lines == ["0123", "ab"]
    screen.resize(12, 4)
    screen.feed("\x1b[4;12Hx")
    assert screen.lines == ["0123", "ab", "", " " * 11 + "x"]

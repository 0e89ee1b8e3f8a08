"""What a host sends cannot move the cursor, hide text or turn it round."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_manager.domain.text.safe_text import SafeTextDecoder, safe_line, safe_text

SGR = re.compile("\x1b\\[[0-9;]*m")
# What no piece may hold once its colours are taken out.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.text(max_size=8).map(lambda text: text.encode(errors="replace")),
        st.sampled_from(
            [
                b"\x1b[31m",
                b"\x1b[0m",
                b"\x1b[38;2;1;2;3m",
                b"\x1b[8m",
                b"\x1b]0;title\x07",
                b"\x1b]52;c;eA==\x1b\\",
                b"\x1b[2J",
                b"\x1bP$q",
                b"\xc2\x9b5n",
                b"\r",
                b"\n",
                b"\x1b",
                "\u202e".encode(),
                "工程".encode(),
            ]
        ),
    ),
    max_size=12,
)


def decode(*data: bytes, colours: bool = True, rewrites: bool = False) -> str:
    decoder = SafeTextDecoder(colours=colours, rewrites=rewrites)
    pieces = [piece for part in data for piece in decoder.feed(part)]
    return "".join(pieces + decoder.close())


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"plain [bold]text[/bold]\n", "plain [bold]text[/bold]\n"),
        ("工程 🚀 naïve\tx".encode(), "工程 🚀 naïve\tx"),
        (b"\x1b[31mred\x1b[0m after", "\x1b[31mred\x1b[0m after"),
        (b"\x1b[1m\x1b[31mred", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b[31ma\nb", "\x1b[31ma\x1b[0m\n\x1b[31mb\x1b[0m"),
        (b"\x1b[38;5;208mx", "\x1b[38;5;208mx\x1b[0m"),
        (b"\x1b[38:2::1:2:3mx", "\x1b[38;2;1;2;3mx\x1b[0m"),
        (b"\x1b[38;5;999mx", "x"),
        (b"\x1b[58;5;1;31mx", "\x1b[31mx\x1b[0m"),
        (b"\x1b[8mhidden", "hidden"),
        (b"\x1b[5mblink", "blink"),
        (b"\x1b[>4;1mx", "x"),
        (b"\x1b[2J\x1b[1;1H\x1b[?1049hx", "x"),
        (b"\x1b]0;owned\x07x", "x"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bP+q544e\x1b\\x", "x"),
        (b"\x1b_Gf=100;AAAA\x1b\\x", "x"),
        (b"\x1b(0lqk\x1b(B", "lqk"),
        (b"\x1bc\x1b7\x1b8x", "x"),
        ("a\x9b2Jb\x9d0;t\x07c\x85d".encode(), "abc<U+0085>d"),
        (b"a\x9b2Jb", "a\ufffd2Jb"),
        (b"a\x08b\x0cc\x00\x07", "a␈b␌c"),
        (b"one\r\ntwo\rthree", "one\ntwo␍three"),
        ("abc\u202edef\u2066\u200b".encode(), "abc<U+202E>def<U+2066><U+200B>"),
        ("z" + "\u0301" * 50, "z" + "\u0301" * 3),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xe5\xb7", "\ufffd"),
        (b"ends in \x1b", "ends in ␛"),
        (b"\x1b]0;never ended\nnext", "␛\nnext"),
        (b"\x1b[12\x01x", "␛␁x"),
    ],
)
def test_known_attacks(sent: bytes | str, shown: str) -> None:
    assert decode(sent if isinstance(sent, bytes) else sent.encode()) == shown


def test_a_title_that_never_ends_hides_at_most_a_bounded_piece() -> None:
    text = decode(b"\x1b]0;" + b"x" * 10_000)
    assert text.count("x") == 10_000


def test_carriage_returns_are_passed_on_for_a_reader_that_rewrites() -> None:
    decoder = SafeTextDecoder(rewrites=True)
    assert decoder.feed(b"\x1b[32m10%\r20%\r") == [
        "\x1b[32m",
        "10%",
        "\x1b[0m",
        "\r",
        "\x1b[32m",
        "20%",
    ]
    assert decoder.feed(b"\nx") == ["\x1b[0m", "\n", "\x1b[32m", "x"]


def test_a_name_stays_on_one_line_and_colourless() -> None:
    assert safe_line("a\nb\tc\x1b[31md\u202e") == "a␊b␉cd<U+202E>"


def test_a_lone_surrogate_is_replaced() -> None:
    assert safe_text("a\ud800b") == "a\ufffdb"


@given(PIECES)
def test_only_colours_and_printable_characters_come_out(parts: list[bytes]) -> None:
    text = decode(*parts)
    assert not UNSAFE.search(SGR.sub("", text))
    assert not UNSAFE.search(safe_text(b"".join(parts)))


@given(PIECES)
def test_where_the_bytes_are_cut_does_not_matter(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    for rewrites in (False, True):
        single = [whole[at : at + 1] for at in range(len(whole))]
        assert decode(*single, rewrites=rewrites) == decode(whole, rewrites=rewrites)


@given(PIECES)
def test_every_line_resets_its_colours(parts: list[bytes]) -> None:
    for line in decode(*parts).split("\n"):
        codes = SGR.findall(line)
        assert not codes or codes[-1] == "\x1b[0m"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_plain_text_is_left_alone(text: str) -> None:
    assert safe_text(text) == text

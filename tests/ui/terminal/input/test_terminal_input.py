"""What the bytes of a terminal stand for."""

import pytest
import textual._parser
from textual.events import Key, MouseMove, Paste

from tui_manager.ui.terminal.input.terminal_input import TerminalInput


@pytest.fixture(autouse=True)
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on how long a test takes."""
    monkeypatch.setattr(textual._parser, "get_time", lambda: 1.0)


def time_is_over(terminal: TerminalInput) -> list[str]:
    """The keys that are there because nothing has followed."""
    assert terminal.waits
    terminal._parser._timeout_time = 0.0
    return [message.key for message in terminal.tick() if isinstance(message, Key)]


def read(*parts: bytes) -> list[str]:
    """The keys and the pastes of what is read in these parts, one directly after the other."""
    terminal = TerminalInput(debug=False)
    said = list[str]()
    for part in parts:
        for message in terminal.feed(part):
            assert isinstance(message, Key | Paste)
            said.append(message.key if isinstance(message, Key) else f"pasted {message.text}")
    return said


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"\x1by", ["escape", "y"]),
        (b"\x1by\x1by", ["escape", "y", "escape", "y"]),
        (b"\x1b1", ["escape", "1"]),
        (b"\x1b\r", ["escape", "enter"]),
        (b"\x1b\x13", ["escape", "ctrl+s"]),
        ("\x1bé".encode(), ["escape", "é"]),
        (b"\x1b\x1by", ["escape", "escape", "y"]),
        (b"\x1b[27uy", ["escape", "y"]),
    ],
)
def test_an_escape_and_a_key_are_two_however_they_are_read(typed: bytes, keys: list[str]) -> None:
    for at in range(len(typed)):
        assert read(typed[:at], typed[at:]) == keys, at


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"\x1b[Ay", ["up", "y"]),
        (b"\x1bOP", ["f1"]),
        (b"\x1b\t", ["shift+tab"]),
        (b"\x1b\x7f", ["ctrl+w"]),  # alt+backspace
        (b"\x1bb\x1bf", ["ctrl+left", "ctrl+right"]),  # alt+left and alt+right of a Mac
    ],
)
def test_other_keys_that_begin_with_an_escape_are_one(typed: bytes, keys: list[str]) -> None:
    for at in range(len(typed)):
        assert read(typed[:at], typed[at:]) == keys, at


def test_an_escape_that_nothing_follows_is_a_key() -> None:
    terminal = TerminalInput(debug=False)
    assert [*terminal.feed(b"\x1b")] == []
    assert time_is_over(terminal) == ["escape"]
    keys = [message.key for message in terminal.feed(b"[200~") if isinstance(message, Key)]
    assert keys[0] == "left_square_bracket"
    assert [message.key for message in terminal.feed(b"\x1b[A") if isinstance(message, Key)] == [
        "up"
    ]


def test_a_sequence_whose_end_is_read_late_is_not_cut() -> None:
    terminal = TerminalInput(debug=False)
    assert [*terminal.feed(b"\x1b[<35;1")] == []
    terminal._parser._timeout_time = 0.0  # the app was busy
    (moved,) = terminal.feed(b"0;20M")
    assert isinstance(moved, MouseMove)


@pytest.mark.parametrize(
    "pasted", [b"a\x1bb\x1bx\x1b[1\x1b[20y", b"\x1b", b"\x1b[201", b"\x1b[200~a", b""]
)
def test_no_escape_of_a_paste_makes_keys_of_it_however_it_is_read(pasted: bytes) -> None:
    typed = b"z\x1b[200~" + pasted + b"\x1b[201~\x1by"
    text = pasted.decode().replace("\x1b", "")
    for at in range(len(typed)):
        for to in range(at, len(typed)):
            parts = (typed[:at], typed[at:to], typed[to:])
            assert read(*parts) == ["z", f"pasted {text}", "escape", "y"], parts

"""What a monkey does to the screen, and how a terminal would send it.

Both monkeys use these: the one over the app with the fake operator, and the one in a real terminal.
"""

from dataclasses import dataclass

from textual.keys import key_to_character

SIZES = ((60, 15), (80, 24), (120, 36), (200, 50))  # columns and lines

_KEYS = {
    "slash": "/", "enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f",
    "shift+tab": "\x1b[Z",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~", "pagedown": "\x1b[6~",
    "insert": "\x1b[2~", "delete": "\x1b[3~", "f1": "\x1bOP", "f2": "\x1bOQ", "f5": "\x1b[15~",
    "shift+up": "\x1b[1;2A", "shift+down": "\x1b[1;2B", "ctrl+right": "\x1b[1;5C",
    "ctrl+left": "\x1b[1;5D", "ctrl+home": "\x1b[1;5H", "ctrl+end": "\x1b[1;5F",
}  # fmt: skip
_LEFT, _MOVED, _WHEEL_UP, _WHEEL_DOWN = 0, 35, 64, 65
_DRAGGED = 32  # added to the button that is held


class Input:
    """Something that the monkey does; its repr is a line of the report."""


@dataclass(frozen=True)
class Key(Input):
    """A key as Textual names it."""

    name: str


@dataclass(frozen=True)
class Text(Input):
    """Keys typed at once, faster than anything can answer."""

    text: str


@dataclass(frozen=True)
class Paste(Input):
    """A bracketed paste."""

    text: str


@dataclass(frozen=True)
class Raw(Input):
    """What a broken terminal sends."""

    text: str


@dataclass(frozen=True)
class Click(Input):
    """Clicks at a place, a share of the width and of the height."""

    x: float
    y: float
    times: int = 1
    button: int = _LEFT


@dataclass(frozen=True)
class Wheel(Input):
    """The wheel turns at a place."""

    x: float
    y: float
    steps: int  # below 0: up


@dataclass(frozen=True)
class Move(Input):
    """The mouse moves over a place."""

    x: float
    y: float


@dataclass(frozen=True)
class Drag(Input):
    """From one place to another with the left button held."""

    x: float
    y: float
    to_x: float
    to_y: float


@dataclass(frozen=True)
class Resize(Input):
    """The terminal gets another size."""

    columns: int
    lines: int


@dataclass(frozen=True)
class Wait(Input):
    """So many seconds pass without any input."""

    seconds: float


@dataclass(frozen=True)
class Turns(Input):
    """The program goes on for so many turns of its loop, without coming to rest."""

    number: int


@dataclass(frozen=True)
class Change(Input):
    """Something happens in the fleet; what exactly, comes from the number."""

    kind: str
    number: int


@dataclass(frozen=True)
class Check(Input):
    """All trouble ends, the program comes to rest, and what it shows is compared."""


def as_sent(what: Input, columns: int, lines: int) -> list[str]:
    """What a terminal of this size sends for it, in pieces between which it may pause."""
    match what:
        case Key(name):
            return [_key(name)]
        case Text(text) | Raw(text):
            return [text]
        case Paste(text):
            return [f"\x1b[200~{text}\x1b[201~"]
        case Click(x, y, times, button):
            at = _place(x, y, columns, lines)
            return [f"\x1b[<{button};{at}M\x1b[<{button};{at}m"] * times
        case Wheel(x, y, steps):
            at = _place(x, y, columns, lines)
            code = _WHEEL_UP if steps < 0 else _WHEEL_DOWN
            return [f"\x1b[<{code};{at}M"] * abs(steps)
        case Move(x, y):
            return [f"\x1b[<{_MOVED};{_place(x, y, columns, lines)}M"]
        case Drag(x, y, to_x, to_y):
            start, end = _place(x, y, columns, lines), _place(to_x, to_y, columns, lines)
            return [
                f"\x1b[<{_LEFT};{start}M",
                f"\x1b[<{_LEFT + _DRAGGED};{end}M",
                f"\x1b[<{_LEFT};{end}m",
            ]
    return []


def _key(name: str) -> str:
    if name in _KEYS:
        return _KEYS[name]
    if name.startswith("ctrl+"):
        return chr(ord(name[-1]) & 0x1F)
    return key_to_character(name) or name


def _place(x: float, y: float, columns: int, lines: int) -> str:
    return f"{int(x * columns) + 1};{int(y * lines) + 1}"

"""Texts of HTML: what hosts and operators wrote, made harmless; and the colours of output. Pure."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from tui_manager.domain.text.output_colours import RESET
from tui_manager.domain.text.safe_text import safe_line, safe_text

_ESCAPE = "\x1b["
_WEIGHTS = {1: "b", 2: "w", 3: "i", 4: "u", 9: "s"}
# The sixteen colours of a terminal, as they look on the dark ground of output.
_BASE = (
    *("#6e7681", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#c9d1d9"),
    *("#8b949e", "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#a0f0f5", "#ffffff"),
)
_STEPS = (0, 95, 135, 175, 215, 255)  # of red, green and blue in the cube of 216 colours
_CUBE, _GREYS = 16, 232


def text(value: str) -> str:
    """A text of one line. Control characters are removed or made visible."""
    return escape(safe_line(value))


def block(value: str) -> str:
    """A text of several lines."""
    return escape(safe_text(value))


def time(value: str | None) -> str:
    """An instant in RFC 3339, as people read it."""
    if value is None:
        return "–"  # noqa: RUF001
    day, _, clock = value.removesuffix("Z").partition("T")
    return f'<time datetime="{value}">{day} {clock.partition(".")[0]} UTC</time>'


class _Look(NamedTuple):
    """How a piece of output looks: classes of weights, numbers of colours among 256."""

    weights: tuple[str, ...] = ()
    reverse: bool = False
    foreground: int | None = None
    background: int | None = None

    def classes(self) -> list[str]:
        front, ground = self.foreground, self.background
        colours = [f"f{front}"] if front is not None else []
        colours += [f"g{ground}"] if ground is not None else []
        if self.reverse:
            colours = [f"f{ground}" if ground is not None else "fr"]
            colours.append(f"g{front}" if front is not None else "gr")
        return [*self.weights, *colours]


class ColouredText:
    """Output with its colours as elements. Remembers which colours need a rule in the style."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def line(self, safe: str) -> str:
        """A line of safe text, which sets its colours and resets them at its end."""
        if _ESCAPE not in safe:
            return escape(safe)
        parts, is_open = [], False
        for piece in _pieces(safe):
            if not piece.startswith(_ESCAPE):
                parts.append(escape(piece))
                continue
            if is_open:
                parts.append("</span>")
            is_open = False
            if piece != RESET and (classes := _look(piece).classes()):
                self._used.update(classes)
                parts.append(f'<span class="{" ".join(classes)}">')
                is_open = True
        return "".join(parts) + ("</span>" if is_open else "")

    def rules(self) -> str:
        """The rules of CSS for the colours that were used."""
        return "".join(sorted(_rule(name) for name in self._used if name[1:].isdigit()))


def _pieces(safe: str) -> Iterable[str]:
    """Texts and colour sequences."""
    first, *others = safe.split(_ESCAPE)
    yield first
    for other in others:
        parameters, _, rest = other.partition("m")
        yield f"{_ESCAPE}{parameters}m"
        if rest:
            yield rest


def _look(sequence: str) -> _Look:
    """What a sequence sets that `Colours` has made: all after a reset, in one canonical form."""
    weights, reverse, foreground, background = [], False, None, None
    codes = iter(sequence.removeprefix(_ESCAPE).removesuffix("m").split(";"))
    for code in map(int, codes):
        if code in _WEIGHTS:
            weights.append(_WEIGHTS[code])
        elif code == 7:
            reverse = True
        elif code == 38:
            foreground = _extended(codes)
        elif code == 48:
            background = _extended(codes)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            foreground = code - 30 if code < 90 else code - 82
        elif 40 <= code <= 47 or 100 <= code <= 107:
            background = code - 40 if code < 100 else code - 92
    return _Look(tuple(weights), reverse, foreground, background)


def _extended(codes: Iterable[str]) -> int:
    """One of 256 colours; a colour of its own becomes the nearest of the cube."""
    kind, *_ = (next(iter(codes)),)
    if kind == "5":
        return int(next(iter(codes)))
    levels = [_nearest(int(next(iter(codes)))) for _ in range(3)]
    return _CUBE + 36 * levels[0] + 6 * levels[1] + levels[2]


def _nearest(value: int) -> int:
    return min(range(len(_STEPS)), key=lambda step: abs(_STEPS[step] - value))


def _rule(name: str) -> str:
    kind = "color" if name[0] == "f" else "background"
    return f".{name}{{{kind}:{_colour(int(name[1:]))}}}"


def _colour(number: int) -> str:
    if number < _CUBE:
        return _BASE[number]
    if number >= _GREYS:
        return "#" + f"{8 + 10 * (number - _GREYS):02x}" * 3
    red, rest = divmod(number - _CUBE, 36)
    return "#" + "".join(f"{_STEPS[step]:02x}" for step in (red, *divmod(rest, 6)))

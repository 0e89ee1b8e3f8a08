"""Lines as an SVG: panels under each other, one unit each. No plotting library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _GAP = 900, 150, 76, 16, 54, 44
_COLOURS = ("#2563eb", "#d97706", "#059669")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#374151}.title{font-size:15px;font-weight:600}"
    ".axis{stroke:#9ca3af;fill:none}.grid{stroke:#e5e7eb}.event{stroke:#ef4444;opacity:.35}"
    "polyline{fill:none;stroke-width:1.5}"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """What lies along the bottom of all panels: its length, and what stands where."""

    length: float
    ticks: Sequence[tuple[float, str]]


def minutes(seconds: float) -> Axis:
    """Time."""
    parts = [seconds * quarter / 4 for quarter in range(5)]
    return Axis(seconds, [(part, f"{part / 60:.3g} min") for part in parts])


@dataclass(frozen=True, slots=True)
class Line:
    """A name and its points (along the axis, value); None breaks the line."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share a unit."""

    title: str
    lines: Sequence[Line]


def draw(title: str, panels: Sequence[Panel], axis: Axis, events: Sequence[float] = ()) -> str:
    """The whole picture; `events` are places on the axis that are marked in all panels."""
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, _TOP + number * (_HEIGHT + _GAP), axis, events)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: float, axis: Axis, events: Sequence[float]) -> list[str]:
    values = [value for line in panel.lines for _, value in line.points if value is not None]
    most = _round_up(max(values, default=1.0))
    bottom = top + _HEIGHT
    parts = [f'<text x="{_LEFT}" y="{top - 6:g}">{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        y = bottom - share * _HEIGHT
        parts.append(f'<path class="grid" d="M{_LEFT} {y:g}H{_WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:g}" text-anchor="end">{share * most:g}</text>'
        )
    parts += [
        f'<path class="event" d="M{_x(at, axis.length):.1f} {top:g}V{bottom:g}"/>' for at in events
    ]
    for at, text in axis.ticks:
        anchor = "start" if at <= 0 else "end" if at >= axis.length else "middle"
        parts.append(
            f'<text x="{_x(at, axis.length):.1f}" y="{bottom + 16:g}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )
    for number, line in enumerate(panel.lines):
        colour = _COLOURS[number % len(_COLOURS)]
        x = _WIDTH - _RIGHT - 110 * (len(panel.lines) - number)
        parts.append(
            f'<text x="{x}" y="{top - 6:g}" style="fill:{colour}">{escape(line.name)}</text>'
        )
        parts += _line(line, colour, most, bottom, axis.length)
    parts.append(f'<path class="axis" d="M{_LEFT} {top:g}V{bottom:g}H{_WIDTH - _RIGHT}"/>')
    return parts


def _line(line: Line, colour: str, most: float, bottom: float, length: float) -> list[str]:
    pieces: list[list[str]] = [[]]
    for at, value in line.points:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{_x(at, length):.1f},{bottom - value / most * _HEIGHT:.1f}")
    return [
        f'<polyline stroke="{colour}" points="{" ".join(piece)}"/>' for piece in pieces if piece
    ]


def _x(at: float, length: float) -> float:
    return _LEFT + at / max(length, 1e-9) * (_WIDTH - _LEFT - _RIGHT)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50…"""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{int(value)}") - 1) if value >= 1 else 0.001
    while True:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10

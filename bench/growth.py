"""How each figure grows with the number of agents: one picture."""

from collections.abc import Sequence

from bench.chart import Axis, Line, Panel, draw
from bench.figures import Figure

_PANELS = (
    ("connect_seconds", "all connected, seconds"),
    ("restart_seconds", "all back after a restart, seconds"),
    ("idle_cpu", "idle: CPU of the manager, % of a core"),
    ("idle_memory", "idle: memory an agent, kB"),
    ("command_rate", "short commands, results committed a second"),
    ("command_cpu", "manager's CPU a command, ms"),
)
_FLOOR = "floor"


def growth(figures: Sequence[Figure]) -> str:
    """The SVG."""
    most = max((figure.agents for figure in figures), default=1)
    sizes = sorted({figure.agents for figure in figures if figure.agents})
    ticks = [(0.0, "0"), *((float(size), f"{size:,}") for size in sizes if size >= most / 10)]
    panels = [Panel(title, _lines(key, figures)) for key, title in _PANELS]
    return draw("What grows with the number of agents", panels, Axis(most, ticks))


def _lines(key: str, figures: Sequence[Figure]) -> list[Line]:
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for figure in sorted(figures, key=lambda figure: figure.agents):
        if figure.key != key:
            continue
        lines.setdefault(figure.security, []).append((figure.agents, figure.value))
        if figure.floor is not None:
            name = f"{_FLOOR} {figure.security}"
            lines.setdefault(name, []).append((figure.agents, figure.floor))
    return [Line(name, points) for name, points in lines.items()]

"""What a benchmark found: figures, each beside its floor where it has one; tables and JSON."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

INSECURE = "insecure"
MTLS = "mTLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number.

    Attributes:
        key: by which budgets and plots find it.
        what: the same in words.
        agents: how many were online; 0 where that means nothing.
        security: of their streams; empty where that means nothing.
        floor: what the bare machine does, in the same unit, in the same run.
        floor_of: what that is.
        note: what else must be known to read it.
    """

    key: str
    what: str
    value: float
    unit: str
    agents: int = 0
    security: str = ""
    floor: float | None = None
    floor_of: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its floor."""
        return self.value / self.floor if self.floor else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under each other; the first to the left, numbers to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    aligned: list[Callable[[str, int], str]] = [
        str.rjust if any(row[column][:1].isdigit() for row in rows) else str.ljust
        for column in range(len(head))
    ]
    aligned[0] = str.ljust

    def line(cells: Sequence[str]) -> str:
        parts = [put(cell, width) for put, cell, width in zip(aligned, cells, widths, strict=True)]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(head), rule, *map(line, rows)])


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if value and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}"


def figure_table(figures: Sequence[Figure]) -> str:
    """All figures of a benchmark as people read them."""
    head = ("what", "agents", "security", "measured", "unit", "floor", "ratio", "floor of")
    return table(
        head,
        [
            (
                figure.what,
                f"{figure.agents:,}" if figure.agents else "",
                figure.security,
                number(figure.value),
                figure.unit,
                "" if figure.floor is None else number(figure.floor),
                "" if figure.ratio is None else f"{figure.ratio:.2f}",
                figure.floor_of,
            )
            for figure in figures
        ],
    )


def save(folder: Path, name: str, machine: dict[str, Any], figures: Sequence[Figure]) -> None:
    """Writes FOLDER/NAME.json."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"benchmark": name, "machine": machine, "figures": [asdict(each) for each in figures]}
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of all do not exceed: the nearest rank. There must be one."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

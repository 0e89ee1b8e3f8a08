"""The strip: the whole fleet in one line, a cell a host while they fit, else a cell for several."""

from collections.abc import Sequence

from tui_manager.ui.drawing.spans import Span
from tui_manager.ui.drawing.states import OFFLINE, PARTLY, WAITING


def strip_cells(glyphs: Sequence[Span], width: int) -> tuple[Span, ...]:
    """At most `width` cells for hosts with these glyphs."""
    if len(glyphs) <= width:
        return tuple(glyphs)
    return tuple(worst(glyphs[first:last]) for first, last in _buckets(len(glyphs), max(width, 0)))


def worst(glyphs: Sequence[Span]) -> Span:
    """What one cell says for several hosts: all alike as they are, some offline as half full."""
    kinds = set(glyphs)
    if len(kinds) == 1:
        return glyphs[0]
    if OFFLINE in kinds:
        return PARTLY
    if WAITING in kinds:
        return WAITING
    return max(glyphs, key=glyphs.count)


def hosts_at(cell: int, hosts: int, width: int) -> range:
    """Which hosts, by their place in the list, the cell at `cell` stands for."""
    if hosts <= width:
        return range(cell, min(cell + 1, hosts))
    buckets = list(_buckets(hosts, width))
    return range(*buckets[cell]) if 0 <= cell < len(buckets) else range(0)


def _buckets(hosts: int, width: int) -> list[tuple[int, int]]:
    return [(hosts * cell // width, hosts * (cell + 1) // width) for cell in range(width)]

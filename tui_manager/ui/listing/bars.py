"""Progress bars and sparklines."""

from collections.abc import Sequence

from tui_manager.domain.task import Counts
from tui_manager.ui.listing.cells import Role, Span, Spans

_SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int, top: float = 100.0) -> str:
    """The last `width` values between 0 and `top`, filled up on the left."""
    shown = values[-width:] if width > 0 else ()
    marks = (min(max(value / top, 0.0), 1.0) * (len(_SPARKS) - 1) for value in shown)
    return "".join(_SPARKS[round(mark)] for mark in marks).rjust(width)


def progress_bar(counts: Counts, width: int, *, ended: bool = False) -> Spans:
    """Completed, faulty, canceled and open command hosts, in proportion. What exists is at least
    one cell wide, and the bar is full only when all have ended. What has `ended` is quiet."""
    parts = (
        ("█", Role.MUTED if ended else Role.GOOD, counts.completed),
        ("▓", Role.FAULT, counts.faults),
        ("▒", Role.CAUTION, counts.canceled),
        ("░", Role.MUTED, counts.total - counts.ended if counts.total else 1),
    )
    cells = apportion([number for _, _, number in parts], width)
    return tuple(
        Span(glyph * number, role)
        for (glyph, role, _), number in zip(parts, cells, strict=True)
        if number
    )


def apportion(numbers: Sequence[int], width: int) -> list[int]:
    """`width` cells divided as `numbers` are, with a cell for each that is not zero."""
    total = sum(numbers)
    if not total or width <= 0:
        return [0] * len(numbers)
    cells = [max(1, int(number * width / total)) if number else 0 for number in numbers]
    while (excess := sum(cells) - width) != 0:
        # The widest gives up what is too much; the one furthest below its share takes what is left.
        if excess > 0:
            cells[max(range(len(cells)), key=cells.__getitem__)] -= 1
        else:
            short = [
                number * width / total - cell for number, cell in zip(numbers, cells, strict=True)
            ]
            cells[max(range(len(cells)), key=short.__getitem__)] += 1
    return cells

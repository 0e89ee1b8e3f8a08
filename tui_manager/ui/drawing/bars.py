"""Bars that show how much of something is done. Pure."""

from collections.abc import Sequence

from tui_manager.domain.tasks.task import Counts
from tui_manager.ui.drawing.spans import Role, Span, Spans, spans


def progress_bar(
    counts: Counts, width: int, *, ended: bool = False, percent: int | None = None
) -> Spans:
    """Completed, faulty, canceled and open command hosts, in proportion. Each that is not zero has
    at least one cell. The bar is full only if all have ended. A task that has `ended` is muted.

    Args:
        percent: of the work of the running ones that is done; None: they do not say.
    """
    done = counts.running * (percent or 0)
    open_ones = 100 * (counts.total - counts.ended) - done
    parts = (
        ("█", Role.MUTED if ended else Role.GOOD, 100 * counts.completed),
        ("▓", Role.FAULT, 100 * counts.faults),
        ("▒", Role.CAUTION, 100 * counts.canceled),
        ("▄", Role.ACTIVE, done),
        ("░", Role.MUTED, open_ones if counts.total else 1),
    )
    cells = divide_cells([number for _, _, number in parts], width)
    return tuple(
        Span(glyph * number, role)
        for (glyph, role, _), number in zip(parts, cells, strict=True)
        if number
    )


_PERCENT_BAR_MOST = 9  # cells


def percent_bar(percent: int, width: int, cells_most: int = _PERCENT_BAR_MOST) -> Spans:
    """`▇▇▇▇▁▁ 61%`; only the number without room."""
    cells = min(cells_most, width - len(" 100%"))
    text = f"{percent:>3}%"
    if cells < 2:
        return spans(text.strip(), Role.ACTIVE)
    full = min(cells, percent * cells // 100)
    bar = (Span("▇" * full, Role.ACTIVE), Span("▁" * (cells - full), Role.MUTED))
    return (*(span for span in bar if span.text), Span(f" {text}"))


def divide_cells(numbers: Sequence[int], width: int) -> list[int]:
    """`width` cells in the proportion of `numbers`; at least one cell for each that is not zero."""
    total = sum(numbers)
    if not total or width <= 0:
        return [0] * len(numbers)
    cells = [max(1, int(number * width / total)) if number else 0 for number in numbers]
    while (excess := sum(cells) - width) != 0:
        # Too many: the widest loses one. Too few: the one furthest below its share gets one.
        if excess > 0:
            cells[max(range(len(cells)), key=cells.__getitem__)] -= 1
        else:
            short = [
                number * width / total - cell for number, cell in zip(numbers, cells, strict=True)
            ]
            cells[max(range(len(cells)), key=short.__getitem__)] += 1
    return cells

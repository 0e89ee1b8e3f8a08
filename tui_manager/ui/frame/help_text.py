"""The help: every key of the table, and what the glyphs mean."""

from collections.abc import Iterable

from rich.cells import cell_len

from tui_manager.ui.actions import ACTIONS, Group
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.drawing.states import LEGEND

_KEY = 9  # cells


def help_lines(width: int) -> tuple[Spans, ...]:
    """In two columns where there is room for them."""
    left = [*_group(Group.TASKS), (), *_group(Group.LISTS), (), *_legend()]
    right = [*_group(Group.HOSTS), (), *_group(Group.OUTPUT), (), *_group(Group.SCREENS)]
    need = 1 + max(sum(cell_len(span.text) for span in line) for line in left)
    if width < need + max(sum(cell_len(span.text) for span in line) for line in right):
        return (*left[: -len(_legend())], *right, (), *_legend())
    rows = max(len(left), len(right))
    padded = [*left, *[()] * (rows - len(left))], [*right, *[()] * (rows - len(right))]
    return tuple((*fit(a, need), *b) for a, b in zip(*padded, strict=True))


def _group(group: Group) -> list[Spans]:
    lines: list[Spans] = [(Span(group.value, Role.STRONG),)]
    for action in ACTIONS:
        if action.group is group:
            asks = (Span("  asks", Role.CAUTION),) if action.destructive else ()
            lines.append((Span(f"  {action.shown:<{_KEY}}", Role.ACTIVE), Span(action.text), *asks))
    return lines


def _legend() -> list[Spans]:
    half = (len(LEGEND) + 1) // 2
    pairs = zip(LEGEND[:half], [*LEGEND[half:], None], strict=False)
    lines: list[Spans] = [(Span("Glyphs", Role.STRONG),)]
    for first, second in pairs:
        line: list[Span] = [Span("  "), *_glyph(first, 24)]
        if second:
            line += _glyph(second, 0)
        lines.append(tuple(line))
    return lines


def _glyph(entry: tuple[Span, str], width: int) -> Iterable[Span]:
    glyph, words = entry
    return (glyph, Span(f" {words:<{width}}" if width else f" {words}"))

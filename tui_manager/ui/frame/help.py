"""The help: every key of the table, and what the glyphs mean."""

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import ModalScreen

from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit
from tui_manager.ui.drawing.state_words_and_colours import LEGEND
from tui_manager.ui.key_bindings import ACTIONS, MOVES, Group
from tui_manager.ui.terminal.closable import ClosableScreen

_KEY = 9  # cells


def help_lines(width: int) -> tuple[Spans, ...]:
    """In two columns if there is room for them."""
    left = [*_group(Group.TASKS), (), *_group(Group.LISTS), (), *_group(Group.OUTPUT)]
    left += [(), *_legend()]
    right = [*_group(Group.HOSTS), (), *_group(Group.SCHEDULES), (), *_group(Group.SCREENS)]
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
    if group is Group.LISTS:
        lines += [(Span(f"  {keys:<{_KEY}}", Role.ACTIVE), Span(text)) for keys, text in MOVES]
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


class HelpScreen(ModalScreen[None], ClosableScreen[None]):
    """All keys. The key that opened it closes it, and so does esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "close", "Back")]

    def compose(self) -> ComposeResult:
        """One page that scrolls if it does not fit."""
        with TextScroll(id="help", classes="dialog") as sheet:
            sheet.border_title = "Keys"
            sheet.border_subtitle = "esc"
            yield SpanLines(id="help-lines")

    def on_resize(self, event: Resize) -> None:
        """Two columns or one."""
        lines = help_lines(min(event.size.width - 6, 116))
        self.query_one(SpanLines).set_lines(lines)

    def action_close(self) -> None:
        """Goes back to the screen before."""
        self.dismiss()

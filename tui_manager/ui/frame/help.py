"""The help: every key of the table, those of the pane with the focus first, and what the glyphs
mean."""

from collections.abc import Iterable, Sequence
from itertools import chain, combinations, pairwise, zip_longest
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui_manager.ui.action import Action, Group, KeyMap, Pane
from tui_manager.ui.action_table import ACTIONS, FORM_KEYS, MOVES
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, fit, width_of
from tui_manager.ui.drawing.state_words_and_colours import LEGEND
from tui_manager.ui.terminal.closable import ClosableScreen

_KEY = 10  # cells
_MARGIN = 5  # cells beside the lines
_WIDEST = 184  # cells of the lines
_COLUMNS, _GAP = 3, 2
_GLYPH = 26  # cells of a glyph with its words


def help_lines(
    width: int, keys: KeyMap, pane: Pane | None = None, text: str = ""
) -> tuple[Spans, ...]:
    """The lines of the help, in two columns if there is room for them.

    Args:
        pane: its keys stand first.
        text: only keys whose words contain it; empty for all.
    """
    here = [action for action in ACTIONS if pane in action.panes]
    sections = [_section(f"In {pane}", here, keys, text)] if here else []
    for group in Group:
        others = [action for action in ACTIONS if action.group is group and action not in here]
        sections.append(_section(group, others, keys, text))
    sections += [_fixed("Moving", MOVES, text), _fixed("In forms", FORM_KEYS, text)]
    sections.append(_legend(text))
    return _columns([section for section in sections if section], width) or (
        (Span(f"No key or sign has “{text}” in its words.", Role.MUTED),),
    )


def _columns(sections: Sequence[Sequence[Spans]], width: int) -> tuple[Spans, ...]:
    """The sections in as many columns as there is room for, the highest one as low as possible."""
    for number in range(min(_COLUMNS, len(sections)), 0, -1):
        splits = combinations(range(1, len(sections)), number - 1)
        columns = min(
            ([_joined(sections[a:b]) for a, b in pairwise((0, *split, None))] for split in splits),
            key=lambda columns: max(map(len, columns)),
        )
        *others, last = [max(map(width_of, column)) for column in columns]
        widths = [*(other + _GAP for other in others), last]
        if number == 1 or sum(widths) <= width:
            rows = zip_longest(*columns, fillvalue=())
            return tuple(
                tuple(chain(*(fit(cell, w) for cell, w in zip(row, widths, strict=True))))
                for row in rows
            )
    return ()


def _joined(sections: Sequence[Sequence[Spans]]) -> list[Spans]:
    """With an empty line between two sections."""
    lines: list[Spans] = []
    for section in sections:
        lines += [*([()] if lines else []), *section]
    return lines


def _section(title: str, actions: Iterable[Action], keys: KeyMap, text: str) -> list[Spans]:
    lines = []
    for action in actions:
        shown = keys.shown(action)
        if _has(text, title, shown, action.label, action.text, *action.words):
            asks = (Span("  asks", Role.CAUTION),) if action.destructive else ()
            lines.append((*_key(shown), Span(action.text), *asks))
    return [(Span(title, Role.STRONG),), *lines] if lines else []


def _fixed(title: str, keys: Sequence[tuple[str, str]], text: str) -> list[Spans]:
    """Keys that cannot be set."""
    lines = [(*_key(shown), Span(words)) for shown, words in keys if _has(text, title, words)]
    return [(Span(title, Role.STRONG),), *lines] if lines else []


def _key(shown: str) -> Spans:
    padding = " " * max(1, _KEY - cell_len(shown))
    return (Span(f"  {shown}{padding}", Role.ACTIVE),)


def _legend(text: str) -> list[Spans]:
    title = "Signs"
    entries = [entry for entry in LEGEND if _has(text, title, entry[1])]
    half = (len(entries) + 1) // 2
    lines: list[Spans] = [(Span(title, Role.STRONG),)] if entries else []
    for number in range(half):
        line: list[Span] = [Span("  ")]
        for glyph, words in entries[number::half]:
            line += fit((glyph, Span(f" {words}")), _GLYPH)
        lines.append(tuple(line))
    return lines


def _has(text: str, *words: str) -> bool:
    return any(text.casefold() in word.casefold() for word in words)


class HelpScreen(ModalScreen[None], ClosableScreen[None]):
    """All keys. The key that opened it closes it, and so does esc.

    Args:
        keys: the keys of the actions.
        pane: the pane that had the focus.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("question_mark,q", "close", "Back"),
        Binding("slash", "search", "Search"),
    ]

    def __init__(self, keys: KeyMap | None = None, pane: Pane | None = None) -> None:
        super().__init__()
        self._keys, self._pane = keys or KeyMap(), pane

    def compose(self) -> ComposeResult:
        """One page that scrolls if it does not fit, and a field to search it."""
        with Vertical(id="help", classes="dialog") as sheet:
            sheet.border_title = "Keys"
            sheet.border_subtitle = "/ search   esc back"
            yield Input(placeholder="a word", id="help-text", compact=True)
            with TextScroll(id="help-page"):
                yield SpanLines(id="help-lines")

    def on_mount(self) -> None:
        """The field comes when it is asked for."""
        self.query_one(Input).display = False
        self.set_focus(self.query_one(TextScroll))

    def on_resize(self) -> None:
        """Two columns or one."""
        self._show(self.query_one(Input).value)

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _found(self) -> None:
        self.set_focus(self.query_one(TextScroll))

    def _show(self, text: str) -> None:
        width = min(self.app.size.width - _MARGIN, _WIDEST)
        lines = help_lines(width, self._keys, self._pane, text.strip())
        self.query_one(SpanLines).set_lines(lines)

    def action_search(self) -> None:
        """Shows the field."""
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)

    def action_back(self) -> None:
        """Ends the search, or goes back to the screen before."""
        field = self.query_one(Input)
        if not field.display:
            self.dismiss()
            return
        field.value = ""
        field.display = False
        self.set_focus(self.query_one(TextScroll))

    def action_close(self) -> None:
        """Goes back to the screen before."""
        self.dismiss()

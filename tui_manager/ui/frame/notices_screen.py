"""The notices that were shown, to be read again: a list of the newest ones and its screen."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, wrap
from tui_manager.ui.terminal.closable import ClosableScreen

_KEPT = 200  # notices
_MARGIN = 8  # cells beside the lines
_WIDEST = 112  # cells of the lines
_GLYPHS = {
    "error": Span("✘ ", Role.FAULT),
    "warning": Span("▲ ", Role.CAUTION),
    "information": Span("  ", Role.MUTED),
}
NO_NOTICES: tuple[Spans, ...] = ((Span("There was no notice yet.", Role.MUTED),),)


@dataclass(frozen=True, slots=True)
class Notice:
    """What was shown, and when.

    Attributes:
        severity: as Textual names it.
    """

    at: datetime
    severity: str
    text: str


class Notices:
    """The newest notices."""

    def __init__(self) -> None:
        self._kept: deque[Notice] = deque(maxlen=_KEPT)

    def add(self, notice: Notice) -> None:
        """Keeps one more; the oldest one goes if there are too many."""
        self._kept.append(notice)

    def newest_first(self) -> Sequence[Notice]:
        """All that are kept."""
        return tuple(reversed(self._kept))


def notice_lines(notices: Sequence[Notice], width: int, now: datetime) -> tuple[Spans, ...]:
    """Time, severity and text of each, in as many lines as it needs."""
    lines: list[Spans] = []
    for notice in notices:
        when = f"{_when(notice.at, now)}  "
        glyph = _GLYPHS.get(notice.severity, _GLYPHS["information"])
        indent = len(when) + len(glyph.text)
        first, *others = wrap(safe_line(notice.text), width - indent)
        lines.append((Span(when, Role.MUTED), glyph, Span(first)))
        lines += [(Span(" " * indent), Span(line)) for line in others]
    return tuple(lines) or NO_NOTICES


def _when(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


class NoticesScreen(ModalScreen[None], ClosableScreen[None]):
    """The notices, the newest first. The key that opened it closes it, and so does esc.

    Args:
        notices: the newest first.
        now: the time.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,i,q", "close", "Back")]

    def __init__(self, notices: Sequence[Notice], now: datetime) -> None:
        super().__init__()
        self._notices, self._now = notices, now

    def compose(self) -> ComposeResult:
        """One page that scrolls if it does not fit."""
        with TextScroll(id="notices", classes="dialog") as sheet:
            sheet.border_title = "Notices"
            sheet.border_subtitle = "esc back"
            yield SpanLines()

    def on_resize(self) -> None:
        """Long notices take more lines where it is narrow."""
        width = min(self.app.size.width - _MARGIN, _WIDEST)
        self.query_one(SpanLines).set_lines(notice_lines(self._notices, width, self._now))

    def action_close(self) -> None:
        """Goes back to the screen before."""
        self.dismiss()

"""The alerts on the manager's screen. One of them is chosen, to be opened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message

from tui_manager.domain.manager.alert import Alert
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import Role, Span, Spans, wrap

_MARK = 4  # cells in front of a sentence: whether it is chosen, and a glyph
_CHOOSES = {"up": -1, "k": -1, "down": 1, "j": 1}
_NO_ALERTS: Spans = (Span("  ✔ ", Role.GOOD), Span("No alerts."))


def alert_lines(alerts: Sequence[Alert], width: int, chosen: int) -> Sequence[tuple[int, Spans]]:
    """The lines of all alerts, each with the number of its alert. A long one takes several.

    Args:
        chosen: the number of the alert that has the cursor; -1: none has.
    """
    if not alerts:
        return ((0, _NO_ALERTS),)
    lines: list[tuple[int, Spans]] = []
    for number, alert in enumerate(alerts):
        first, *others = wrap(safe_line(alert.text), width - _MARK)
        role = Role.STRONG if number == chosen else Role.PLAIN
        cursor = Span("▸ " if number == chosen else "  ", Role.STRONG)
        lines.append((number, (cursor, Span("▲ ", Role.FAULT), Span(first, role))))
        lines += [(number, (Span(" " * _MARK), Span(line, role))) for line in others]
    return lines


class AlertPane(TextScroll):
    """All alerts. A click opens one; so does the screen's key, for the one that has the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"choose({step})", show=False) for key, step in _CHOOSES.items()),
        Binding("home,g", "choose_edge(False)", show=False),
        Binding("end,G", "choose_edge(True)", show=False),
    ]

    @dataclass
    class Clicked(Message):
        """An alert was clicked."""

        pane: "AlertPane"
        alert: Alert

        @property
        def control(self) -> "AlertPane":
            """The pane."""
            return self.pane

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        self._lines = SpanLines(id=f"{id}-lines")
        super().__init__(self._lines, id=id)
        self._alerts: Sequence[Alert] = ()
        self._number = 0
        self._owners: Sequence[int] = ()  # the alert of each line

    @property
    def chosen(self) -> Alert | None:
        """The alert that has the cursor; None if there is none at all."""
        return self._alerts[self._number] if self._alerts else None

    def show(self, alerts: Sequence[Alert]) -> None:
        """Shows other alerts. The cursor stays on the one that is about the same; its words
        change as time passes."""
        before = self.chosen
        subjects = [replace(alert, text="") for alert in alerts]
        if before is not None and before not in alerts:
            subject = replace(before, text="")
            known = subject != Alert("") and subject in subjects
            self._number = subjects.index(subject) if known else self._number
        elif before is not None:
            self._number = list(alerts).index(before)
        self._alerts = alerts
        self._number = max(0, min(self._number, len(alerts) - 1))
        self.draw()

    def draw(self) -> None:
        """Draws the lines again: their width has changed, or the cursor."""
        width = self._lines.size.width or self.app.size.width
        lines = alert_lines(self._alerts, width, self._number if self.has_focus else -1)
        self._owners = [number for number, _ in lines]
        self._lines.set_lines([line for _, line in lines])

    def on_focus(self) -> None:
        """The cursor is seen."""
        self.draw()

    def on_blur(self) -> None:
        """The cursor is not seen."""
        self.draw()

    def action_choose(self, step: int) -> None:
        """Moves the cursor to an alert above or below."""
        self._choose(self._number + step)

    def repeat_key(self, key: str, times: int) -> bool:
        """Does what a key does several times at once."""
        if key not in _CHOOSES:
            return super().repeat_key(key, times)
        self._choose(self._number + _CHOOSES[key] * times)
        return True

    def action_choose_edge(self, last: bool) -> None:
        """Moves the cursor to the first or the last alert."""
        self._choose(len(self._alerts) - 1 if last else 0)

    def _choose(self, number: int) -> None:
        if self._alerts:
            self._number = max(0, min(number, len(self._alerts) - 1))
            self.draw()
            at, lines = self._owners.index(self._number), self._owners.count(self._number)
            self.scroll_to_region(Region(0, at, 1, lines), animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """Moves the cursor to an alert, and asks to open it."""
        offset = event.get_content_offset(self._lines)
        if offset is not None and offset.y < len(self._owners) and self._alerts:
            self._choose(self._owners[offset.y])
            self.post_message(self.Clicked(self, self._alerts[self._number]))

"""Base classes of the widgets that draw spans: styles for roles, fixed lines, scrolling."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui_manager.ui.drawing.spans import Role, Spans, fit

ROLE_CLASSES = frozenset(f"role--{role}" for role in Role)


class RolePainter(Widget):
    """A widget that draws spans. `app.tcss` has a rule for each role."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    _titled: Text | None = None

    def role_style(self, role: Role) -> Style:
        """How a role looks in this widget."""
        return self.get_component_rich_style(f"role--{role}", partial=True)

    def entitle(self, title: Text) -> None:
        """Sets the title of the frame; to set it, whatever it was, draws the whole widget again."""
        if title != self._titled or title.spans != self._titled.spans:
            self._titled = title
            self.border_title = title

    def paint(self, line: Spans, base: Style) -> list[Segment]:
        """Segments of spans over a base style."""
        return [Segment(span.text, base + self.role_style(span.role)) for span in line]

    def strip(self, line: Iterable[Segment], width: int, base: Style) -> Strip:
        """A strip of exactly `width` cells."""
        return Strip(line).adjust_cell_length(width, base)


class FactLines(RolePainter):
    """As many lines as it was given, each cut at the width."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: Sequence[Spans] = ()

    def set_lines(self, lines: Sequence[Spans]) -> None:
        """Shows other lines; the same ones are not drawn again."""
        if lines == self.lines:
            return
        grown = len(lines) != len(self.lines)
        self.lines = lines
        self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many as there are."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        width, base = self.size.width, self.rich_style
        line = fit(self.lines[y], width) if y < len(self.lines) else ()
        return self.strip(self.paint(line, base), width, base)


class InstantScroll(ScrollView):
    """Takes each position at once: keys, wheel, scrollbar and code never wait for one another.

    Textual's animator fails when the watcher of a position that it sets scrolls itself, as a pane
    does that follows its newest line. An animation that runs would also overwrite what was
    scrolled to meanwhile.
    """

    def animate(
        self,
        attribute: str,
        value: Any,
        *,
        on_complete: Callable[[], Any] | None = None,
        **options: Any,
    ) -> None:
        """Sets a scroll position; animates any other attribute."""
        if attribute not in ("scroll_x", "scroll_y"):
            super().animate(attribute, value, on_complete=on_complete, **options)
            return
        setattr(self, attribute, value)
        if on_complete is not None:
            self.app.call_later(on_complete)

    def scroll_end(self, **options: Any) -> None:
        """Scrolls to the end as it is now, not after the next paint."""
        super().scroll_end(**{**options, "immediate": True})

"""Base classes of the widgets that draw spans: styles for roles, fixed lines, scrolling."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui_manager.ui.drawing.spans import Role, Spans, fit

# The keys that move in every pane, besides the arrows and pages that Textual gives it.
MOVING_BINDINGS: list[BindingType] = [
    Binding("j", "scroll_down", show=False),
    Binding("k", "scroll_up", show=False),
    Binding("g", "scroll_home", show=False),
    Binding("G", "scroll_end", show=False),
    Binding("ctrl+d", "half_page(1)", show=False),
    Binding("ctrl+u", "half_page(-1)", show=False),
]

ROLE_CLASSES = frozenset(f"role--{role}" for role in Role)


def half_of(height: int) -> int:
    """The lines of half a page."""
    return max(1, height // 2)


def role_style(widget: Widget, role: Role) -> Style:
    """How a role looks. `app.tcss` has a rule for each role. The app has these styles for all
    widgets: if each widget had its own, most of what styles cost would be theirs."""
    return widget.app.get_component_styles(f"role--{role}").partial_rich_style


class SpanWidget(Widget):
    """A widget that draws spans."""

    _shown_title: Text | None = None
    _shown_foot: str = ""

    def __init__(self, *children: Widget, id: str | None = None) -> None:  # noqa: A002
        super().__init__(*children, id=id)
        self._role_styles: dict[Role, Style] = {}
        self._base_style: Style | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draws lines, all over one base style."""
        self._base_style = None
        return super().render_lines(crop)

    @property
    def base_style(self) -> Style:
        """How a line looks before its spans. It is looked for once in each drawing, as Textual goes
        through all widgets above."""
        if self._base_style is None:
            self._base_style = self.rich_style
        return self._base_style

    def role_style(self, role: Role) -> Style:
        """How a role looks; kept until the styles change."""
        if role not in self._role_styles:
            self._role_styles[role] = role_style(self, role)
        return self._role_styles[role]

    def notify_style_update(self) -> None:
        """Textual calls this when the styles have changed."""
        self._role_styles.clear()
        super().notify_style_update()

    def set_title(self, title: Text) -> None:
        """Sets the title of the frame if it is another one: to set it draws the whole widget."""
        if title != self._shown_title or title.spans != self._shown_title.spans:
            self._shown_title = title
            self.border_title = title

    def set_foot(self, text: str) -> None:
        """Sets what the frame says below, if that is something else."""
        if text != self._shown_foot:
            self._shown_foot = text
            self.border_subtitle = Text(text)

    def show_age(self, age: str) -> None:
        """Says of when it is what the widget shows, `as of 14:02:11`; empty: of now."""
        self.set_foot(age)

    def paint(self, line: Spans, base: Style) -> list[Segment]:
        """The segments of spans over a base style."""
        return [Segment(span.text, base + self.role_style(span.role)) for span in line]

    def strip(self, line: Iterable[Segment], width: int, base: Style) -> Strip:
        """A strip of exactly `width` cells."""
        return Strip(line).adjust_cell_length(width, base)


class SpanLines(SpanWidget):
    """As many lines as it was given, each cut at the width."""

    class WidthChanged(Message):
        """The width has changed: lines may have to be wrapped again."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: Sequence[Spans] = ()
        self._width = 0

    def on_resize(self, event: Resize) -> None:
        """Says so if the width is another one, also when the widget comes to be seen."""
        if event.size.width != self._width:
            self._width = event.size.width
            self.post_message(self.WidthChanged())

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
        width, base = self.size.width, self.base_style
        line = fit(self.lines[y], width) if y < len(self.lines) else ()
        return self.strip(self.paint(line, base), width, base)


# Keys that scroll: the unit and the direction.
_SCROLLS = {
    **dict.fromkeys(("up", "k"), ("line", -1)),
    **dict.fromkeys(("down", "j"), ("line", 1)),
    "pageup": ("page", -1),
    "pagedown": ("page", 1),
    "ctrl+u": ("half", -1),
    "ctrl+d": ("half", 1),
}


class RepeatsScrolls(Widget):
    """Scrolls at once as far as several presses of a key do: a key that is held is typed faster
    than its steps can be drawn. It is no first base: that would take the focus from a pane."""

    def repeat_key(self, key: str, times: int) -> bool:
        """Does what a key does several times. False if it is no key that scrolls."""
        if key not in _SCROLLS or not self.allow_vertical_scroll:
            return False
        unit, direction = _SCROLLS[key]
        height = self.scrollable_content_region.height
        lines = {"line": 1, "page": height, "half": half_of(height)}[unit]
        self.scroll_relative(y=direction * lines * times, animate=False)
        return True


class InstantScroll(ScrollView, RepeatsScrolls):
    """Scrolls without animation.

    Textual's animator fails if the watcher of a scroll position scrolls too. A pane that follows
    its newest line does so. An animation would also overwrite a position that is set meanwhile.
    """

    BINDINGS: ClassVar[list[BindingType]] = MOVING_BINDINGS

    def set_rows(self, rows: int) -> None:
        """Scrolls over so many lines, and not to the side. Only a scrollbar that appears or
        disappears needs another layout of the screen."""
        size = Size(self.scrollable_size.width, rows)
        if self.size.height and self.show_vertical_scrollbar != (rows > self.size.height):
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = rows

    def action_half_page(self, direction: int) -> None:
        """Scrolls half a page down, or up."""
        self.scroll_relative(y=direction * half_of(self.size.height))

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


class TextScroll(VerticalScroll, RepeatsScrolls):
    """A pane of other widgets, such as `SpanLines`, that can have the focus: some always, some only
    while they are longer than the pane."""

    BINDINGS: ClassVar[list[BindingType]] = MOVING_BINDINGS

    def action_half_page(self, direction: int) -> None:
        """Scrolls half a page down, or up."""
        self.scroll_relative(y=direction * half_of(self.size.height))

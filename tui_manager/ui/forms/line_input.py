"""Fields and labels of forms that change without a new layout of the whole screen. A file of its
own, because all forms use it."""

from textual.content import Content
from textual.widgets import Label

from tui_manager.ui.terminal.textual_internals import HookedInput, forget_sizes


def show_text(label: Label, text: str | Content) -> None:
    """Shows another text in a label. The screen is laid out again only if the label gets another
    height, which few keys cause; a layout takes longer than all else that a key does."""
    if _is_same(text, label.content):
        return
    width, lines = label.styles.width, _lines(label)
    label.update(text, layout=False)
    forget_sizes(label)
    if not (width is not None and not width.is_auto and lines and _lines(label) == lines):
        label.refresh(layout=True)


def _is_same(text: str | Content, shown: object) -> bool:
    """Whether the label shows it already. `==` of Content does not compare styles."""
    if isinstance(text, Content):
        return isinstance(shown, Content) and text.is_same(shown)
    return isinstance(shown, str) and text == shown


def _lines(label: Label) -> int:
    """The lines of its text; 0 before its first layout."""
    width = label.outer_size.width - label.gutter.width
    return label.get_content_height(label.container_size, label.app.size, max(0, width))


class LineInput(HookedInput):
    """A line to type in that is as wide as its place."""

    def watch_virtual_size(self) -> None:
        """Does what a layout does: a text that got shorter begins further left."""
        self.scroll_x = self.validate_scroll_x(self.scroll_x)

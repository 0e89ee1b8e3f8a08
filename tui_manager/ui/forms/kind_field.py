"""The line of a form in which one of a few kinds is chosen."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Label

from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind

_LABELS = {
    TaskKind.COMMAND: "command",
    TaskKind.COPY: "copy files",
    TaskKind.FETCH: "fetch files",
}


class KindField(Label, can_focus=True):
    """`(•) command  ( ) copy files  ( ) fetch files`: `left` and `right` choose, and so does a
    click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,space", "step(1)", show=False),
        Binding("left,up", "step(-1)", show=False),
        Binding("enter", "screen.focus_next", show=False),
    ]

    class Changed(Message):
        """Another kind was chosen."""

        def __init__(self, kind: TaskKind) -> None:
            super().__init__()
            self.kind = kind

    def __init__(self, kind: TaskKind) -> None:
        super().__init__("", id="kind", markup=False)
        self.kind = kind
        self._draw()

    def choose(self, kind: TaskKind) -> None:
        """Chooses a kind."""
        if kind is not self.kind:
            self.kind = kind
            self._draw()
            self.post_message(self.Changed(kind))

    def action_step(self, step: int) -> None:
        """Chooses the next kind, or the one before it."""
        kinds = list(TaskKind)
        self.choose(kinds[(kinds.index(self.kind) + step) % len(kinds)])

    def action_take(self, kind: str) -> None:
        """A click chooses a kind."""
        self.focus()
        self.choose(TaskKind(kind))

    def _draw(self) -> None:
        line = Content("")
        for kind, label in _LABELS.items():
            style = Style.from_meta({"@click": f"take('{kind}')"})
            mark = "(•)" if kind is self.kind else "( )"
            gap = "  " if line else ""
            line = Content.assemble(line, gap, Content(f"{mark} {label}").stylize(style))
        self.update(line)

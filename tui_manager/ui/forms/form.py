"""Base of all forms: it asks before what was typed is lost."""

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Select, TextArea

from tui_manager.ui.forms.confirm import ConfirmScreen, Question
from tui_manager.ui.terminal.closable import ClosableScreen

Made = TypeVar("Made")

COPIED = "Copied, if this terminal lets a program do that."  # to its clipboard
_QUESTION = Question(
    "Leave the form?", ("What is typed in it is lost.",), "Leave", destructive=True
)


class Form(ModalScreen[Made | None], ClosableScreen[Made | None]):
    """A dialog with fields. It ends with what it made, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Back")]

    def __init__(self) -> None:
        super().__init__()
        self._untouched: list[object] = []

    @property
    def busy(self) -> bool:
        """What the form makes is being made now: it cannot be left."""
        return False

    def remember_fields(self) -> None:
        """What is in the fields now does not count as typed. For `on_mount` of a subclass."""
        self._untouched = self._contents()

    @property
    def is_changed(self) -> bool:
        """Something was typed."""
        return self._contents() != self._untouched

    async def action_close(self) -> None:
        """Leaves the form. Asks first if something was typed."""
        if self.busy:
            self.notify("Wait: it is being made.", markup=False)
        elif not self.is_changed:
            self.dismiss(None)
        else:
            await self.app.push_screen(ConfirmScreen(_QUESTION), self._answered)

    def _answered(self, leaves: bool | None) -> None:
        if leaves and self.is_current:
            self.dismiss(None)

    def _contents(self) -> list[object]:
        fields = self.query("Input, TextArea, Checkbox, Select")
        return [
            field.text if isinstance(field, TextArea) else field.value
            for field in fields
            if isinstance(field, Input | TextArea | Checkbox | Select)
        ]


class TickBox(Checkbox):
    """A check box that is drawn as `[ ] label` or `[x] label`, so that it needs no colour."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "[ ]"

    def watch_value(self) -> None:
        """Draws the tick."""
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()


class WrappedArea(TextArea):
    """A text of several lines, wrapped at its width. Textual's own is drawn as it was wrapped at
    the former width if that took as many lines. Textual has no keys for the ends of the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"ctrl+{key}", f"to_edge('{key}')", show=False) for key in ("home", "end")),
        *(
            Binding(f"ctrl+shift+{key}", f"to_edge('{key}', True)", show=False)
            for key in ("home", "end")
        ),
    ]

    def action_to_edge(self, edge: str, select: bool = False) -> None:
        """Moves the cursor to the begin or the end of the text, and may select up to there."""
        place = self.document.end if edge == "end" else self.document.start
        self.move_cursor(place, select=select)

    def on_resize(self) -> None:
        """Draws it again when Textual has wrapped it."""
        self.refresh()

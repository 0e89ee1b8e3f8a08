"""The question before something that cannot be undone."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.terminal.closable import ClosableScreen

TYPED_ABOVE = 20  # hosts; for more of them the number must be typed
REVIEW_MARK = "▲"  # begins a line that must be read with care


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        lines: what will happen, one sentence a line.
        verb: the label of the button that does it.
        hosts: how many hosts it acts on; above TYPED_ABOVE the number must be typed.
    """

    title: str
    lines: Sequence[str]
    verb: str
    hosts: int = 0
    destructive: bool = True

    @property
    def typed(self) -> str:
        """What must be typed; empty if a key is enough."""
        return str(self.hosts) if self.hosts > TYPED_ABOVE else ""


class ConfirmScreen(ModalScreen[bool], ClosableScreen[bool]):
    """Asks a question. It ends with True or False."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("y", "answer(True)", "Yes"),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("pageup", "read(-1)", show=False),
        Binding("pagedown", "read(1)", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    @property
    def subject(self) -> Question:
        """What tells two of these screens apart: the same question is shown only once at a time,
        but another question may open above it."""
        return self.question

    def compose(self) -> ComposeResult:
        """The sentences, the number to type, the two buttons."""
        question = self.question
        with Vertical(id="dialog", classes="dialog") as dialog:
            dialog.border_title = Content(question.title)
            with VerticalScroll(id="said", can_focus=False):
                for line in question.lines:
                    flagged = line.lstrip().startswith(REVIEW_MARK)
                    yield Label(line, classes="problem" if flagged else None, markup=False)
            if question.typed:
                yield Label(f"Type {question.typed}, the number of hosts, to go on:", classes="ask")
                yield LineInput(id="number", compact=True, max_length=9, restrict="[0-9]*")
            with Horizontal(classes="buttons"):
                yield Button("No  esc", id="no", compact=True)
                yield Button(
                    f"{question.verb}  {'enter' if question.typed else 'y'}",
                    id="yes",
                    compact=True,
                    variant="error" if question.destructive else "primary",
                    disabled=bool(question.typed),
                )

    def on_mount(self) -> None:
        """The focus is on "No", or on the number that must be typed."""
        self.set_focus(self.query_one("#number" if self.question.typed else "#no"))

    @property
    def _allowed(self) -> bool:
        typed = self.question.typed
        return not typed or self.query_one("#number", Input).value.strip() == typed

    @on(Input.Changed)
    def _check(self) -> None:
        self.query_one("#yes", Button).disabled = not self._allowed

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def _yes(self) -> None:
        self.action_answer(True)

    @on(Button.Pressed, "#no")
    def _no(self) -> None:
        self.dismiss(False)

    def action_read(self, direction: int) -> None:
        """Scrolls the text."""
        said = self.query_one("#said", VerticalScroll)
        said.scroll_relative(y=direction * said.size.height, animate=False)

    def action_answer(self, answer: bool) -> None:
        """Ends the question. A yes counts only if the number is typed that was asked for."""
        if not answer or self._allowed:
            self.dismiss(answer)

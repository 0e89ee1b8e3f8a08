"""The line to paste on a host, shown once. When it is closed, nothing here remembers it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.hosts.host import labels_text
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.manager.address import is_local, other_addresses
from tui_manager.domain.text.number_format import count_of
from tui_manager.ui.forms.form import COPIED
from tui_manager.ui.terminal.closable import ClosableScreen

_BREAK = "\\"


def wrap_for_shell(line: str, width: int) -> tuple[str, ...]:
    """`line` in pieces of `width` cells that a shell reads as one line when they are copied.

    The backslash is in the last column, so that no blanks are copied after it.
    """
    if len(line) <= width:
        return (line,)
    step = max(1, width - len(_BREAK))
    pieces = [line[at : at + step] for at in range(0, len(line), step)]
    return (*(piece + _BREAK for piece in pieces[:-1]), pieces[-1])


class JoinLineScreen(ModalScreen[None], ClosableScreen[None]):
    """As wide as the terminal, without a frame: the line can be copied by mouse.

    Args:
        line: the whole command.
        dials: the address in it, and others that hosts could dial.
        spec: what the token allows.
        expires_at: when it ends, in the operator's own time.
        copy: gives a text to the terminal's clipboard.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy"),
        Binding("escape", "close", "Close"),
    ]

    def __init__(
        self,
        line: str,
        dials: Sequence[str],
        spec: TokenSpec,
        expires_at: datetime,
        copy: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._line = line
        self._dials = dials
        self._spec = spec
        self._expires_at = expires_at
        self._copy = copy

    def compose(self) -> ComposeResult:
        """The line, what its token allows, and the buttons."""
        with Vertical(id="join-line", classes="dialog"):
            yield Label("Paste this on a host:", id="what")
            yield Static(id="line", markup=False)
            for sentence in self._sentences():
                yield Label(sentence, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close  esc", id="close", compact=True)
                yield Button("Copy  c", id="copy", compact=True, variant="primary")

    def _sentences(self) -> tuple[str, ...]:
        spec = self._spec
        lasts = f"{format_duration(spec.ttl)}, until {self._expires_at:%H:%M:%S on %d %B}"
        labels = labels_text(spec.labels)
        admits = "is approved at once" if spec.auto_approve else "waits for your approval (a)"
        dial = self._dials[0]
        here = f"Only this machine can dial {dial}: --listen opens the manager to others."
        others = other_addresses(self._dials)
        return (
            f"It lets {count_of(spec.uses, 'host')} join within {lasts}. Who joins {admits}.",
            *((f"Labels: {labels}",) if labels else ()),
            *((here,) if is_local(dial) else ()),
            *((others,) if others else ()),
            "It is shown this once.",
        )

    def on_mount(self) -> None:
        """The button that copies has the focus."""
        self.set_focus(self.query_one("#copy"))

    def on_resize(self, event: Resize) -> None:
        """Breaks the line at the width of the terminal."""
        self.query_one("#line", Static).update(
            "\n".join(wrap_for_shell(self._line, event.size.width))
        )

    @on(Button.Pressed, "#copy")
    def action_copy(self) -> None:
        """Asks the terminal to put the line into its clipboard."""
        self._copy(self._line)
        self.notify(COPIED, markup=False)

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Forgets the line."""
        self._line = ""
        self.query_one("#line", Static).update("")
        self.dismiss()

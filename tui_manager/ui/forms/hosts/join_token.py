"""The form for a join token. Errors are shown below the fields at each key."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.hosts.join_token import TTL_DEFAULT, NewToken, TokenSpec
from tui_manager.domain.manager.address import join_line
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.form import Form, TickBox
from tui_manager.ui.forms.hosts.join_line import JoinLineScreen
from tui_manager.ui.forms.hosts.join_token_fields import TokenFields
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open
from tui_manager.ui.terminal.textual_internals import HookedApp

_LASTS = format_duration(TTL_DEFAULT)
_ASKS = "Each host that joins waits for an operator who approves it."
_ADMITS = "Who has the token is given commands at once: keep it short-lived."
_BOUND = "like env=prod role=web; an agent cannot change them"


class JoinTokenScreen(Form[tuple[TokenSpec, NewToken]]):
    """Ends with the spec and the token, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "make", show=False, priority=True),  # as in the form of a new task
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._making = False

    def compose(self) -> ComposeResult:
        """Four fields, a line for errors, and the buttons."""
        with Vertical(id="token", classes="dialog form") as dialog:
            dialog.border_title = "Join token"
            with Horizontal(classes="field"):
                yield Label("Lasts", classes="name")
                yield LineInput(id="ttl", compact=True, placeholder=f"{_LASTS}  (90s, 1h, 2d)")
                yield Label("Hosts", classes="name second")
                yield LineInput(id="uses", compact=True, placeholder="1")
            with Horizontal(classes="field"):
                yield Label("Labels", classes="name")
                yield LineInput(id="label", compact=True, placeholder=_BOUND)
            yield Label("", id="problem", classes="hint problem", markup=False)
            with Horizontal(classes="field"):
                yield Label("", classes="name")
                yield TickBox("approve at once", id="auto-approve", compact=True)
            yield Label(_ASKS, id="meaning", classes="hint", markup=False)
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it
                yield back
                yield Button("Make it  f5", id="make", compact=True, variant="primary")

    def on_mount(self) -> None:
        """f5 makes a token with the defaults."""
        self.remember_fields()
        self.set_focus(self.query_one("#ttl"))

    @property
    def busy(self) -> bool:
        """The token is being made."""
        return self._making

    @property
    def fields(self) -> TokenFields:
        """What is typed."""
        return TokenFields(
            ttl=self.query_one("#ttl", Input).value,
            uses=self.query_one("#uses", Input).value,
            labels=self.query_one("#label", Input).value,
            auto_approve=self.query_one(TickBox).value,
        )

    @on(Input.Changed)
    def _check(self) -> None:
        self._show_problem(" ".join(self.fields.problems().values()))

    @on(TickBox.Changed)
    def _explain(self, event: TickBox.Changed) -> None:
        label = self.query_one("#meaning", Label)
        label.set_class(event.value, "caution")
        label.update(_ADMITS if event.value else _ASKS)
        self._check()

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#make")
    def action_make(self) -> None:
        """Makes the token. A second press while it is made does nothing."""
        if not self._making:
            self._making = True
            self._check()  # the error of an earlier try may be gone
            self._make()

    @while_open("make")
    async def _make(self) -> None:
        try:
            spec = self.fields.spec()
            token = await self.link.operator.create_token(spec)
        except ManagerError as error:
            self._show_problem(safe_line(str(error)))
            field = error.field if isinstance(error, InvalidInputError) else ""
            if field in ("ttl", "uses", "label"):
                self.set_focus(self.query_one(f"#{field}"))
        else:
            self.dismiss((spec, token))
        finally:
            self._making = False

    def _show_problem(self, text: str) -> None:
        self.query_one("#problem", Label).update(text)


async def ask_for_join_token(app: HookedApp, link: Link) -> None:
    """Opens the form, and then, once, shows the line to paste on a host."""
    if link.status is not None and link.status.security == "insecure":
        app.notify("There is no TLS (--insecure): hosts join without a token.", markup=False)
        return

    async def show_line(made: tuple[TokenSpec, NewToken] | None) -> None:
        if made is not None:
            spec, token = made
            dials = link.dial_addresses
            ends = token.expires_at.astimezone(link.now().tzinfo)
            security = link.status.security if link.status else ""
            line = join_line(dials[0], security, token.text)
            await app.push_screen(JoinLineScreen(line, dials, spec, ends, app.copy_secret))

    await app.push_screen(JoinTokenScreen(link), show_line)

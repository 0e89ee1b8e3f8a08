"""The forms that change hosts: why and until when they are in maintenance, their labels, and the
name of one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.hosts.host import Host, labels_text
from tui_manager.domain.text.parse_sizes_and_times import parse_moment
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.form import Form
from tui_manager.ui.forms.hosts.join_token_fields import parse_labels
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.questions import hosts_text
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_LINE = 60  # cells


def names_with_ids(hosts: Sequence[Host]) -> list[str]:
    """Names the hosts so that each is changed only under the name that was shown, which may have
    changed since. Two hosts may have one name, but not one id."""
    return [f"{host.name}/{host.host_id}" for host in hosts]


class HostForm(Form[tuple[str, ...]]):
    """A form about hosts. It ends with their names once they are changed, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "apply", show=False, priority=True),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]
    TITLE_BEGIN: ClassVar[str] = ""
    VERB: ClassVar[str] = ""

    def __init__(self, link: Link, hosts: Sequence[Host]) -> None:
        super().__init__()
        self.link = link
        self.hosts = hosts
        self._applying = False

    def fields(self) -> Iterable[Widget]:
        """What is between the title and the buttons; inputs have the ids of `InvalidInputError`."""
        raise NotImplementedError

    async def change(self) -> Sequence[str]:
        """Changes the hosts as the fields say. Raises ManagerError."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The fields, a line for errors, and the buttons."""
        with Vertical(id="hostform", classes="dialog form") as dialog:
            dialog.border_title = Content(f"{self.TITLE_BEGIN} {hosts_text(self.hosts)}")
            yield from self.fields()
            yield Label("", id="problem", classes="hint problem", markup=False)
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it
                yield back
                yield Button(f"{self.VERB}  f5", id="apply", compact=True, variant="primary")

    def on_mount(self) -> None:
        """The first field has the focus."""
        self.remember_fields()
        self.set_focus(self.query(Input).first())

    @property
    def busy(self) -> bool:
        """The hosts are being changed."""
        return self._applying

    def text_of(self, field: str) -> str:
        """What is typed in a field."""
        return self.query_one(f"#{field}", Input).value.strip()

    @on(Input.Changed)
    def _forget_problem(self) -> None:
        self._show_problem("")

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()

    @on(Button.Pressed, "#apply")
    def action_apply(self) -> None:
        """Changes the hosts. A second press meanwhile does nothing."""
        if not self._applying:
            self._applying = True
            self._show_problem("")
            self._apply()

    @while_open("apply")
    async def _apply(self) -> None:
        try:
            names = await self.change()
        except ManagerError as error:
            self._show_problem(safe_line(str(error)))
            if isinstance(error, InvalidInputError):
                for field in self.query(f"#{error.field}").results(Input):
                    self.set_focus(field)
        else:
            self.dismiss(tuple(names))
        finally:
            self._applying = False

    def _show_problem(self, text: str) -> None:
        self.query_one("#problem", Label).update(text)


class MaintenanceForm(HostForm):
    """Puts hosts into maintenance."""

    TITLE_BEGIN = "Maintenance of"
    VERB = "Begin it"

    def fields(self) -> Iterable[Widget]:
        """Why, and until when."""
        until = "2h, 2026-03-02 or 2026-03-02T14:00:00Z; empty: until you end it"
        yield _field("Reason", LineInput(id="reason", compact=True, placeholder="for all to see"))
        yield _field("Until", LineInput(id="until", compact=True, placeholder=until))
        what = "Tasks leave such hosts out. What runs there goes on."
        yield Label(what, classes="hint", markup=False)

    async def change(self) -> Sequence[str]:
        """Begins the maintenance."""
        text = self.text_of("until")
        try:
            until = parse_moment(text, self.link.now(), ahead=True) if text else None
        except ValueError as error:
            raise InvalidInputError("until", f"{text[:40]}: {error}.") from error
        return await self.link.operator.set_maintenance(
            names_with_ids(self.hosts), self.text_of("reason"), until
        )


class LabelsForm(HostForm):
    """Sets and unsets labels of hosts.

    Attributes:
        given: those labels of a single host that operators gave it.
    """

    TITLE_BEGIN = "Labels of"
    VERB = "Change"

    def __init__(self, link: Link, hosts: Sequence[Host], given: Mapping[str, str]) -> None:
        super().__init__(link, hosts)
        self.given = given

    def fields(self) -> Iterable[Widget]:
        """What a single host has, and what to change."""
        if len(self.hosts) == 1:
            labels = self.hosts[0].labels
            others = {key: value for key, value in labels.items() if key not in self.given}
            yield _field("Operators", _shown(labels_text(self.given)))
            yield _field("Others", _shown(labels_text(others)))
        yield _field(
            "Set", LineInput(id="label", compact=True, placeholder="like env=prod role=web")
        )
        yield _field("Unset", LineInput(id="unset", compact=True, placeholder="like env role"))
        what = "Labels of operators win over those of the join token and of the agent."
        yield Label(what, classes="hint", markup=False)

    async def change(self) -> Sequence[str]:
        """Changes the labels."""
        to_set = parse_labels(self.text_of("label"))
        to_unset = self.text_of("unset").replace(",", " ").split()
        return await self.link.operator.label_hosts(names_with_ids(self.hosts), to_set, to_unset)


class RenameForm(HostForm):
    """Gives a host another name."""

    TITLE_BEGIN = "Rename"
    VERB = "Rename"

    def fields(self) -> Iterable[Widget]:
        """The name. It begins with the one that the host has."""
        name = LineInput(self.hosts[0].name, id="name", compact=True, select_on_focus=False)
        yield _field("Name", name)
        what = "It keeps its identity, labels and history, and has the name from now on."
        yield Label(what, classes="hint", markup=False)

    async def change(self) -> Sequence[str]:
        """Renames the host."""
        (host,) = self.hosts
        name = self.text_of("name")
        if name == host.name:
            raise InvalidInputError("name", "Type another name than it has.")
        (old,) = names_with_ids([host])
        return [await self.link.operator.rename_host(old, name)]


def _field(name: str, value: Widget) -> Horizontal:
    return Horizontal(Label(name, classes="name"), value, classes="field")


def _shown(text: str) -> Label:
    return Label(shorten(safe_line(text), _LINE) or "none", markup=False)

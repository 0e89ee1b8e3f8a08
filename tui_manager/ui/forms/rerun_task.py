"""The question before a task runs again: on which of its hosts, and with which secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.host_class import RERUN_DEFAULT, HostClass, task_target
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.task import TaskDetail
from tui_manager.operator.api import Operator, TargetPreview
from tui_manager.ui.drawing.number_format import count_of
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.confirm import TYPED_ABOVE
from tui_manager.ui.forms.form import Form, TickBox
from tui_manager.ui.forms.questions import left_out_text, task_title
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_MEANINGS = {
    HostClass.UNKNOWN: "may have run, or may still run",
    HostClass.FAILED: "",
    HostClass.UNREACHED: "offline, or their turn never came",
    HostClass.COMPLETED: "",
}
_FOLDED_WIDTH = 120  # cells of the names of hosts
_SECRET_WIDTH = 30  # of the name of a secret


@dataclass(frozen=True, slots=True)
class RerunChoice:
    """A task that has ended, and how many of its hosts are of each class."""

    detail: TaskDetail
    hosts: Mapping[HostClass, int]

    @property
    def secrets(self) -> list[str]:
        """Names of the secrets that must be given again."""
        return sorted({name for one in self.detail.commands for name in one.spec.secrets})


async def look_up_choice(operator: Operator, task_id: int) -> RerunChoice:
    """Raises ManagerError."""
    detail = await operator.get_task(task_id)
    hosts = {}
    for one in HostClass:
        try:
            found = await operator.preview_target(
                task_target(task_id, [one]), include_maintenance=True
            )
            hosts[one] = len(found.hosts)
        except InvalidInputError:  # no host is of this class, or all of them are gone
            hosts[one] = 0
    return RerunChoice(detail, hosts)


class RerunScreen(Form[int]):
    """Ends with the id of the task that it made and started, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "run", show=False, priority=True),  # as in the form of a new task
        Binding("tab,down", "app.focus_next", show=False, priority=True),
        Binding("shift+tab,up", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, link: Link, choice: RerunChoice) -> None:
        super().__init__()
        self.link = link
        self._choice = choice
        self._repeated = choice.detail.task
        self._preview: TargetPreview | None = None
        self._making = False
        self._asked_for: object = None  # what `_request_id` makes
        self._request_id = ""

    def compose(self) -> ComposeResult:
        """A line for each class, the hosts, the secrets, and the buttons."""
        with VerticalScroll(id="rerun", classes="dialog form", can_focus=False) as dialog:
            dialog.border_title = f"Run {task_title(self._repeated)} again".replace("[", r"\[")
            yield Label("All its commands, from the first one, on hosts that were:", markup=False)
            for one in HostClass:
                hosts = self._choice.hosts[one]
                text = f"{one:<10} {count_of(hosts, 'host'):>12}   {_MEANINGS[one]}".rstrip()
                ticked = hosts > 0 and one in RERUN_DEFAULT
                yield TickBox(text, ticked, id=one, compact=True, disabled=not hosts)
            yield Label("", id="hosts", classes="hint", markup=False)
            for number, name in enumerate(self._choice.secrets):
                yield Label(f"Secret {shorten(name, _SECRET_WIDTH)}", markup=False)
                yield Input(id=f"secret-{number}", password=True, compact=True)
            yield Label("", id="ask", classes="ask", markup=False)
            yield Input(id="number", compact=True, max_length=9, restrict="[0-9]*")
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it
                yield back
                yield Button("Run  f5", id="run", compact=True, variant="primary")

    def on_mount(self) -> None:
        """f5 runs it on the failed and unreached hosts."""
        self.remember_fields()
        self._show_hosts()
        self._look_up()
        boxes = [box for box in self.query(TickBox) if not box.disabled]
        self.set_focus(next((box for box in boxes if box.value), boxes[0] if boxes else None))

    @property
    def busy(self) -> bool:
        """The task is being made."""
        return self._making

    @property
    def classes_chosen(self) -> tuple[HostClass, ...]:
        """The classes that are ticked."""
        return tuple(one for one in HostClass if self.query_one(f"#{one}", TickBox).value)

    @property
    def secrets(self) -> dict[str, str]:
        """What is typed."""
        return {
            name: self.query_one(f"#secret-{number}", Input).value
            for number, name in enumerate(self._choice.secrets)
        }

    @on(TickBox.Changed)
    def _look_up_again(self) -> None:
        self._look_up()

    @while_open("hosts", exclusive=True)
    async def _look_up(self) -> None:
        """Shows the hosts on which it would run now."""
        self._preview = None
        problem = "" if self.classes_chosen else "Tick which hosts it is to run on."
        if not problem:
            try:
                self._preview = await self.link.operator.preview_target(
                    self._target, include_maintenance=self._choice.detail.include_maintenance
                )
            except ManagerError as error:
                problem = safe_line(str(error))
        self.query_one("#problem", Label).update(problem)
        self._show_hosts()

    @property
    def _target(self) -> str:
        return task_target(self._repeated.task_id, self.classes_chosen)

    def _show_hosts(self) -> None:
        preview, text = self._preview, ""
        hosts = len(preview.hosts) if preview else 0
        if preview is not None:
            parts = [count_of(hosts, "host")]
            parts += [f"{len(preview.offline):,} offline"] if preview.offline else []
            parts += [left_out_text(self._target, preview)] if preview.left_out else []
            text = f"{', '.join(parts)}   {shorten(safe_line(preview.folded), _FOLDED_WIDTH)}"
        self.query_one("#hosts", Label).update(text)
        typed = hosts > TYPED_ABOVE
        self.query_one("#ask", Label).update(
            f"Type {hosts}, the number of hosts, to go on:" if typed else ""
        )
        for asked in ("#ask", "#number"):
            self.query_one(asked).display = typed
        run = self.query_one("#run", Button)
        run.label = f"Run on {count_of(hosts, 'host')}  f5" if hosts else "Run  f5"
        run.refresh(layout=True)

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()

    @on(Button.Pressed, "#run")
    def action_run(self) -> None:
        """Makes the task and starts it. A second press meanwhile does nothing."""
        if not self._making and self._may_run():
            self._making = True
            self._run()

    def _may_run(self) -> bool:
        """Whether there are hosts, and the number is typed that was asked for."""
        if self._preview is None:
            return False
        hosts, number = len(self._preview.hosts), self.query_one("#number", Input)
        if hosts > TYPED_ABOVE and number.value.strip() != str(hosts):
            self.query_one("#problem", Label).update(f"{hosts} is not what is typed.")
            self.set_focus(number)
            return False
        return True

    @while_open("run")
    async def _run(self) -> None:
        try:
            asked = (self._repeated.task_id, self.classes_chosen, self.secrets)
            if asked != self._asked_for:  # a second try for the same makes no second task
                self._asked_for, self._request_id = asked, new_request_id()
            rerun = await self.link.operator.rerun_task(*asked, self._request_id)
        except ManagerError as error:
            self.query_one("#problem", Label).update(safe_line(str(error)))
        else:
            await self._start_made(rerun.task_id)
            self.dismiss(rerun.task_id)
        finally:
            self._making = False

    async def _start_made(self, task_id: int) -> None:
        """The task exists now: if its start fails, it stays saved."""
        try:
            await self.link.operator.start_task(task_id)
        except ManagerError as error:
            text = f"Task {task_id} is saved, but may not have started: {error}"
            self.app.notify(text, severity="error", markup=False)

"""The form for a new task. Errors are shown below their fields at each key."""

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Label, TextArea

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.ui.forms.new_task_fields import FormFields
from tui_manager.ui.forms.rollout_fold import LAST_FIELD, RolloutFold
from tui_manager.ui.forms.rollout_texts import FIELDS
from tui_manager.ui.forms.task_form import TaskForm
from tui_manager.ui.manager_link import Link

_HINTS = {
    "command": "given whole to /bin/sh; may have several lines",
    "name": "",
    "timeout": "",
}


class NewTaskScreen(TaskForm):
    """A task of one command."""

    def __init__(self, link: Link, target: str = "") -> None:
        super().__init__(link, "New task", target)

    def fields_below(self) -> Iterable[Widget]:
        """Four fields, each with a line for a hint or an error, and a fold."""
        yield Horizontal(
            Label("Command", classes="name"),
            TextArea(id="command", compact=True, tab_behavior="focus"),
            classes="field",
        )
        yield Label(_HINTS["command"], id="command-hint", classes="hint", markup=False)
        yield Horizontal(
            Label("Name", classes="name"),
            Input(id="name", compact=True, placeholder="first line of the command"),
            classes="field",
        )
        yield Label("", id="name-hint", classes="hint", markup=False)
        yield Horizontal(
            Label("Timeout", classes="name"),
            Input(id="timeout", compact=True, placeholder="1h  (90s, 5m, 2d)"),
            Label("Offline", classes="name second"),
            Input(id="offline", compact=True, placeholder="fail  (or wait 6h)"),
            classes="field",
        )
        yield Label("", id="timeout-hint", classes="hint", markup=False)
        yield RolloutFold()

    def on_mount(self) -> None:
        """The focus is on the first field that is empty."""
        self.remember_fields()
        self.set_focus(self.query_one("#command" if self.target else "#target"))
        self.check()

    @property
    def fields(self) -> FormFields:
        """What is typed."""
        return FormFields(
            target=self.target,
            command=self.query_one("#command", TextArea).text,
            name=self.query_one("#name", Input).value,
            timeout=self.query_one("#timeout", Input).value,
            offline=self.query_one("#offline", Input).value,
            rollout=self.query_one(RolloutFold).texts,
        )

    def task_spec(self) -> TaskSpec:
        return self.fields.spec()

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _typed(self) -> None:
        self.check()

    def check_fields(self) -> None:
        problems = self.fields.problems()
        for field in ("command", "name"):
            self.hint(field, problems.get(field, ""), _HINTS[field])
        self.hint("timeout", problems.get("timeout") or problems.get("offline", ""))
        self.query_one(RolloutFold).check()

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        if event.input.id in ("timeout", "offline", LAST_FIELD):
            self.set_focus(self.query_one("#start"))
        else:
            self.focus_next()

    def complain(self, error: InvalidInputError) -> None:
        line = "timeout" if error.field == "offline" else error.field  # these two share a line
        if line in _HINTS:
            self.hint(line, str(error))
            self.set_focus(self.query_one(f"#{error.field}"))
        elif error.field in FIELDS:
            self.query_one(RolloutFold).show_problem(error.field)
        else:
            self.app.notify(str(error), severity="error", markup=False)

"""The form of a task file with parameters: its target, and a field for each of these."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Label, Select

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import TaskFile, fill
from tui_manager.domain.task_files.template import TemplateDetail, TemplateVersion
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.task_parameters import Parameter
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.drawing.step_words import step_text
from tui_manager.ui.forms.schedules.parameter_field import NEEDED, ParameterField
from tui_manager.ui.forms.tasks.task_form import TaskForm
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_STEPS_WIDTH = 120  # cells of the names of the steps


class ParameterForm(TaskForm):
    """Asks for the values of a task file.

    Args:
        title: of the form.
        version: of the template that the task is made from; None: there is none.
        has_text: the form of the text lies below this one, and need not be opened.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "open_text", show=False, priority=True)
    ]

    def __init__(
        self,
        link: Link,
        title: str,
        task_file: TaskFile,
        version: TemplateVersion | None = None,
        *,
        has_text: bool = False,
    ) -> None:
        super().__init__(link, title, task_file.spec.target)
        self._version = version
        self._task_file = task_file
        self._has_text = has_text
        self.include_maintenance = task_file.spec.include_maintenance

    def fields_below(self) -> Iterable[Widget]:
        """What it runs, and the parameters."""
        yield Label(steps_summary(self._task_file.spec), id="steps", classes="hint", markup=False)
        yield from map(ParameterField, self._task_file.parameters)

    def more_buttons(self) -> Iterable[Button]:
        """The way to the text."""
        if not self._has_text:
            yield Button("As a file  ctrl+t", id="open-text", compact=True)

    def on_mount(self) -> None:
        """The focus is on the first field that needs a value, else on the button that starts."""
        self.remember_fields()
        lacking = [field.field for field in self._fields if field.lacks_value]
        self.set_focus(self.query_one("#target") if not self.target else next(
            iter(lacking), self.query_one("#start")
        ))  # fmt: skip
        self.check()

    @property
    def _fields(self) -> list[ParameterField]:
        return list(self.query(ParameterField))

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Select.Changed)
    def _typed(self) -> None:
        self.check()

    def check_fields(self) -> None:
        for field in self._fields:
            field.check()

    def task_spec(self) -> TaskSpec:
        for field in self._fields:
            if field.lacks_value or field.problem:
                raise InvalidInputError("param", field.problem or NEEDED)
        given = [(field.parameter, field.given) for field in self._fields]
        values = {one.name: text for one, text in given if text is not None and not one.secret}
        secrets = {one.name: text for one, text in given if text is not None and one.secret}
        spec = fill(self._task_file, values, secrets)
        spec = replace(spec, target=self.target.strip(), template=self._version)
        spec.check()
        return spec

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#open-text")
    def action_open_text(self) -> None:
        """Opens the task file with what is typed here, except for secrets."""
        if not (self._has_text or self.busy):
            self._open_text()

    @while_open("text")
    async def _open_text(self) -> None:
        # Imported here, because it imports this one.
        from tui_manager.ui.forms.tasks.task_file_form import open_task_file_form

        parameters = (_with_default(field) for field in self._fields)
        spec = replace(self._task_file.spec, target=self.target.strip())
        try:
            text = write_task_file(TaskFile(spec, tuple(parameters)))
        except InvalidInputError as error:
            self.app.notify(safe_line(str(error)), severity="error", markup=False)
            return
        made = await open_task_file_form(self.app, self.link, text)
        if made is not None:
            self.dismiss(made)

    def complain(self, error: InvalidInputError) -> None:
        for field in self._fields:
            if field.lacks_value or field.problem:
                field.show(field.problem or NEEDED)
                self.set_focus(field.field)
                return
        self.app.notify(safe_line(str(error)), severity="error", markup=False)


class RunTemplateScreen(ParameterForm):
    """One version of a template. It stays that one if another is saved meanwhile."""

    def __init__(self, link: Link, detail: TemplateDetail, task_file: TaskFile) -> None:
        version = TemplateVersion(detail.template.name, detail.version)
        super().__init__(link, f"Run {safe_line(str(version))}", task_file, version)


def _with_default(field: ParameterField) -> Parameter:
    """The parameter with what is typed as its default."""
    parameter, given = field.parameter, field.given
    if parameter.secret or given is None or field.problem:
        return parameter
    return replace(parameter, default=given)


def steps_summary(spec: TaskSpec) -> str:
    """`3 steps: drain, upgrade, check   rollout 1,10%,rest`."""
    names = ", ".join(safe_line(step.name) or step_text(step) for step in spec.commands)
    rollout = "; ".join(spec.rollout.texts)
    parts = [f"{count_of(len(spec.commands), 'step')}: {shorten(names, _STEPS_WIDTH)}"]
    return "   ".join([*parts, *([f"rollout: {rollout}"] if rollout else [])])

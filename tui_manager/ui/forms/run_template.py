"""The form of a template: its target, and a field for each of its parameters."""

from collections.abc import Iterable
from dataclasses import replace

from textual import on
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, Select

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.task_file import TaskFile, fill
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.domain.template import TemplateDetail, TemplateVersion
from tui_manager.ui.drawing.number_format import count_of
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.drawing.step_words import step_text
from tui_manager.ui.forms.parameter_field import NEEDED, ParameterField
from tui_manager.ui.forms.task_form import TaskForm
from tui_manager.ui.manager_link import Link

_STEPS_WIDTH = 120  # cells of the names of the steps


class RunTemplateScreen(TaskForm):
    """One version of a template. It stays that one if another is saved meanwhile."""

    def __init__(self, link: Link, detail: TemplateDetail, task_file: TaskFile) -> None:
        self._version = TemplateVersion(detail.template.name, detail.version)
        super().__init__(link, f"Run {safe_line(str(self._version))}", task_file.spec.target)
        self._task_file = task_file
        self.include_maintenance = task_file.spec.include_maintenance

    def fields_below(self) -> Iterable[Widget]:
        """What it runs, and the parameters."""
        yield Label(steps_summary(self._task_file.spec), id="steps", classes="hint", markup=False)
        yield from map(ParameterField, self._task_file.parameters)

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

    def complain(self, error: InvalidInputError) -> None:
        for field in self._fields:
            if field.lacks_value or field.problem:
                field.show(field.problem or NEEDED)
                self.set_focus(field.field)
                return
        self.app.notify(safe_line(str(error)), severity="error", markup=False)


def steps_summary(spec: TaskSpec) -> str:
    """`3 steps: drain, upgrade, check   rollout 1,10%,rest`."""
    names = ", ".join(safe_line(step.name) or step_text(step) for step in spec.commands)
    rollout = "; ".join(spec.rollout.texts)
    parts = [f"{count_of(len(spec.commands), 'step')}: {shorten(names, _STEPS_WIDTH)}"]
    return "   ".join([*parts, *([f"rollout: {rollout}"] if rollout else [])])

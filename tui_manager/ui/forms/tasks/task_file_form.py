"""The form of a task file: a task of any kind as TOML, with its errors, its hosts, and what becomes
of it: a task, or a version of a template."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Label, TextArea

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.task_files.task_file import TaskFile, fill
from tui_manager.domain.task_files.template import TemplateVersion, check_template_name
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.form import Form
from tui_manager.ui.forms.line_input import LineInput, show_text
from tui_manager.ui.forms.schedules.run_template import ParameterForm, steps_summary
from tui_manager.ui.forms.tasks.task_file_area import TaskFileArea
from tui_manager.ui.forms.tasks.task_file_reader import read_beside
from tui_manager.ui.forms.tasks.task_form import TaskForm
from tui_manager.ui.forms.text_area_limits import CANNOT_HOLD, can_hold_file
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

NEW_TASK_FILE = """\
target = "@all"

[[steps]]
run = "uptime"
"""
LENGTH_MAX = 256 * 1024  # characters of a text that is edited here
_NAME = "Task file"  # of the file, in errors
NAME_MAX = 64  # characters of the name of a template
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LINE = re.compile(rf"{_NAME}, line ([0-9]+): ")


class TaskFileScreen(TaskForm):
    """Ends with the id of the task that it made, or with None.

    Args:
        text: what the form begins with.
        template: the name of the template whose text it is; empty: it is saved under a name that
            is asked for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save_template", show=False, priority=True)
    ]

    NO_TARGET = "no target: it is asked for before the start"

    def __init__(self, link: Link, text: str, template: str = "") -> None:
        title = f"Template {safe_line(template)}" if template else "Task file"
        super().__init__(link, title)
        self._begun = text
        self._template = template
        self._task_file: TaskFile | None = None  # what the text says; None: it is not right
        self._problem: InvalidInputError | None = None
        self._last_target = ""
        self._stale = self._reading = False

    # The fields.

    def target_fields(self) -> Iterable[Widget]:
        """The text, and what is wrong with it. The target stands in it."""
        yield TaskFileArea(self._begun)
        yield Label("", id="file-hint", classes="hint", markup=False)

    @property
    def target(self) -> str:
        """That of the text when it was right the last time."""
        return self._last_target

    @property
    def target_widget(self) -> Widget:
        return self._area

    def fields_below(self) -> Iterable[Widget]:
        return ()

    def more_buttons(self) -> Iterable[Button]:
        """A template can be made of it, or a version of one."""
        yield Button("Template  ctrl+s", id="save-template", compact=True)

    def on_mount(self) -> None:
        """The focus is on the text."""
        self.remember_fields()
        self.set_focus(self._area)
        self._typed()

    @property
    def _area(self) -> TaskFileArea:
        return self.query_one("#file", TaskFileArea)

    # While it is typed.

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self._stale = True
        if not self._reading:
            self._reading = True
            self._read_typed()

    @while_open("text")
    async def _read_typed(self) -> None:
        """Reads the text again until it is the one that is typed."""
        try:
            while self._stale:
                self._stale = False
                await self._read()
        finally:
            self._reading = False

    async def _read(self) -> None:
        self._task_file = self._problem = None
        try:
            self._task_file = await read_beside(self._area.text, _NAME)
        except InvalidInputError as error:
            self._problem = error
        else:
            self._last_target = self._task_file.spec.target
            self.include_maintenance = self._task_file.spec.include_maintenance
        self.check()

    def check_fields(self) -> None:
        task_file = self._task_file
        if task_file is None:
            self.hint("file", self._problem_text)
            return
        parameters = task_file.parameters
        asked = f"   {count_of(len(parameters), 'parameter')}" if parameters else ""
        self.hint("file", "", f"{steps_summary(task_file.spec)}{asked}")

    @property
    def _problem_text(self) -> str:
        """`Line 12: steps[2].timeout: …`."""
        text = safe_line(str(self._problem or ""))
        text = text.removeprefix(f"{_NAME}, ").removeprefix(f"{_NAME}: ")
        return text[:1].upper() + text[1:]

    # What becomes of it.

    async def read_files(self) -> None:
        """Reads the text that is there now."""
        await self._read()
        if self._problem is not None:
            raise self._problem

    def task_spec(self) -> TaskSpec:
        assert self._task_file is not None
        spec = fill(self._task_file, {}, {})
        spec.check()
        return spec

    def planned_spec(self) -> TaskSpec:
        assert self._task_file is not None
        return self._task_file.spec

    async def try_to_create(self, *, start: bool) -> None:
        """A task with parameters, or without a target, needs one more form."""
        try:
            await self.read_files()
        except InvalidInputError as error:
            self.complain(error)
            return
        task_file = self._task_file
        if task_file is None or not (task_file.parameters or not task_file.spec.target.strip()):
            await super().try_to_create(start=start)
            return
        title = safe_line(task_file.spec.shown_name)
        form = ParameterForm(self.link, title, task_file, has_text=True)
        task_id = await self.app.push_screen_wait(form)
        if task_id is not None:
            self.dismiss(task_id)

    def complain(self, error: InvalidInputError) -> None:
        """Shows the line with the error."""
        if error is not self._problem:
            self.app.notify(safe_line(str(error)), severity="error", markup=False)
            return
        self.set_focus(self._area)
        if line := _LINE.match(str(error)):
            self._area.go_to_line(int(line[1]))

    @property
    def _name_for_template(self) -> str:
        """The name in the text, without what a name of a template cannot have."""
        name = self._task_file.spec.name if self._task_file else ""
        return _NOT_IN_NAMES.sub("-", name).strip("-")[:NAME_MAX]

    @on(Button.Pressed, "#save-template")
    def action_save_template(self) -> None:
        """Saves the text as the next version of a template."""
        if not self.busy:
            self._save_template()

    @while_open("template")
    async def _save_template(self) -> None:
        try:
            await self.read_files()
        except InvalidInputError as error:
            self.complain(error)
            return
        name: str | None = self._template
        if not name:
            name = await self.app.push_screen_wait(TemplateNameScreen(self._name_for_template))
        if name is None:
            return
        text = self._area.text
        version = await self.link.operator.save_template(name, text, 0, new_request_id())
        saved = safe_line(str(TemplateVersion(name, version)))
        self.app.notify(f"Saved as template {saved}.", markup=False)
        self._template = name
        self.remember_fields()


class TemplateNameScreen(Form[str]):
    """Asks under which name a template is saved.

    Args:
        proposed: what the field begins with.
    """

    def __init__(self, proposed: str = "") -> None:
        super().__init__()
        self._proposed = proposed

    def compose(self) -> ComposeResult:
        """The name, what is wrong with it, and the buttons."""
        with Vertical(id="saving", classes="dialog form") as dialog:
            dialog.border_title = "Save as template"
            with Horizontal(classes="field"):
                yield Label("Name", classes="name")
                yield LineInput(
                    self._proposed, id="template-name", compact=True, max_length=NAME_MAX
                )
            yield Label("", id="name-hint", classes="hint", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back  esc", id="back", compact=True)
                yield Button("Save  enter", id="keep", compact=True, variant="primary")

    def on_mount(self) -> None:
        """A name that exists gets a new version."""
        self.remember_fields()
        self._check()

    @on(Input.Changed)
    def _check(self) -> str:
        """The name; empty if it is not right."""
        name, problem = self.query_one("#template-name", Input).value.strip(), ""
        try:
            check_template_name(name)
        except InvalidInputError as error:
            problem = safe_line(str(error)) if name else ""
        label = self.query_one("#name-hint", Label)
        label.set_class(bool(problem), "problem")
        show_text(label, problem or "a template of this name gets a new version")
        return "" if problem else name

    @on(Input.Submitted)
    @on(Button.Pressed, "#keep")
    def _keep(self) -> None:
        if name := self._check():
            self.dismiss(name)
        elif not self.query_one("#template-name", Input).value.strip():
            label = self.query_one("#name-hint", Label)
            label.set_class(True, "problem")
            show_text(label, "The name is missing, like restart-nginx.")

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()


async def open_task_file_form(
    app: App[Any], link: Link, text: str = NEW_TASK_FILE, *, template: str = ""
) -> int | None:
    """Opens the form of a task file, from a worker, and returns the id of the task that it made;
    None: it made none.

    Args:
        template: the name of the template whose text it is; it is saved as its next version.
    """
    if len(text) > LENGTH_MAX:
        app.notify(
            f"A task file of {size(len(text))} is not edited here: export it, change it in an "
            "editor, and save it.",
            severity="warning",
            markup=False,
        )
        return None
    if not can_hold_file(text):
        app.notify(
            f"This task file {CANNOT_HOLD}: export it, change it in an editor, and save it.",
            severity="warning",
            markup=False,
        )
        return None
    return await app.push_screen_wait(TaskFileScreen(link, text, template))

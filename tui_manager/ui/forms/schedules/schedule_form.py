"""The form of a schedule. It shows the next due times while the cron expression is typed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, TextArea

from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    ManagerError,
    NotFoundError,
)
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.schedules.schedule import Schedule, ScheduleSpec
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.schedule_words import due_texts, wrap_parts
from tui_manager.ui.forms.form import Form, TickBox, WrappedArea
from tui_manager.ui.forms.line_input import LineInput, show_text
from tui_manager.ui.forms.questions import left_out_text, names_text
from tui_manager.ui.forms.schedules.schedule_conflict import agreed_revision
from tui_manager.ui.forms.schedules.schedule_fields import ScheduleFields, fields_of, value_problem
from tui_manager.ui.forms.tasks.task_file_reader import read_beside
from tui_manager.ui.manager_link import Link, ManagerChanged
from tui_manager.ui.terminal.closable import while_open

_INPUTS = ("name", "template", "values", "target", "cron", "zone", "overlap", "misfire")
# Below which field an error is shown. Two fields share a line.
_HINT_OF = {"param": "values", "zone": "cron", "misfire": "overlap"}
_HINTS = {
    "name": "",
    "template": "a saved template: restart, or restart@3 for one version; or else a command",
    "values": "",
    "command": "given whole to /bin/sh",
    "target": "",
    "cron": "minute hour day month weekday, like 0 2 * * * or 30 6 * * mon-fri",
    "overlap": "skip, or wait for the task before; how late it may start",
}
_HINT_WIDTH = 56  # cells, before it is laid out
_NAMES_WIDTH = 40  # cells of the names of hosts
_STEPS_STAY = "it has several steps, a script or other line ends, which stay"
_WITH_TEMPLATE = "empty: the target of the template"


class ScheduleForm(Form[str]):
    """Ends with the name of the schedule that it added or changed, or with None.

    Args:
        schedule: that is edited; None: it is a new one.
        template: with which a new one begins.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "save", show=False, priority=True),  # as in the form of a new task
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, link: Link, schedule: Schedule | None = None, *, template: str = "") -> None:
        super().__init__()
        self.link = link
        self._schedule = schedule  # None: it is added
        self._edited = schedule is not None
        self._begun = fields_of(schedule.spec) if schedule else ScheduleFields(template=template)
        self._has_steps = self._begun.has_steps  # to read a large task takes seconds
        self._template = ""  # whose parameters are known, or asked for
        self._task_file: TaskFile | None = None  # of that template
        self._target = ("", False)  # that is looked up, and whether with hosts in maintenance
        self._looked_up = ("", "")  # cron and zone, whose due times are shown, or asked for
        self._unanswered = False  # the manager could not be asked
        self._saving = False
        self._asked_for: ScheduleSpec | None = None  # what `_request_id` adds
        self._request_id = ""

    def compose(self) -> ComposeResult:
        """The fields, most with a line for a hint or an error, and the buttons."""
        begun = self._begun
        with VerticalScroll(id="schedule-form", classes="dialog form", can_focus=False) as form:
            title = f"Schedule {safe_line(begun.name)}" if self._edited else "New schedule"
            form.border_title = Content(title)
            yield _line(
                "Name", LineInput(begun.name, id="name", compact=True, disabled=self._edited)
            )
            yield _hint("name")
            yield _line("Template", LineInput(begun.template, id="template", compact=True))
            yield _hint("template")
            values = LineInput(begun.values, id="values", compact=True, placeholder="NAME=value …")
            yield _line("Values", values)
            yield _hint("values")
            command = WrappedArea(begun.command, id="command", compact=True, tab_behavior="focus")
            with Horizontal(classes="field", id="command-line"):
                yield Label("Command", classes="name")
                yield command
            yield _hint("command")
            maintenance = TickBox(
                "also hosts in maintenance",
                begun.include_maintenance,
                id="include_maintenance",
                compact=True,
            )
            yield _line("Target", LineInput(begun.target, id="target", compact=True), maintenance)
            yield _hint("target")
            yield _line(
                "Cron", LineInput(begun.cron, id="cron", compact=True, placeholder="0 2 * * *"),
                Label("Zone", classes="name second"),
                LineInput(begun.zone, id="zone", compact=True, placeholder="required, like UTC"),
            )  # fmt: skip
            yield _hint("cron")
            yield _line(
                "Overlap", LineInput(begun.overlap, id="overlap", compact=True, placeholder="skip"),
                Label("Misfire", classes="name second"),
                LineInput(begun.misfire, id="misfire", compact=True, placeholder="5m"),
            )  # fmt: skip
            yield _hint("overlap")
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it
                yield back
                yield Button("Save  f5", id="save", compact=True, variant="primary")

    def on_mount(self) -> None:
        """The first field that can be typed into has the focus."""
        self.query_one("#command").disabled = self._has_steps
        self.remember_fields()
        self.set_focus(self.query_one("#cron" if self._edited else "#name"))
        self._check()

    @property
    def busy(self) -> bool:
        """It is being saved."""
        return self._saving

    @property
    def fields(self) -> ScheduleFields:
        """What is typed."""
        texts = {field: self.query_one(f"#{field}", Input).value for field in _INPUTS}
        return ScheduleFields(
            **texts,
            command=self.query_one("#command", TextArea).text,
            include_maintenance=self.query_one("#include_maintenance", TickBox).value,
            task_file=self._begun.task_file,
        )

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(TickBox.Changed)
    def _check(self) -> None:
        show_text(self.query_one("#problem", Label), "")
        fields = self.fields
        problems = fields.problems()
        self._show("name", problems.get("name", ""))
        self._show("command", problems.get("command", ""), _STEPS_STAY if self._has_steps else "")
        by_template = bool(fields.template.strip()) and not fields.command.strip()
        for part in ("#command-line", "#command-hint", "#include_maintenance"):
            self.query_one(part).display = not by_template
        self._show("overlap", _both(problems.get("overlap", ""), problems.get("misfire", "")))
        self._look_up_target(fields)
        self._check_template(fields, problems.get("template", ""), problems.get("param", ""))
        self._look_up_due(fields)

    # The template and its parameters.

    def _check_template(self, fields: ScheduleFields, problem: str, wrong_value: str) -> None:
        name = fields.template.strip()
        if name != self._template:
            self._template, self._task_file = name, None
            self._show("template", problem)
            self._show("values", wrong_value)
            self._read_template("" if problem else name)
        elif self._task_file is not None or not name:
            self._show_values(fields, wrong_value)

    @while_open("template", exclusive=True)
    async def _read_template(self, name: str) -> None:
        """Reads which parameters a template has; without a name it reads nothing. It replaces an
        earlier read, whose template is not wanted any more."""
        try:
            use = ScheduleFields(template=name).template_use()
            if use is None:
                return
            detail = await self.link.operator.get_template(use.name, use.version)
            self._task_file = await read_beside(detail.text, use.name)
        except (InvalidInputError, NotFoundError) as error:
            self._show("template", str(error))
        except ManagerError as error:
            self._unanswered = True
            self._show("template", str(error))
        else:
            target = self._task_file.spec.target
            self._show("template", "", f"runs on {safe_line(target)}" if target else "")
            self._show_values(self.fields, "")
            self._look_up_target(self.fields)

    def _show_values(self, fields: ScheduleFields, wrong_value: str) -> None:
        """Which parameters there are, or what is wrong with the values."""
        use, known = None, ""
        if self._task_file is not None:
            known = "   ".join(f"{one.name}: {one.form}" for one in self._task_file.parameters)
            known = known or "the template has no parameters"
            if not wrong_value:
                use = fields.template_use()
        if use is not None and self._task_file is not None:
            wrong_value = value_problem(self._task_file, use.parameters)
        self._show("values", wrong_value, known)

    # The target.

    def _look_up_target(self, fields: ScheduleFields) -> None:
        """Looks up the hosts on which it would run now: those of the typed target, or, if none is
        typed, of the template's target."""
        template = self._task_file.spec if self._task_file else None
        target = fields.target.strip() or (template.target if template else "")
        include = template.include_maintenance if template else fields.include_maintenance
        if (target, include) != self._target:
            self._target = target, include
            self._preview_target(target, include)

    @while_open("target", exclusive=True)
    async def _preview_target(self, target: str, include_maintenance: bool) -> None:
        by_template = bool(self.fields.template.strip())
        otherwise = _WITH_TEMPLATE if by_template and not self.fields.target.strip() else ""
        if not target:
            self._show("target", "", otherwise)
            return
        try:
            preview = await self.link.operator.preview_target(
                target, include_maintenance=include_maintenance
            )
        except InvalidInputError as error:
            self._show("target", str(error))
        except ManagerError as error:
            self._unanswered = True
            self._show("target", str(error))
        else:
            text = hosts_now(target, preview)
            self._show("target", "", f"{otherwise}: {text}" if otherwise else text)

    # The due times.

    def _look_up_due(self, fields: ScheduleFields) -> None:
        asked = (fields.cron.strip(), fields.zone.strip())
        if asked != self._looked_up:
            self._looked_up = asked
            self._preview(*asked)

    @while_open("due", exclusive=True)
    async def _preview(self, cron: str, zone: str) -> None:
        """Shows when it would be due."""
        due: Sequence[datetime] = ()
        problem = ""
        if cron and zone:
            try:
                due = await self.link.operator.preview_schedule(cron, zone)
                problem = "" if due else "It is never due: there is no such date."
            except InvalidInputError as error:
                problem = str(error)
                if error.field == "cron":
                    problem = _both(problem, await self._zone_problem(zone))
            except ManagerError as error:
                self._unanswered, problem = True, str(error)
        width = self.query_one("#cron-hint").content_size.width or _HINT_WIDTH
        texts = due_texts(due, zone, self.link.data_time())
        self._show("cron", problem, "\n".join(wrap_parts(texts, width)))

    async def _zone_problem(self, zone: str) -> str:
        """What is wrong with a zone beside a wrong expression; empty if nothing is."""
        try:
            await self.link.operator.preview_schedule("0 0 * * *", zone)
        except InvalidInputError as error:
            return str(error)
        return ""

    @on(ManagerChanged)
    def _ask_again(self, message: ManagerChanged) -> None:
        """The manager answers again, or templates have changed: what failed is asked for again."""
        if self._unanswered and message.changes.manager and not self.link.trouble:
            self._unanswered, self._looked_up, self._template = False, ("", ""), ""
            self._target = ("", False)
            self._check()
        elif message.changes.hosts:
            self._target = ("", False)
            self._look_up_target(self.fields)
        if message.changes.templates and self._template and self._task_file is None:
            self._template = ""
            self._check()

    def _show(self, field: str, problem: str, otherwise: str = "") -> None:
        label = self.query_one(f"#{field}-hint", Label)
        label.set_class(bool(problem), "problem")
        text = problem or otherwise or _HINTS[field]
        label.display = bool(text)
        show_text(label, "\n".join(map(safe_line, text.split("\n"))))

    # Saving.

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()

    @on(Button.Pressed, "#save")
    def action_save(self) -> None:
        """Adds or changes the schedule. A second press meanwhile does nothing."""
        if not self._saving:
            self._saving = True
            self._save()

    @while_open("save")
    async def _save(self) -> None:
        try:
            spec = self.fields.spec()
            if await self._store(spec):
                self.dismiss(spec.name)
        except InvalidInputError as error:
            self._complain(error)
        except ManagerError as error:
            self._problem(str(error))
        finally:
            self._saving = False

    async def _store(self, spec: ScheduleSpec) -> bool:
        """Saves the schedule. Asks first if another operator has changed it meanwhile. Returns
        False if the operator goes back to the form; the next try asks again."""
        if (begun := self._schedule) is None:
            await self.link.operator.add_schedule(spec, self._request_for(spec))
            return True
        while True:
            try:
                await self._replace(spec, begun)
            except (IllegalMoveError, NotFoundError) as error:
                revision = await agreed_revision(self.app, self.link.operator, begun, error)
                if revision is None:
                    return False
                begun = replace(begun, revision=revision)
            else:
                return True

    async def _replace(self, spec: ScheduleSpec, begun: Schedule) -> None:
        if begun.revision:
            await self.link.operator.edit_schedule(spec, begun.revision)
            return
        await self.link.operator.add_schedule(spec, self._request_for(spec))
        if begun.paused:
            await self.link.operator.pause_schedule(spec.name)

    def _request_for(self, spec: ScheduleSpec) -> str:
        """The id of the request, which is the same for the same schedule. So a second try after a
        missing answer adds no second schedule."""
        if spec != self._asked_for:
            self._asked_for, self._request_id = spec, new_request_id()
        return self._request_id

    def _complain(self, error: InvalidInputError) -> None:
        field = "values" if error.field == "param" else error.field
        line = _HINT_OF.get(error.field, field)
        if line in _HINTS:
            self._show(line, str(error))
            self.set_focus(self.query_one(f"#{field}"))
        else:
            self._problem(str(error))

    def _problem(self, text: str) -> None:
        show_text(self.query_one("#problem", Label), safe_line(text))


def hosts_now(target: str, preview: TargetPreview) -> str:
    """`now 14 hosts: web[01-14], 1 offline`: they are looked up again whenever it is due."""
    names = names_text(preview.hosts, _NAMES_WIDTH)
    text = f"now {count_of(len(preview.hosts), 'host')}{': ' if names else ''}{names}"
    if preview.offline:
        text += f", {len(preview.offline):,} offline"
    if preview.left_out:
        text += f", {left_out_text(target, preview)}"
    return text


def _both(first: str, second: str) -> str:
    """Two errors, or one."""
    return "\n".join(filter(None, (first, second)))


def _line(name: str, *fields: Widget) -> Horizontal:
    return Horizontal(Label(name, classes="name"), *fields, classes="field")


def _hint(field: str) -> Label:
    return Label(_HINTS[field], id=f"{field}-hint", classes="hint", markup=False)

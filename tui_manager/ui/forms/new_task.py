"""The form for a new task. Errors are shown below their fields at each key."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Input, Label, TextArea
from textual.worker import Worker

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import InvalidInputError, ManagerError, UnreachableError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.safe_text import safe_line
from tui_manager.domain.target_notation import check_notation
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.operator.api import TargetPreview
from tui_manager.ui.drawing.number_format import count_of
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.confirm import TYPED_ABOVE, ConfirmScreen
from tui_manager.ui.forms.form import Form
from tui_manager.ui.forms.new_task_fields import FormFields
from tui_manager.ui.forms.questions import left_out_text, start_question
from tui_manager.ui.forms.rollout_fold import LAST_FIELD, RolloutFold
from tui_manager.ui.forms.rollout_texts import FIELDS
from tui_manager.ui.manager_link import Link, ManagerChanged
from tui_manager.ui.terminal.closable import while_open

_HINTS = {
    "target": "web[01-20],db1   web*   env=prod&role=web   @group   @all   !name takes away",
    "command": "given whole to /bin/sh; may have several lines",
    "name": "",
    "timeout": "",
}
LOOK_UP_AGAIN_AFTER = 1.0  # seconds after a change that may have ended the target's error


class NewTaskScreen(Form[int]):
    """Ends with the id of the task that it made, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # A function key: a text field has no use for it.
        Binding("f5", "start", show=False, priority=True),
        # With priority, so that what is typed behind it goes to the next field already.
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, link: Link, target: str = "") -> None:
        super().__init__()
        self.link = link
        self._target = target
        self._looked_up = ""  # the target that `preview` is of, or will be
        self._lookup: Worker[None] | None = None
        self.preview: TargetPreview | None = None
        self._target_error: ManagerError | None = None  # why there is no preview
        self._next_lookup: Timer | None = None
        self._creating = False
        self._asked_for: TaskSpec | None = None  # what `_request_id` makes
        self._request_id = ""

    def compose(self) -> ComposeResult:
        """Five fields, each with a line for a hint or an error, a fold, and the buttons."""
        with VerticalScroll(id="form", classes="dialog form", can_focus=False) as form:
            form.border_title = "New task"
            with Horizontal(classes="field"):
                yield Label("Target", classes="name")
                yield Input(self._target, id="target", compact=True)
            yield Label(_HINTS["target"], id="target-hint", classes="hint", markup=False)
            with Horizontal(classes="field"):
                yield Label("Command", classes="name")
                yield TextArea(id="command", compact=True, tab_behavior="focus")
            yield Label(_HINTS["command"], id="command-hint", classes="hint", markup=False)
            with Horizontal(classes="field"):
                yield Label("Name", classes="name")
                yield Input(id="name", compact=True, placeholder="first line of the command")
            yield Label("", id="name-hint", classes="hint", markup=False)
            with Horizontal(classes="field"):
                yield Label("Timeout", classes="name")
                yield Input(id="timeout", compact=True, placeholder="1h  (90s, 5m, 2d)")
                yield Label("Offline", classes="name second")
                yield Input(id="offline", compact=True, placeholder="fail  (or wait 6h)")
            yield Label("", id="timeout-hint", classes="hint", markup=False)
            yield RolloutFold()
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it; tab goes to what makes the task
                yield back
                yield Button("Save", id="save", compact=True)
                yield Button("Start  f5", id="start", compact=True, variant="primary")

    def on_mount(self) -> None:
        """The focus is on the first field that is empty."""
        self.remember_fields()
        self.set_focus(self.query_one("#command" if self._target else "#target"))
        self._check()

    @property
    def busy(self) -> bool:
        """The task is being made."""
        return self._creating

    @property
    def fields(self) -> FormFields:
        """What is typed."""
        return FormFields(
            target=self.query_one("#target", Input).value,
            command=self.query_one("#command", TextArea).text,
            name=self.query_one("#name", Input).value,
            timeout=self.query_one("#timeout", Input).value,
            offline=self.query_one("#offline", Input).value,
            rollout=self.query_one(RolloutFold).texts,
        )

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _check(self) -> None:
        problems = self.fields.problems()
        for field in ("command", "name"):
            self._hint(field, problems.get(field, ""))
        self._hint("timeout", problems.get("timeout") or problems.get("offline", ""))
        self.query_one(RolloutFold).check()
        target = self.fields.target
        if target != self._looked_up:
            self._looked_up = target
            self._lookup = self._look_up(target)
        elif self.preview is not None:  # in place of an error of an earlier try
            self._show_hosts(self.preview)

    @on(ManagerChanged)
    def _look_up_again(self, message: ManagerChanged) -> None:
        """The cause of an error may be gone: the manager answers again, or a host has joined.

        Hosts change several times a second in a large fleet, so the changes of a second lead to one
        look-up.
        """
        if self._next_lookup is None and self._may_end_error(message.changes):
            self._next_lookup = self.set_timer(LOOK_UP_AGAIN_AFTER, self._look_up_now)

    def _may_end_error(self, changes: Changes) -> bool:
        if self._target_error is None:
            return False
        if not isinstance(self._target_error, InvalidInputError):
            return changes.hosts or changes.manager
        try:
            check_notation(self._looked_up)
        except InvalidInputError:
            return False  # only another text ends this error
        return changes.hosts

    def _look_up_now(self) -> None:
        self._next_lookup = None
        if self._target_error is not None and (self._lookup is None or self._lookup.is_finished):
            self._lookup = self._look_up(self._looked_up)

    @while_open("preview", exclusive=True)
    async def _look_up(self, target: str) -> None:
        """Shows which hosts the target stands for now."""
        self.preview = self._target_error = None
        self._label_start()
        if target.strip():
            try:
                self.preview = await self.link.operator.preview_target(target)
            except ManagerError as error:
                self._target_error = error
        if self.preview is not None:
            self._show_hosts(self.preview)
        else:
            self._hint("target", str(self._target_error or ""))
        self._label_start()

    def _show_hosts(self, preview: TargetPreview) -> None:
        text = Text(count_of(len(preview.hosts), "host"), style="bold")
        if preview.offline:
            text.append(f", {len(preview.offline):,} offline", style="not bold")
        if preview.left_out:
            left_out = left_out_text(self.fields.target, preview)
            text.append(f", {left_out}", style="not bold")
        text.append(f"   {shorten(safe_line(preview.folded), 400)}", style="not bold dim")
        label = self.query_one("#target-hint", Label)
        label.remove_class("problem")
        label.update(Content.from_rich_text(text))

    def _hint(self, field: str, problem: str) -> None:
        label = self.query_one(f"#{field}-hint", Label)
        label.set_class(bool(problem), "problem")
        label.update(problem or _HINTS[field])

    def _label_start(self) -> None:
        """The button shows the number of hosts. It can be pressed before that is known."""
        hosts = len(self.preview.hosts) if self.preview else 0
        start = self.query_one("#start", Button)
        start.label = f"Start on {count_of(hosts, 'host')}  f5" if hosts else "Start  f5"
        start.refresh(layout=True)

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        if event.input.id in ("timeout", "offline", LAST_FIELD):
            self.set_focus(self.query_one("#start", Button))
        else:
            self.focus_next()

    @on(Button.Pressed, "#back")
    async def _back(self) -> None:
        await self.action_close()

    @on(Button.Pressed, "#save")
    def _save(self) -> None:
        self._create_once(start=False)

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Makes the task and starts it. Errors are shown at their fields."""
        self._create_once(start=True)

    def _create_once(self, *, start: bool) -> None:
        """A second press while the task is made does nothing."""
        if not self._creating:
            self._creating = True
            self._create(start=start)

    @while_open("create")
    async def _create(self, *, start: bool) -> None:
        try:
            await self._try_to_create(start=start)
        finally:
            self._creating = False

    async def _try_to_create(self, *, start: bool) -> None:
        try:
            spec = self.fields.spec()
            if start:
                preview = await self.link.operator.preview_target(
                    spec.target, include_maintenance=spec.include_maintenance
                )
                question = start_question(safe_line(spec.shown_name), spec.target, preview)
                if len(preview.hosts) > TYPED_ABOVE and not await self.app.push_screen_wait(
                    ConfirmScreen(question)
                ):
                    return
            task_id = await self.link.operator.create_task(spec, self._request_for(spec))
        except InvalidInputError as error:
            self._complain(error)
            return
        except ManagerError as error:
            self.app.notify(str(error), severity="error", markup=False)
            return
        if start:
            await self._start_created(task_id)
        self.dismiss(task_id)

    def _request_for(self, spec: TaskSpec) -> str:
        """The same id for the same task: if the first try was not answered, a second one makes no
        second task."""
        if spec != self._asked_for:
            self._asked_for, self._request_id = spec, new_request_id()
        return self._request_id

    async def _start_created(self, task_id: int) -> None:
        """The task exists now: if its start fails, it stays saved."""
        try:
            await self.link.operator.start_task(task_id)
        except UnreachableError as error:
            text = f"Task {task_id} is saved. {error}"
            self.app.notify(text, severity="error", markup=False)
        except ManagerError as error:
            text = f"Task {task_id} is saved, but did not start: {error}"
            self.app.notify(text, severity="error", markup=False)

    def _complain(self, error: InvalidInputError) -> None:
        line = "timeout" if error.field == "offline" else error.field  # these two share a line
        if line in _HINTS:
            self._hint(line, str(error))
            self.set_focus(self.query_one(f"#{error.field}"))
        elif error.field in FIELDS:
            self.query_one(RolloutFold).show_problem(error.field)
        else:
            self.app.notify(str(error), severity="error", markup=False)

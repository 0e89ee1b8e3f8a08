"""Base of the forms that make a task: the target with its hosts, Save and Start."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Label
from textual.worker import Worker

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line, safe_text
from tui_manager.ui.forms.confirm import TYPED_ABOVE, ConfirmScreen
from tui_manager.ui.forms.form import Form
from tui_manager.ui.forms.line_input import show_text
from tui_manager.ui.forms.questions import start_question
from tui_manager.ui.forms.target_field import TargetField, hosts_line, may_end, terms_line
from tui_manager.ui.forms.tasks.plan_screen import PlanScreen
from tui_manager.ui.manager_link import Link, ManagerChanged
from tui_manager.ui.terminal.closable import is_open, while_open

TARGET_HINT = "web[01-20],db1   web*   env=prod&role=web   @group   @all   !name takes away"
_WIDTH_FOR_HOSTS = 72  # columns of the terminal, to name the hosts on the button
LOOK_UP_AGAIN_AFTER = 1.0  # seconds after a change that may have ended the target's error


class TaskForm(Form[int]):
    """Ends with the id of the task that it made, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # A function key: a text field has no use for it.
        Binding("f5", "start", show=False, priority=True),
        Binding("f4", "plan", show=False, priority=True),
        # With priority, so that keys that are typed right after it go to the next field.
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    NO_TARGET: ClassVar[str] = TARGET_HINT  # in place of the hosts

    def __init__(self, link: Link, title: str, target: str = "") -> None:
        super().__init__()
        self.link = link
        self._form_title = title
        self._target = target
        # The target of `preview`, or of the one that was asked for, and whether hosts in
        # maintenance are included.
        self._looked_up = ("", False)
        self._lookup: Worker[None] | None = None
        self.preview: TargetPreview | None = None
        self.include_maintenance = False  # of the task
        self._target_error: ManagerError | None = None  # why there is no preview
        self._next_lookup: Timer | None = None
        self._creating = False
        self._asked_for: TaskSpec | None = None  # what `_request_id` makes
        self._request_id = ""

    # For subclasses.

    def fields_below(self) -> Iterable[Widget]:
        """The fields between the target and the buttons."""
        raise NotImplementedError

    def target_fields(self) -> Iterable[Widget]:
        """What the target is typed in, above its hosts."""
        yield Horizontal(
            Label("Target", classes="name"),
            TargetField(self._complete_target, self._target),
            classes="field",
        )

    def more_buttons(self) -> Iterable[Button]:
        """Buttons beside those that every form has; a key presses each of them."""
        return ()

    def check_fields(self) -> None:
        """Shows the errors of the fields below the target."""
        raise NotImplementedError

    def above_buttons(self) -> Iterable[Widget]:
        """What is always in sight, as the buttons are."""
        return ()

    async def read_files(self) -> None:
        """Reads what the fields name and the task holds. Raises InvalidInputError."""

    async def read_files_to_copy(self) -> None:
        """Reads those that are not part of the task, and may be large. Raises InvalidInputError."""

    async def send_files(self) -> None:
        """Gives the manager the files that the task needs before it is made. May raise
        ManagerError."""

    def task_spec(self) -> TaskSpec:
        """The task that is asked for. Raises InvalidInputError with the field."""
        raise NotImplementedError

    def planned_spec(self) -> TaskSpec:
        """The same for a plan, which needs no values of parameters."""
        return self.task_spec()

    def made(self, task_id: int, spec: TaskSpec) -> None:
        """Called when the task is there."""

    @property
    def target_widget(self) -> Widget:
        """What the target is typed in."""
        return self.query_one("#target")

    def complain(self, error: InvalidInputError) -> None:
        """Shows an error at its field, one below the target."""
        raise NotImplementedError

    # Composing.

    def compose(self) -> ComposeResult:
        """The target with its hosts, the other fields, and the buttons."""
        with VerticalScroll(id="form", classes="dialog form", can_focus=False) as form:
            form.border_title = Content(self._form_title)
            yield from self.target_fields()
            yield Label(self.NO_TARGET, id="target-hint", classes="hint", markup=False)
            yield Label("", id="target-terms", classes="hint", markup=False)
            yield from self.fields_below()
            with Vertical(id="bottom"):
                yield from self.above_buttons()
                yield from self._buttons()

    def _buttons(self) -> ComposeResult:
        with Horizontal(classes="buttons"):
            for other in (
                Button("Back  esc", id="back", compact=True),
                Button("Plan  f4", id="plan-button", compact=True),
                *self.more_buttons(),
            ):
                other.can_focus = False  # a key does it; tab goes to what makes the task
                yield other
            yield Button("Save", id="save", compact=True)
            yield Button("Start  f5", id="start", compact=True, variant="primary")

    @property
    def busy(self) -> bool:
        """The task is being made."""
        return self._creating

    def _is_above_fields(self, widget: Widget) -> bool:
        """Whether a widget belongs to the buttons, which lie above the fields that scroll."""
        return any(node.id == "bottom" for node in widget.ancestors)

    @property
    def focus_chain(self) -> list[Widget]:
        """The fields, then the buttons. Textual orders them by their places on the screen, where
        the fields of a long form continue behind the buttons."""
        return sorted(super().focus_chain, key=self._is_above_fields)

    def can_view_entire(self, widget: Widget) -> bool:
        """Whether all of a field is seen. If not, Textual scrolls to it when it gets the focus; but
        Textual does not know that the buttons cover fields."""
        hidden = not self._is_above_fields(widget) and any(
            bottom.region.overlaps(widget.region) for bottom in self.query("#bottom")
        )
        return not hidden and super().can_view_entire(widget)

    @property
    def target(self) -> str:
        """What is typed."""
        return self.query_one("#target", Input).value

    def check(self) -> None:
        """Shows what is wrong, and the hosts of the target."""
        self.check_fields()
        asked = (self.target, self.include_maintenance)
        if asked != self._looked_up:
            self._looked_up = asked
            self._lookup = self._look_up(*asked)
        elif self.preview is not None and self.query_one("#target-hint").has_class("problem"):
            self._show_hosts(self.preview)  # in place of an error of an earlier try

    # What the target can become.

    async def _complete_target(self, target: str, limit: int) -> Sequence[str]:
        return await self.link.operator.complete_target(target, limit)

    @on(TargetField.Offered)
    def _show_terms(self, message: TargetField.Offered) -> None:
        terms = terms_line(message.terms, message.chosen)
        show_text(self.query_one("#target-terms", Label), terms)

    def action_take_term(self, place: int) -> None:
        """A click on a term takes it."""
        self.query_one(TargetField).take(place)

    # The hosts of the target.

    @on(ManagerChanged)
    def _look_up_again(self, message: ManagerChanged) -> None:
        """The cause of an error may be gone: the manager answers again, or a host has joined.

        Hosts change several times a second in a large fleet, so the changes of a second lead to one
        look-up.
        """
        target, error = self._looked_up[0], self._target_error
        if self._next_lookup is None and error and may_end(error, target, message.changes):
            self._next_lookup = self.set_timer(LOOK_UP_AGAIN_AFTER, self._look_up_now)

    def _look_up_now(self) -> None:
        self._next_lookup = None
        if self._target_error is not None and (self._lookup is None or self._lookup.is_finished):
            self._lookup = self._look_up(*self._looked_up)

    @while_open("preview", exclusive=True)
    async def _look_up(self, target: str, include_maintenance: bool) -> None:
        """Shows which hosts the target stands for now."""
        self.preview = self._target_error = None
        self._label_start()
        if target.strip():
            try:
                self.preview = await self.link.operator.preview_target(
                    target, include_maintenance=include_maintenance
                )
            except ManagerError as error:
                self._target_error = error
        if self.preview is not None:
            self._show_hosts(self.preview)
        else:
            self.hint("target", str(self._target_error or ""), self.NO_TARGET)
        self._label_start()

    def _show_hosts(self, preview: TargetPreview) -> None:
        label = self.query_one("#target-hint", Label)
        label.remove_class("problem")
        show_text(label, hosts_line(self.target, preview))

    def hint(self, field: str, problem: str, otherwise: str | Content = "") -> None:
        """Shows a problem below a field, or what is there without one."""
        label = self.query_one(f"#{field}-hint", Label)
        label.set_class(bool(problem), "problem")
        show_text(label, safe_text(problem) or otherwise)

    def _label_start(self) -> None:
        """The button shows the number of hosts. It can be pressed before that is known."""
        hosts = len(self.preview.hosts) if self.preview else 0
        start = self.query_one("#start", Button)
        has_room = hosts and self.app.size.width >= _WIDTH_FOR_HOSTS  # else it would be cut
        label = f"Start on {count_of(hosts, 'host')}  f5" if has_room else "Start  f5"
        if str(start.label) != label:
            start.label = label
            start.refresh(layout=True)

    # The plan.

    @on(Button.Pressed, "#plan-button")
    def action_plan(self) -> None:
        """Shows hosts, batches and steps. Errors are shown at their fields."""
        if not self.busy:
            self._plan()

    @while_open("plan", exclusive=True)
    async def _plan(self) -> None:
        try:
            await self.read_files()
            spec = self.planned_spec()
            plan = await self.link.operator.plan_task(spec)
        except InvalidInputError as error:
            self.show_error(error)
        else:
            await self.app.push_screen(PlanScreen(spec, plan))

    # Making the task.

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
        if not self.busy:
            self._creating = True
            self._create(start=start)

    @while_open("create")
    async def _create(self, *, start: bool) -> None:
        try:
            await self.try_to_create(start=start)
        finally:
            self._creating = False

    async def try_to_create(self, *, start: bool) -> None:
        """Makes the task and closes the form, or shows what is wrong."""
        try:
            with self.fields_disabled(start=start):
                task_id = await self._create_and_start(start=start)
        except InvalidInputError as error:
            self.show_error(error)
        except ManagerError as error:
            self.app.notify(str(error), severity="error", markup=False)
        else:
            if task_id is not None:
                self.dismiss(task_id)

    @contextmanager
    def fields_disabled(self, *, start: bool) -> Iterator[None]:
        """Within the block the fields take no keys, because what is typed then would not be in the
        task. At its end the field that had the focus gets it again."""
        form, button = self.query_one("#form"), self.query_one("#start", Button)
        focused = self.focused
        form.disabled = True
        if start:
            button.label = "Starting…"
        try:
            yield
        finally:
            form.disabled = False
            if is_open(self):
                self._label_start()
                self.set_focus(focused, from_app_focus=True)  # what is selected stays so

    async def _create_and_start(self, *, start: bool) -> int | None:
        """Returns the id of the task; None if the operator does not want to start it."""
        await self.read_files()
        await self.read_files_to_copy()
        spec = self.task_spec()
        if start:
            preview = await self.link.operator.preview_target(
                spec.target, include_maintenance=spec.include_maintenance
            )
            question = start_question(safe_line(spec.shown_name), spec.target, preview)
            if len(preview.hosts) > TYPED_ABOVE and not await self.app.push_screen_wait(
                ConfirmScreen(question)
            ):
                return None
        await self.send_files()
        request_id = self._request_for(spec)
        if start:
            task_id = (await self.link.operator.start_new_task(spec, request_id)).task_id
        else:
            task_id = await self.link.operator.create_task(spec, request_id)
        self.made(task_id, spec)
        return task_id

    def _request_for(self, spec: TaskSpec) -> str:
        """The id of the request, which is the same for the same task. So a second try after a
        missing answer makes no second task."""
        if spec != self._asked_for:
            self._asked_for, self._request_id = spec, new_request_id()
        return self._request_id

    def show_error(self, error: InvalidInputError) -> None:
        """Shows an error at its field."""
        if error.field == "target":
            self.hint("target", str(error))
            self.set_focus(self.target_widget)
        else:
            self.complain(error)

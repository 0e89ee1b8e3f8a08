"""The question before a task runs again: on which of its hosts, and with which secrets."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.tasks.host_class import HostClass, task_target
from tui_manager.domain.text.host_name_ranges import fold_names
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.confirm import TYPED_ABOVE
from tui_manager.ui.forms.files.copy_form import FetchMade
from tui_manager.ui.forms.form import Form, TickBox
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.questions import gone_text, left_out_text, names_text, task_title
from tui_manager.ui.forms.tasks.rerun_choice import KEYS, RerunChoice, hosts_line
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_ALL, _MARKED = "all", "marked"
_FOLDED_WIDTH = 120  # cells of the names of hosts
_SECRET_WIDTH = 30  # of the name of a secret


class RerunScreen(Form[int]):
    """Ends with the id of the task that it made and started, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "run", show=False, priority=True),  # as in the form of a new task
        Binding("tab,down", "app.focus_next", show=False, priority=True),
        Binding("shift+tab,up", "app.focus_previous", show=False, priority=True),
        *(Binding(key, f"tick('{one}')", show=False) for one, key in KEYS.items()),
        Binding("a", f"tick('{_ALL}')", show=False),
        Binding("m", f"tick('{_MARKED}')", show=False),
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
            dialog.border_title = Content(f"Run {task_title(self._repeated)} again")
            dialog.border_subtitle = "f u k c a m: tick"
            yield Label("All its commands, from the first one, on hosts that were:", markup=False)
            yield from self._boxes()
            yield Label("", id="hosts", classes="hint", markup=False)
            for number, name in enumerate(self._choice.secrets):
                yield Label(f"Secret {shorten(name, _SECRET_WIDTH)}", markup=False)
                yield LineInput(id=f"secret-{number}", password=True, compact=True)
            if self._fetch_folder:
                text = f"What is fetched is saved in {safe_line(self._fetch_folder)}."
                yield Label(text, classes="hint", markup=False)
            yield Label("", id="ask", classes="ask", markup=False)
            yield LineInput(id="number", compact=True, max_length=9, restrict="[0-9]*")
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                back = Button("Back  esc", id="back", compact=True)
                back.can_focus = False  # esc does it
                yield back
                yield Button("Run  f5", id="run", compact=True, variant="primary")

    @property
    def _fetch_folder(self) -> str:
        """Where the task has saved what it fetched; empty: nowhere, or it fetched nothing."""
        steps = (command.spec for command in self._choice.detail.commands)
        return next((step.fetch.to for step in steps if step.fetch and step.fetch.to), "")

    def _boxes(self) -> Iterable[Widget]:
        """The classes, then all of them, then the marked hosts."""
        choice = self._choice
        for one, names in choice.hosts.items():
            text = hosts_line(one, names, choice.meaning_of(one))
            ticked = one in choice.preset
            yield TickBox(text, ticked, id=one, compact=True, disabled=not names)
        every = [name for names in choice.hosts.values() for name in names]
        ticked = bool(every) and choice.filled == set(choice.preset)
        yield TickBox(hosts_line(_ALL, every), ticked, id=_ALL, compact=True, disabled=not every)
        if choice.marked:
            text = hosts_line(_MARKED, list(choice.marked.values()))
            yield TickBox(text, value=True, id=_MARKED, compact=True)
        if choice.gone:
            yield Label(gone_text(choice.gone), classes="hint", markup=False)

    def on_mount(self) -> None:
        """`enter` runs it on the marked hosts, else on the failed and unreached ones, if nothing
        else is needed."""
        self.remember_fields()
        self._show_hosts()
        self._look_up()
        if self._choice.secrets:
            self.set_focus(self.query_one("#secret-0"))
        elif self.classes_chosen or self.marked_chosen:
            self.set_focus(self.query_one("#run"))
        else:
            boxes = (box for box in self.query(TickBox) if not box.disabled)
            self.set_focus(next(boxes, None))

    @property
    def busy(self) -> bool:
        """The task is being made."""
        return self._making

    @property
    def classes_chosen(self) -> tuple[HostClass, ...]:
        """The classes that are ticked."""
        return tuple(one for one in HostClass if self.query_one(f"#{one}", TickBox).value)

    @property
    def marked_chosen(self) -> bool:
        """Whether it runs on the marked hosts, and not by classes."""
        return bool(self._choice.marked) and self.query_one(f"#{_MARKED}", TickBox).value

    @property
    def secrets(self) -> dict[str, str]:
        """What is typed."""
        return {
            name: self.query_one(f"#secret-{number}", Input).value
            for number, name in enumerate(self._choice.secrets)
        }

    def action_tick(self, line: str) -> None:
        """Ticks or unticks a line."""
        for box in self.query(f"#{line}").results(TickBox):
            if not box.disabled:
                box.toggle()

    @on(TickBox.Changed)
    def _look_up_again(self, event: TickBox.Changed) -> None:
        """All classes are ticked together by `all`, and none beside `marked`."""
        changed, ticked = event.checkbox.id, event.checkbox.value
        with self.prevent(TickBox.Changed):
            if changed == _ALL:
                self._tick_classes(ticked)
            if changed == _MARKED and ticked:
                self._tick_classes(False)
            elif changed != _MARKED and ticked and self._choice.marked:
                self.query_one(f"#{_MARKED}", TickBox).value = False
            every = self._choice.filled == set(self.classes_chosen)
            self.query_one(f"#{_ALL}", TickBox).value = every
        self._look_up()

    def _tick_classes(self, ticked: bool) -> None:
        for one in self._choice.hosts:
            self.query_one(f"#{one}", TickBox).value = ticked and one in self._choice.filled

    @while_open("hosts", exclusive=True)
    async def _look_up(self) -> None:
        """Shows the hosts on which it would run now."""
        self._preview = None
        chosen = self.classes_chosen or self.marked_chosen
        problem = "" if chosen else "Tick which hosts it is to run on."
        if not problem:
            try:
                self._preview = await self.link.operator.preview_target(
                    self._target, include_maintenance=self._choice.detail.include_maintenance
                )
            except ManagerError as error:
                problem = safe_line(str(error))
        self.query_one("#problem", Label).update(problem)
        self._show_hosts()
        if self._needs_number and self.focused is self.query_one("#run"):
            self.set_focus(self.query_one("#number"))

    @property
    def _target(self) -> str:
        if self.marked_chosen:
            return fold_names(self._choice.marked.values())
        return task_target(self._repeated.task_id, self.classes_chosen)

    @property
    def _needs_number(self) -> bool:
        """Whether the number of hosts must be typed."""
        return self._preview is not None and len(self._preview.hosts) > TYPED_ABOVE

    def _show_hosts(self) -> None:
        preview, text = self._preview, ""
        hosts = len(preview.hosts) if preview else 0
        if preview is not None:
            parts = [count_of(hosts, "host")]
            parts += [f"{len(preview.offline):,} offline"] if preview.offline else []
            parts += [left_out_text(self._target, preview)] if preview.left_out else []
            text = f"{', '.join(parts)}   {names_text(preview.hosts, _FOLDED_WIDTH)}"
        self.query_one("#hosts", Label).update(text)
        typed = self._needs_number
        self.query_one("#ask", Label).update(
            f"Type {hosts}, the number of hosts, to go on:" if typed else ""
        )
        for asked in ("#ask", "#number"):
            self.query_one(asked).display = typed
        run = self.query_one("#run", Button)
        run.label = f"Run on {count_of(hosts, 'host')}  f5" if hosts else "Run  f5"
        run.refresh(layout=True)

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        """`enter` behind the number runs the task."""
        if event.input.id == "number":
            self.action_run()
        else:
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
        if self._needs_number and number.value.strip() != str(hosts):
            self.query_one("#problem", Label).update(f"{hosts} is not what is typed.")
            self.set_focus(number)
            return False
        return True

    @while_open("run")
    async def _run(self) -> None:
        try:
            marked = tuple(self._choice.marked) if self.marked_chosen else ()
            task_id, classes = self._repeated.task_id, () if marked else self.classes_chosen
            asked = (task_id, classes, self.secrets, marked)
            if asked != self._asked_for:  # a second try for the same makes no second task
                self._asked_for, self._request_id = asked, new_request_id()
            rerun = await self.link.operator.rerun_task(
                task_id, classes, self.secrets, self._request_id, marked
            )
        except ManagerError as error:
            self.query_one("#problem", Label).update(safe_line(str(error)))
        else:
            if self._fetch_folder:
                self.app.post_message(FetchMade(rerun.task_id, self._fetch_folder))
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

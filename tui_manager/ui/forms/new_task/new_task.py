"""The form for a new task: all that `run`, `copy` and `fetch` have. Errors are shown below their
fields at each key."""

from collections.abc import Iterable
from dataclasses import fields as fields_of_class
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, TextArea

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_files.task_file import task_file_of
from tui_manager.domain.task_files.write_task_file import write_task_file
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.command_history import HISTORY_LIMIT
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.field_rows import FieldRow, Fold, Line, Tick
from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind
from tui_manager.ui.forms.files.copy_form import CopyForm
from tui_manager.ui.forms.files.local_files import NamedFiles
from tui_manager.ui.forms.form import COPIED
from tui_manager.ui.forms.kind_field import KindField
from tui_manager.ui.forms.line_input import show_text
from tui_manager.ui.forms.new_task.command_area import CommandArea
from tui_manager.ui.forms.new_task.command_recall import CommandRecall, last_run
from tui_manager.ui.forms.new_task.edit_command import edited
from tui_manager.ui.forms.new_task.history_screen import HistoryScreen
from tui_manager.ui.forms.new_task.new_task_fields import SECRETS_MAX, FormFields, split_names
from tui_manager.ui.forms.new_task.new_task_folds import (
    input_fold,
    input_title,
    process_fold,
    process_title,
)
from tui_manager.ui.forms.new_task.rollout_fields import FIELDS as ROLLOUT_FIELDS
from tui_manager.ui.forms.new_task.rollout_fold import RolloutFold
from tui_manager.ui.forms.new_task.task_in_form import fields_of
from tui_manager.ui.forms.tasks.secret_fields import SecretFields
from tui_manager.ui.forms.tasks.task_file_form import NEW_TASK_FILE, open_task_file_form
from tui_manager.ui.forms.text_area_limits import CANNOT_HOLD, can_hold_command
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import is_open, while_open
from tui_manager.ui.terminal.run_program import ProgramError

_HINT = Content.assemble(
    "/bin/sh   ↑ earlier   ",
    Content("ctrl+r search").stylize(Style.from_meta({"@click": "screen.search_history"})),
    "   ",
    Content("ctrl+e $EDITOR").stylize(Style.from_meta({"@click": "screen.edit_command"})),
)
_KEYS = (
    "[@click=screen.copy_line]f6 copy the command line[/]   "
    "[@click=screen.open_text]ctrl+t as a task file[/]"
)
_NO_LINE = "The command line stands here when every field is right."
_STORED = "No command line copies files that only the manager has; `task rerun` does."
# Enter in one of these goes to the button that starts.
_LAST_FIELDS = ("timeout", "within", "secret", "description", "owner", "folder", ROLLOUT_FIELDS[-1])
_FILES = ("script", "stdin")
_NAMES = {
    TaskKind.COMMAND: "first line of the command",
    TaskKind.COPY: "copy FILE to DEST",
    TaskKind.FETCH: "fetch PATH",
}


class NewTaskScreen(CopyForm):
    """A task of one step: a command or a script, a copy, or a fetch.

    Args:
        target: what the target begins with.
        spec: a task that is copied into the fields; it fits the form, see `fits_form`.
        kind: what the task does, without a `spec`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "search_history", show=False, priority=True),
        Binding("ctrl+t", "open_text", show=False, priority=True),
        Binding("f6", "copy_line", show=False, priority=True),
        Binding("f2", "next_kind", show=False, priority=True),
    ]

    def __init__(
        self,
        link: Link,
        target: str = "",
        spec: TaskSpec | None = None,
        kind: TaskKind = TaskKind.COMMAND,
    ) -> None:
        begun = FormFields(target=target, kind=kind) if spec is None else fields_of(spec)
        super().__init__(link, "New task" if spec is None else "Edit a copy", begun.target)
        self._begun = begun
        self.include_maintenance = begun.include_maintenance
        self._files = NamedFiles()
        self._recall = CommandRecall()
        self._shown_kind: TaskKind | None = None
        texts = {one.name: getattr(begun, one.name) for one in fields_of_class(FormFields)}
        self._rows = (  # outside of the folds
            FieldRow(
                Line("name", "Name", "first line of the command"),
                Line("timeout", "Timeout", "1h  (90s, 5m, 2d)"),
                begun=texts,
            ),
            FieldRow(
                Tick("waits", "If offline", "wait up to"),
                Line("within", "", "1h"),
                Tick("include_maintenance", "", "also hosts in maintenance"),
                begun=texts,
            ),
        )
        self._secrets = SecretFields(SECRETS_MAX)
        self._process = process_fold(begun, texts, self._secrets)
        self._input = input_fold(begun, texts)
        self._rollout = RolloutFold(begun.rollout)
        self._folds: tuple[Fold, ...] = (self._process, self._input, self._rollout)

    # The fields.

    def target_fields(self) -> Iterable[Widget]:
        """What the task does, and on which hosts."""
        yield Horizontal(
            Label("Do", classes="name"),
            KindField(self._begun.kind),
            Label("  f2", id="kind-key"),
            classes="field",
        )
        yield from super().target_fields()

    def fields_below(self) -> Iterable[Widget]:
        """The command or the files, two rows, and three folds."""
        yield Vertical(
            Horizontal(
                Label("Command", classes="name"), CommandArea(self._begun.command), classes="field"
            ),
            Label(_HINT, id="command-hint", classes="hint", markup=False),
            id="command-part",
            classes="row",
        )
        yield from self.copy_and_fetch_rows(self._begun.transfer)
        yield from (*self._rows, *self._folds)

    def above_buttons(self) -> Iterable[Widget]:
        """The equal command line, and how much of the files is read or sent."""
        yield from super().above_buttons()
        yield VerticalScroll(Label("", id="line", markup=False), id="line-box", can_focus=False)

    async def on_mount(self) -> None:
        """The focus is on the first field that is empty."""
        await self._show_secrets()
        await self._show_kind()
        self.query_one("#form").border_subtitle = _KEYS
        self.remember_fields()
        self.set_focus(self.query_one(f"#{self._first_field}" if self.target else "#target"))
        self.check()
        self._read_history()

    @property
    def fields(self) -> FormFields:
        """What is typed."""
        typed: dict[str, Any] = {}
        for row in (*self._rows, *self._process.rows, *self._input.rows):
            typed |= row.typed
        return FormFields(
            **typed,
            target=self.target,
            command=self.query_one("#command", TextArea).text,
            secret_values=self._secrets.values,
            contents=self._files.contents,
            rollout=self._rollout.texts,
            kind=self.kind,
            transfer=self.transfer,
        )

    # What the task does.

    @property
    def kind(self) -> TaskKind:
        return self.query_one(KindField).kind

    def _contents(self) -> list[object]:
        """What is typed, also in fields that have no widgets yet. What files hold is not typed."""
        fields = self.fields
        transfer = replace(fields.transfer, found=None)
        return [replace(fields, kind=TaskKind.COMMAND, contents={}, transfer=transfer)]

    async def action_next_kind(self) -> None:
        """A key goes from one kind to the next, and to its first field."""
        if not self.busy:
            self.query_one(KindField).action_step(1)
            await self._show_kind()  # only a field that is shown can have the focus
            await self._focus_on(self._first_field)

    @property
    def _first_field(self) -> str:
        """The id of the field that says what is done."""
        rows = self.rows_of_kind
        return rows.first_field if rows else "command"

    @on(KindField.Changed)
    async def _show_kind(self) -> None:
        """Shows the fields of the kind. Those of the others keep what was typed."""
        if self.kind is self._shown_kind:
            return
        await self.make_copy_and_fetch_rows()
        self._shown_kind = self.kind
        runs = self.kind is TaskKind.COMMAND
        self.query_one("#command-part").display = runs
        self.show_copy_and_fetch_rows()
        self._process.display = runs
        for row in self._input.rows:
            row.display = runs or row.fields[0].field == "description"
        self.query_one("#name", Input).placeholder = _NAMES[self.kind]
        if self.is_mounted:
            self.check()

    # While it is typed.

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Checkbox.Changed)
    def _typed(self) -> None:
        self.check()

    @on(Input.Changed, "#within")
    def _tick_wait(self, event: Input.Changed) -> None:
        """Who types how long it waits wants it to wait."""
        if event.value and event.input.has_focus:
            self.query_one("#waits", Checkbox).value = True

    @on(Input.Changed, "#secret")
    async def _show_secrets(self) -> None:
        await self._secrets.set_names(split_names(str(self._process.typed["secret"])))

    @on(Input.Changed, "#script, #stdin")
    def _read_named(self, event: Input.Changed) -> None:
        self._read_typed(str(event.input.id), event.value.strip())

    @while_open("file")
    async def _read_typed(self, name: str, path: str) -> None:
        """Reads a file as soon as it is named, so that an error is seen at once."""
        if await self._files.read(name, path):
            self.check()

    async def read_files(self) -> None:
        for name in _FILES if self.kind is TaskKind.COMMAND else ():
            await self._files.read_again(name, str(self._input.typed[name]).strip())

    def check_fields(self) -> None:
        fields = self.fields
        self.include_maintenance = fields.include_maintenance
        of_script = self._files.problems if self.kind is TaskKind.COMMAND else {}
        problems = {**fields.problems(), **of_script}
        problems |= self.show_copy_and_fetch_problems(problems)
        self.hint("command", problems.get("command", ""), self._command_hint(fields))
        for row in self._rows:
            row.show(problems)
        self._process.show(process_title(fields), problems)
        self._input.show(input_title(fields), problems)
        self._rollout.check()
        self._show_line(fields.command_line(self.link.state_dir))

    def _command_hint(self, fields: FormFields) -> str | Content:
        past = self._recall.find(fields.command.strip("\n"))
        if past is not None:
            return last_run(past.task, self.link.now(), fields.target)
        if not fields.script.strip():
            return _HINT
        script = self._files.contents.get("script")
        return f"left empty: the script is run{f', {size(script.size)}' if script else ''}"

    def action_copy_line(self) -> None:
        """Gives the command line to the clipboard of the terminal."""
        if line := self.fields.command_line(self.link.state_dir):
            self.app.copy_to_clipboard(line)
            self.notify(COPIED, markup=False)
        else:
            self.notify(self._no_line, severity="warning", markup=False)

    @property
    def _no_line(self) -> str:
        """Why there is no command line."""
        fields = self.fields
        stored = fields.kind is TaskKind.COPY and fields.transfer.uses_stored
        return _STORED if stored else _NO_LINE

    def _show_line(self, line: str) -> None:
        label = self.query_one("#line", Label)
        label.set_class(not line, "hint")
        shown = "\n".join(map(safe_line, line.split("\n"))) if line else self._no_line
        show_text(label, shown)

    # Earlier commands, and the editor.

    @while_open("history")
    async def _read_history(self) -> None:
        self._recall.fill(await self.link.operator.list_command_history("", HISTORY_LIMIT))
        self.check()

    @property
    def _command(self) -> CommandArea:
        return self.query_one(CommandArea)

    @on(CommandArea.Recall)
    def _walk(self, message: CommandArea.Recall) -> None:
        found = self._recall.move(message.step, self._command.text, self.target)
        if found is not None:
            self._command.put(found[0])
            self.query_one("#target", Input).value = found[1]

    @while_open("search", exclusive=True)
    async def action_search_history(self) -> None:
        """Finds an earlier command, which takes the place of this one."""
        past = await self.app.push_screen_wait(HistoryScreen(self.link))
        if past is not None and not can_hold_command(past.text):
            text = (
                f"The command of task {past.task.task_id} {CANNOT_HOLD}: edit a copy of that task."
            )
            self.notify(text, severity="warning", markup=False)
        elif past is not None:
            self._command.put(past.text)
            if not self.target.strip():
                self.query_one("#target", Input).value = past.task.target
            self._command.focus()

    @on(CommandArea.EditorWanted)
    def action_edit_command(self) -> None:
        """Opens the operator's own editor on the command."""
        try:
            self._command.put(edited(self.app, self._command.text))
        except ProgramError as error:
            self.app.notify(str(error), severity="error", markup=False)

    # Making the task.

    def task_spec(self) -> TaskSpec:
        return self.fields.spec()

    def planned_spec(self) -> TaskSpec:
        return self.fields.with_any_contents().spec()

    def action_open_text(self) -> None:
        """Opens the task file of what is typed, without the values of secrets."""
        if not self.busy:
            self._open_text()

    @while_open("text", exclusive=True)
    async def _open_text(self) -> None:
        try:
            await self.read_files()
            with self.fields_disabled(start=False):  # the text names files that are stored
                await self.read_files_to_copy()
                await self.send_files()
            text = write_task_file(task_file_of(self.planned_spec())) if self.is_changed else ""
        except InvalidInputError as error:
            self.show_error(error)
            return
        made = await open_task_file_form(self.app, self.link, text or NEW_TASK_FILE)
        if made is not None:
            self.dismiss(made)

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        if event.input.id in _LAST_FIELDS:
            self.set_focus(self.query_one("#start"))
        else:
            self.focus_next()

    def complain(self, error: InvalidInputError) -> None:
        field, text = error.field, str(error)
        if field == "command":
            self.hint("command", text)
            self.set_focus(self.query_one("#command"))
        elif field in ROLLOUT_FIELDS:
            self._rollout.check()
            self.call_next(self._open_at, self._rollout, field)
        else:
            self._complain_at(field, text)

    def _complain_at(self, field: str, text: str) -> None:
        of_files = self.rows_of_kind.rows if self.rows_of_kind else ()
        in_folds = (row for fold in self._folds for row in fold.rows)
        for row in (*self._rows, *of_files, *in_folds):
            if field in row.typed:
                row.show({field: text})
                break
        else:
            self.app.notify(text, severity="error", markup=False)
            return
        fold = next((fold for fold in self._folds if row in fold.rows), None)
        if fold is None:
            self.call_next(self._focus_on, field)
        else:
            self.call_next(self._open_at, fold, field)

    async def _focus_on(self, field: str) -> None:
        """Those of copies and fetches have no widgets before their kind is shown."""
        await self.make_copy_and_fetch_rows()
        if is_open(self) and (widgets := self.query(f"#{field}")):
            self.set_focus(widgets.first())

    async def _open_at(self, fold: Fold, field: str) -> None:
        """Opens a fold with the focus on a field, or on the value of a secret that lacks one."""
        await fold.open_at(field)
        if field == "secret" and (lacking := self._empty_secret()) is not None:
            lacking.focus()

    def _empty_secret(self) -> Input | None:
        lacking = (name for name, value in self._secrets.values.items() if not value)
        return self._secrets.field_of(next(lacking, ""))

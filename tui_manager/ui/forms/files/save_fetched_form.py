"""The form that saves fetched files: asks for a folder, and for which hosts."""

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, Label

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.files.save_fetched_files import (
    SavedFiles,
    folder_of,
    rows_with_files,
    save_rows,
)
from tui_manager.ui.forms.form import Form, TickBox
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.questions import names_text
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_NAMES_WIDTH = 40  # cells


class SaveFilesScreen(Form[None]):
    """Saves what a task has fetched. Leaving it stops that; what is saved stays.

    Args:
        hosts: whose files are saved unless `all` is ticked: names by host_id.
        folder: that is proposed; empty: one named after the task.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f5", "save", show=False, priority=True)]

    def __init__(self, link: Link, task_id: int, hosts: Mapping[str, str], folder: str) -> None:
        super().__init__()
        self.link = link
        self._task_id = task_id
        self._hosts = hosts
        self._folder = folder or f"task-{task_id}-files"
        self._with_files: dict[str, str] = {}  # hosts that have fetched something: names by host_id
        self._saves = False

    def compose(self) -> ComposeResult:
        """The folder, the hosts and the buttons."""
        with Vertical(id="saving", classes="dialog") as dialog:
            dialog.border_title = f"Save the files of #{self._task_id}"
            yield Label("In the folder, each host in one of its own:", classes="ask", markup=False)
            yield LineInput(self._folder, compact=True)
            yield TickBox("of all hosts", id="all", compact=True)
            yield Label("", id="hosts", classes="hint", markup=False)
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back  esc", id="no", compact=True)
                yield Button("Save  f5", id="yes", compact=True, variant="primary")

    def on_mount(self) -> None:
        """The proposed folder does not count as typed."""
        self.remember_fields()
        self._look()

    @while_open("look")
    async def _look(self) -> None:
        """Finds the hosts that have files."""
        self._with_files = {
            row.host_id: row.host
            async for row in rows_with_files(self.link.operator, self._task_id)
        }
        self._show_hosts()

    @on(Checkbox.Changed)
    def _show_hosts(self) -> None:
        every = self.query_one(TickBox).value
        chosen = self._with_files if every else self._chosen
        names = names_text(chosen.values(), _NAMES_WIDTH) if chosen else ""
        text = f"{count_of(len(chosen), 'host')} with files   {names}"
        lacking = [name for key, name in self._hosts.items() if key not in self._with_files]
        if not every and lacking:
            text = f"{names_text(lacking, _NAMES_WIDTH)} has no files here (yet)."
        self.query_one("#hosts", Label).update(safe_line(text))
        self.query_one("#problem", Label).update("")

    @property
    def _chosen(self) -> dict[str, str]:
        return {key: name for key, name in self._with_files.items() if key in self._hosts}

    @on(Button.Pressed, "#no")
    async def _no(self) -> None:
        await self.action_close()

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def action_save(self) -> None:
        """Saves in the folder that is named. A second press meanwhile does nothing."""
        name = self.query_one(Input).value.strip()
        every = self.query_one(TickBox).value
        if not name:
            self._show_problem("Name a folder.")
        elif not (self._with_files if every else self._chosen):
            self._show_problem("There is nothing to save of these hosts.")
        elif not self._saves:
            self._saves = True
            self._save(name, None if every else frozenset(self._hosts))

    @on(Input.Changed)
    def _forget_problem(self) -> None:
        """The error was about another folder."""
        self._show_problem("")

    @while_open("save", exclusive=True)
    async def _save(self, name: str, hosts: frozenset[str] | None) -> None:
        try:
            folder = await folder_of(name)
            saved = await save_rows(
                self.link.operator, self._task_id, folder, hosts, self._show_saved
            )
        except (InvalidInputError, ManagerError) as error:
            self._show_problem(str(error))
        else:
            text, wrong = saved.words(folder), bool(saved.problems)
            self.app.notify(text, severity="warning" if wrong else "information", markup=False)
            self.dismiss()
        finally:
            self._saves = False

    def _show_saved(self, saved: SavedFiles) -> None:
        text = f"{count_of(saved.files, 'file')} of {count_of(saved.hosts, 'host')} saved…"
        self.query_one("#hosts", Label).update(text)

    def _show_problem(self, text: str) -> None:
        self.query_one("#problem", Label).update(safe_line(text))

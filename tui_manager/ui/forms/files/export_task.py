"""The form that exports a task: asks for the name of a file, whose ending chooses the format."""

import asyncio
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.export.document import document
from tui_manager.export.write_atomically import write_atomically
from tui_manager.open_in_thread import close_in_thread, open_in_thread
from tui_manager.ui.forms.files.local_files import folder_hint
from tui_manager.ui.forms.form import Form
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.questions import task_title
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import while_open

_WORDS = {
    Format.HTML: "one page for people",
    Format.CSV: "for spreadsheets",
    Format.JSON: "for programs",
    Format.JUNIT: "JUnit, for CI",
}


class ExportScreen(Form[None]):
    """Makes a document of a task. Leaving the form stops that, and then there is no file."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f5", "export", show=False, priority=True)]

    def __init__(self, link: Link, task: Task) -> None:
        super().__init__()
        self.link = link
        self.task_shown = task
        self._exports = False

    def compose(self) -> ComposeResult:
        """The path, what endings there are, and the buttons."""
        with Vertical(id="saving", classes="dialog") as dialog:
            dialog.border_title = "Export"
            yield Label(task_title(self.task_shown), markup=False)
            yield Label("To the file:", classes="ask")
            yield LineInput(f"task-{self.task_shown.task_id}{Format.HTML.ending}", compact=True)
            yield Label(folder_hint(), id="folder", classes="hint", markup=False)
            for form, words in _WORDS.items():
                yield Label(f"{form.ending:6} {words}", classes="hint", markup=False)
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back  esc", id="no", compact=True)
                yield Button("Export  f5", id="yes", compact=True, variant="primary")

    def on_mount(self) -> None:
        """The proposed path does not count as typed."""
        self.remember_fields()

    @on(Button.Pressed, "#no")
    async def _no(self) -> None:
        await self.action_close()

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def action_export(self) -> None:
        """Exports to the file that is named. A second press meanwhile does nothing."""
        name = self.query_one(Input).value.strip()
        wanted = Format.of_file(name)
        if not name:
            self._show_problem("Give a name.")
        elif wanted is None:
            self._show_problem(f"The name must end in {', '.join(form.ending for form in Format)}.")
        elif not self._exports:
            self._exports = True
            self._export(name, wanted)

    @on(Input.Changed)
    def _forget_problem(self) -> None:
        """The error was about another name."""
        self._show_problem("")

    @while_open("export", exclusive=True)
    async def _export(self, name: str, wanted: Format) -> None:
        path = Path(name)
        try:
            path = await asyncio.to_thread(lambda: path.expanduser().absolute())
            written = await self._write(path, wanted)
        except FileExistsError:
            self._show_problem(f"{path} exists already; give another name.")
        except ManagerError as error:
            self._show_problem(str(error))
        except OSError as error:
            self._show_problem(f"{path}: {error.strerror}.")
        except (ValueError, RuntimeError) as error:  # a NUL in it; a ~name that nobody has
            self._show_problem(f"{path}: {error}.")
        else:
            self.app.notify(f"Exported {size(written)} to {path}.", markup=False)
            self.dismiss()
        finally:
            self._exports = False

    async def _write(self, path: Path, wanted: Format) -> int:
        """Returns the size of the document. Files are used in threads."""
        whole, written = write_atomically(path, replace=False), 0
        file = await open_in_thread(whole.__enter__, lambda _: _abandon(whole))
        try:
            pieces = document(self.link.operator, self.task_shown.task_id, wanted, self.link.now())
            async for piece in pieces:
                written += await asyncio.to_thread(file.write, piece.encode(errors="replace"))
                self._say(f"{size(written)} exported…")
        except BaseException:
            await close_in_thread(partial(_abandon, whole))
            raise
        await close_in_thread(partial(whole.__exit__, None, None, None))
        return written

    def _say(self, text: str) -> None:
        if self.is_mounted:
            self.query_one("#problem", Label).update(text)

    def _show_problem(self, text: str) -> None:
        self.query_one("#problem", Label).update(safe_line(text))


def _abandon(whole: AbstractContextManager[BinaryIO]) -> None:
    """Leaves no file."""
    whole.__exit__(InterruptedError, InterruptedError(), None)

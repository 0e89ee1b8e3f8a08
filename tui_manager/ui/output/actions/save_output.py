"""The form that saves output to a file: asks for the name, and writes the stored bytes."""

import asyncio
import re
from pathlib import Path
from typing import IO, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.text.number_format import size
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.open_in_thread import close_in_thread, open_in_thread
from tui_manager.ui.forms.files.local_files import folder_hint
from tui_manager.ui.forms.form import Form
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.output_pane import Source
from tui_manager.ui.terminal.closable import while_open

_OTHER = re.compile("[^A-Za-z0-9._]+")  # characters that the name of a file should not have


class SaveOutputScreen(Form[None]):
    """Asks for a file, and writes the raw bytes in the order in which they were stored."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f5", "save", show=False, priority=True)]

    def __init__(self, link: Link, source: Source) -> None:
        super().__init__()
        self.link = link
        self.source = source

    def compose(self) -> ComposeResult:
        """The path and the buttons."""
        with Vertical(id="saving", classes="dialog") as dialog:
            dialog.border_title = "Save output"
            yield Label(safe_line(self.source.full_title), markup=False)
            yield Label("To the file:", classes="ask")
            yield Input(self.default_path, compact=True)
            yield Label(folder_hint(), id="folder", classes="hint", markup=False)
            yield Label("", id="problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back  esc", id="no", compact=True)
                yield Button("Save  f5", id="yes", compact=True, variant="primary")

    @property
    def default_path(self) -> str:
        """In the folder in which the dashboard was started."""
        words = _OTHER.sub("-", self.source.full_title.removeprefix(f"#{self.source.task_id}"))
        return "-".join(filter(None, (f"task-{self.source.task_id}", words.strip("-.")))) + ".log"

    def on_mount(self) -> None:
        """The proposed path does not count as typed."""
        self.remember_fields()

    @on(Button.Pressed, "#no")
    async def _no(self) -> None:
        await self.action_close()

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def action_save(self) -> None:
        """Saves to the file that is named."""
        name = self.query_one(Input).value.strip()
        if not name:
            self._show_problem("Give a name.")
            return
        self._save(name)

    @on(Input.Changed)
    def _forget_problem(self) -> None:
        """The error was about another name."""
        self._show_problem("")

    @while_open("save", exclusive=True)
    async def _save(self, name: str) -> None:
        path = Path(name)
        try:
            path = await asyncio.to_thread(lambda: path.expanduser().absolute())
            file = await open_in_thread(lambda: path.open("xb"), lambda opened: opened.close())
        except FileExistsError:
            self._show_problem(f"{path} exists already; give another name.")
            return
        except OSError as error:
            self._show_problem(f"{path}: {error.strerror}.")
            return
        except (ValueError, RuntimeError) as error:  # a NUL in it; a ~name that nobody has
            self._show_problem(f"{path}: {error}.")
            return
        try:
            try:
                written = await self._copy(file)
            finally:
                await close_in_thread(file.close)  # writes the rest
        except ManagerError as error:
            self._show_problem(str(error))
            return
        except OSError as error:
            self._show_problem(f"{path}: {error.strerror}.")
            return
        self.app.notify(f"Saved {size(written)} to {path}.", markup=False)
        self.dismiss()

    async def _copy(self, file: IO[bytes]) -> int:
        source, after, written = self.source, 0, 0
        while chunks := await self.link.operator.follow_output(
            source.task_id, after, source.host_id
        ):
            after = chunks[-1].position
            kept = [
                chunk.data
                for chunk in chunks
                if not source.execution_id or chunk.execution_id == source.execution_id
            ]
            written += await asyncio.to_thread(file.write, b"".join(kept))
        return written

    def _show_problem(self, text: str) -> None:
        self.query_one("#problem", Label).update(text)

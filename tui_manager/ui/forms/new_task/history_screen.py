"""Finds an earlier command."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from tui_manager.domain.tasks.command_history import HISTORY_LIMIT, PastCommand
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.line_input import LineInput
from tui_manager.ui.forms.new_task.command_recall import last_run
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import ClosableScreen, while_open

_WIDTH = 110  # cells of a command


class HistoryScreen(ModalScreen[PastCommand | None], ClosableScreen[PastCommand | None]):
    """A list of commands that contain what is typed. It ends with the one that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back"),
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("up,ctrl+p,ctrl+r", "move(-1)", show=False),
    ]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._found: Sequence[PastCommand] = ()

    def compose(self) -> ComposeResult:
        """The field, the list, and how the selected one went."""
        with Vertical(id="history", classes="dialog form") as sheet:
            sheet.border_title = "Earlier commands"
            sheet.border_subtitle = "enter take   esc back"
            yield LineInput(id="find", compact=True, placeholder="a part of the command")
            commands = OptionList(id="commands", compact=True)
            commands.can_focus = False  # the keys that are typed go to the field
            yield commands
            yield Label("", id="commands-hint", classes="hint", markup=False)

    def on_mount(self) -> None:
        """All commands, until something is typed."""
        self._find("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    @while_open("find", exclusive=True)
    async def _find(self, text: str) -> None:
        self._found = await self._link.operator.list_command_history(text, HISTORY_LIMIT)
        commands = self.query_one(OptionList)
        commands.clear_options()
        commands.add_options([Option(command_line_of(past)) for past in self._found])
        commands.highlighted = 0 if self._found else None
        if not self._found:
            said = f"No command contains “{safe_line(text)}”." if text else "No command ran yet."
            self.query_one("#commands-hint", Label).update(said)

    @on(OptionList.OptionHighlighted)
    def _tell(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._found):
            text = history_hint(self._found[event.option_index], self._link.now())
            self.query_one("#commands-hint", Label).update(text)

    def action_move(self, step: int) -> None:
        """Selects another one."""
        commands = self.query_one(OptionList)
        if step > 0:
            commands.action_cursor_down()
        else:
            commands.action_cursor_up()

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _take(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and place < len(self._found):
            self.dismiss(self._found[place])

    def action_close(self) -> None:
        """Back, without a command."""
        self.dismiss(None)


def command_line_of(past: PastCommand) -> Content:
    """A command in one line of the list."""
    return Content(shorten(safe_line(past.text.replace("\n", " ↵ ")), _WIDTH))


def history_hint(past: PastCommand, now: datetime) -> str:
    """Where and how it ran last: `web*   last run today 16:20 on 14 hosts: 0:52, 2 failed`."""
    return f"{safe_line(past.task.target)}   {last_run(past.task, now, '')}"

"""The part of the screen of a task that is about copied and fetched files: what stands in place of
their output, and how fetched files are saved."""

from tui_manager.domain.task_spec.copy_and_fetch import FetchSpec
from tui_manager.domain.tasks.task import CommandHost, TaskDetail
from tui_manager.ui.action import Action
from tui_manager.ui.drawing.spans import Spans
from tui_manager.ui.drawing.transfer_words import FILES_ONLY, pane_lines
from tui_manager.ui.forms.files.save_fetched_form import SaveFilesScreen
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.manager_link import Link
from tui_manager.ui.output.actions.output_actions import OutputActions
from tui_manager.ui.output.output_pane import NO_OUTPUT, OutputPane
from tui_manager.ui.tasks.one_task.command_host_table import CommandHostTable, ended_without_output
from tui_manager.ui.tasks.task_actions import TaskActions

_MARGINS = 4  # cells beside a line of an empty output pane


class TransferActions(OutputActions, TaskActions):
    """A screen with the command hosts of one task, and their output."""

    def __init__(self, link: Link, task_id: int) -> None:
        super().__init__(link)
        self.task_id = task_id
        self.detail: TaskDetail | None = None

    @property
    def rows(self) -> CommandHostTable:
        """The command hosts."""
        return self.query_one("#rows", CommandHostTable)

    @property
    def output(self) -> OutputPane:
        """The output."""
        return self.query_one("#output", OutputPane)

    def without_output(self, row: CommandHost | None = None) -> tuple[Spans, ...]:
        """What stands in place of the output of a row, or of all: what it has copied or fetched, or
        how it has ended."""
        if row is None:
            steps = self.detail.commands if self.detail else ()
            only_files = steps and all(step.spec.transfer is not None for step in steps)
            return (FILES_ONLY,) if only_files else (NO_OUTPUT,)
        width = self.output.size.width - _MARGINS
        spec = self.rows.spec_of(row)
        if spec is None or spec.transfer is None:
            return ended_without_output(row, width) or (NO_OUTPUT,)
        key = key_of("save_output", self.link.keys)
        return pane_lines(row, spec.transfer, self.rows.rates.rate(row), width, key)

    @property
    def selected_fetch(self) -> FetchSpec | None:
        """What the step of the selected row fetches; None: it does something else."""
        row = self.rows.selected if self.is_mounted else None
        spec = self.rows.spec_of(row) if row is not None else None
        return spec.fetch if spec is not None else None

    async def action_save_output(self) -> None:
        """Asks for a folder, and saves what was fetched; or for a file, and saves the output."""
        fetch, row = self.selected_fetch, self.rows.selected
        if fetch is None or row is None:
            await super().action_save_output()
            return
        marked = self.marked_task_hosts()
        hosts = marked if len(marked) > 1 else {row.host_id: row.host}
        await self.app.push_screen(SaveFilesScreen(self.link, self.task_id, hosts, fetch.to))

    def label_of(self, action: Action) -> str:
        if action.id == "save_output" and self.selected_fetch is not None:
            return "Save files"
        return super().label_of(action)

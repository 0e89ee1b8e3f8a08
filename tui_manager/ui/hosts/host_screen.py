"""One host: its state and vitals, what runs and ran there with its output, and its facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from textual import on
from textual.events import DescendantFocus
from textual.widget import Widget

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host, HostDetail
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Action, Pane, ScreenName
from tui_manager.ui.drawing.alike_lines import PlainContainer
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.drawing.transfer_words import run_lines
from tui_manager.ui.frame.pane_tabs import PaneTabs
from tui_manager.ui.hosts.host_actions import HostActions
from tui_manager.ui.hosts.host_facts import all_facts
from tui_manager.ui.hosts.host_head import host_head, host_vitals
from tui_manager.ui.hosts.host_run_table import HostRunTable
from tui_manager.ui.key_bindings import bindings_of, open_task
from tui_manager.ui.listing.row_list import RowList
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import CallFailed, Link
from tui_manager.ui.output.actions.output_actions import OutputActions
from tui_manager.ui.output.output_pane import NO_OUTPUT, OutputPane, Source
from tui_manager.ui.tasks.task_actions import cancel_on_hosts, rerun_task
from tui_manager.ui.terminal.closable import is_open

_PANES = ("Runs", "Output", "Facts")
_THREE_COLUMNS = 160  # cells from which the panes are side by side
_TITLE_WIDTH = 40  # cells of the title of a task in a notice
_MARGINS = 2  # cells beside the lines of the head


class FactsPane(TextScroll):
    """The facts of the host. Keys act on the host while it has the focus."""

    PANE = Pane.HOST


class HostScreen(OutputActions, HostActions):
    """All about one host. If there is no room for the three panes, it shows one at a time."""

    SCREEN = ScreenName.HOST
    BINDINGS = bindings_of(ScreenName.HOST)

    def __init__(self, link: Link, host_id: str) -> None:
        super().__init__(link)
        self.host_id = host_id
        self.detail: HostDetail | None = None
        self._read_at: datetime = link.now()
        self._gone = False

    @property
    def subject(self) -> str:
        """One screen for each host."""
        return self.host_id

    def body(self) -> Iterable[Widget]:
        yield SpanLines(id="host-head")
        yield SpanLines(id="host-vitals")
        yield PaneTabs(_PANES, self.link.keys)
        yield PlainContainer(
            HostRunTable(self.link, self.host_id, id="runs"),
            OutputPane(self.link, id="output"),
            FactsPane(SpanLines(id="host-facts"), id="facts-pane"),
            id="host",
        )

    @property
    def runs(self) -> HostRunTable:
        """What runs and ran on the host."""
        return self.query_one("#runs", HostRunTable)

    @property
    def output(self) -> OutputPane:
        """The output of the selected run."""
        return self.query_one("#output", OutputPane)

    @property
    def panes(self) -> Sequence[Widget]:
        """The three panes, in the order of the tabs."""
        return self.runs, self.output, self.query_one("#facts-pane")

    def on_mount(self) -> None:
        """The runs have the focus."""
        self.query_one("#facts-pane").border_title = "Facts"
        self.set_focus(self.runs)

    def read_again(self, changes: Changes) -> None:
        if changes.hosts or changes.tasks or changes.all_tasks:
            self.runs.reload()
        source = self.output.source
        if source is not None and changes.touches(source.task_id):
            self.output.poll()

    @on(HostRunTable.Read)
    async def _show_detail(self, message: HostRunTable.Read) -> None:
        if message.detail is None:
            await self._say_gone()
            return
        self.detail, self._read_at = message.detail, self.link.data_time()
        self._describe()
        self.show_keys()

    async def _say_gone(self) -> None:
        """Closes the screen of a host that was removed, once it is the one in front."""
        if self.is_active and not self._gone:
            self._gone = True
            name = safe_line(self.detail.host.name) if self.detail else "This host"
            self.notify(f"{name} was removed.", severity="warning", markup=False)
            await self.leave()

    def tick(self) -> None:
        super().tick()
        if self.is_current:
            self._describe()

    def on_resize(self) -> None:
        """The lines and the columns depend on the width."""
        self.set_class(self.size.width >= _THREE_COLUMNS, "-three-columns")
        self._describe()

    @on(SpanLines.WidthChanged)
    def _describe(self) -> None:
        """Shows the host as it was read last. Times go on."""
        if (detail := self.detail) is None:
            return
        now, width = self.link.data_time(), max(1, self.size.width - _MARGINS)
        away = bool(self.link.trouble)
        self.query_one("#host-head", SpanLines).set_lines(host_head(detail, now, width, away=away))
        vitals = host_vitals(detail, self._read_at, width)
        self.query_one("#host-vitals", SpanLines).set_lines(vitals)
        facts = self.query_one("#host-facts", SpanLines)
        facts.set_lines(all_facts(detail, now, facts.size.width or width))

    # Panes.

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        for number, pane in enumerate(self.panes):
            if pane.has_focus_within:
                self._bring_forward(number)

    def _bring_forward(self, number: int) -> None:
        for other, pane in enumerate(self.panes):
            pane.set_class(other == number, "-front")
        self.query_one(PaneTabs).chosen = number

    def place_zoomed(self, pane: Widget | None) -> None:
        """One pane takes the place of all columns."""
        self.query_one("#host").set_class(pane is not None, "-zoomed")

    def show_pane(self, pane: Widget) -> None:
        self._bring_forward(self.panes.index(pane))
        self.set_focus(pane)

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, message: PaneTabs.Chosen) -> None:
        self.show_pane(self.panes[message.number])

    @on(RowTable.Selected)
    def _show_output(self) -> None:
        """The output of the selected run, of this host only."""
        run = self.runs.selected
        if run is None:
            self.output.show(None)
            return
        title = f"#{run.row.task_id} {run.task}"
        self.output.ended = run.row.status.ended
        self.output.show_failed(run.row.status.failed)
        self.output.no_output_text = run_lines(run.row) or (NO_OUTPUT,)
        source = Source(run.row.task_id, self.host_id, title=title, steps=run.steps > 1)
        self.output.show(source)

    # What the keys act on.

    def is_useful(self, action: Action) -> bool:
        """What does nothing to this host, or to the selected run, is not in the footer."""
        host = self.detail.host if self.detail else None
        run = self.runs.selected if self.is_mounted else None
        match action.id:
            case "remove_host":
                use = host is not None and not host.online
            case "cancel_task":
                use = run is not None and not run.row.status.ended
            case "rerun_task":
                use = run is not None and run.row.status.ended
            case _:
                use = True
        return use and super().is_useful(action)

    def label_of(self, action: Action) -> str:
        if action.id == "new_task":
            return "Command here"
        return super().label_of(action)

    def marked_hosts(self) -> list[Host]:
        """A new task is for this host."""
        return self.chosen_hosts()

    def chosen_hosts(self) -> list[Host]:
        return [self.detail.host] if self.detail else []

    @property
    def host_rows(self) -> RowList[Host] | None:
        return None

    def show_created(self, task_id: int) -> None:
        """Selects the new task."""
        self.runs.select_row(str(task_id), 0)

    async def _task_of_run(self, verb: str) -> Task | None:
        """The task of the selected run; None if there is none, or the manager does not answer."""
        if (run := self.runs.selected) is None:
            self.notify(f"Select a run to {verb}.", markup=False)
            return None
        try:
            return (await self.link.operator.get_task(run.row.task_id)).task
        except ManagerError as error:
            self.post_message(CallFailed(error))
            return None

    @property
    def _here(self) -> dict[str, str]:
        return {self.host_id: self.detail.host.name if self.detail else self.host_id}

    async def action_cancel_task(self) -> None:
        """Cancels the selected run on this host, after asking. On other hosts it goes on."""
        run = self.runs.selected
        if run is not None and run.row.status.ended:
            title = shorten(safe_line(f"#{run.row.task_id} {run.task}"), _TITLE_WIDTH)
            text = f"{title} has ended on this host: there is nothing to cancel."
            self.notify(text, severity="warning", markup=False)
        elif (task := await self._task_of_run("cancel")) is not None and is_open(self):
            self.run_to_end(cancel_on_hosts(self.app, self.link, task, self._here))

    async def action_rerun_task(self) -> None:
        """Runs the task of the selected run again, on this host unless others are ticked."""
        if (task := await self._task_of_run("repeat")) is not None and is_open(self):
            again = rerun_task(self.app, self.link, [task], self._here, self.task_created)
            self.run_to_end(again)

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the task of the selected run."""
        if (run := self.runs.selected) is not None:
            await self.app.run_action(open_task(run.row.task_id))
        else:
            self.runs.open_when_read()

    async def leave(self) -> None:
        """Back to the screen before."""
        self.app.pop_screen()

"""Base of the screens that show the manager: header, body, filter, footer, and what they share."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.dom import DOMNode
from textual.events import Resize, ScreenResume
from textual.widget import Widget
from textual.widgets import Static

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui.action import Action, Pane, ScreenName
from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.drawing.alike_lines import AlikeLines, PlainContainer
from tui_manager.ui.drawing.span_widgets import SpanWidget
from tui_manager.ui.frame.header import HeaderLine, NoticeLine
from tui_manager.ui.frame.key_footer import FooterKey, KeyFooter, use_elsewhere
from tui_manager.ui.key_bindings import bindings_of, footer_actions, key_of
from tui_manager.ui.listing.filter_bar import FilterBar
from tui_manager.ui.listing.row_list import MARKED_MAX, RowList
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import CallFailed, Link, ManagerChanged
from tui_manager.ui.terminal.closable import ClosableScreen, is_open

EVERYTHING = Changes(hosts=True, all_tasks=True, manager=True, templates=True, schedules=True)
TICK = 1.0  # seconds
SMALLEST = (60, 16)  # columns and lines; a smaller terminal shows a text about that


class MainScreen(ClosableScreen[None], AlikeLines):
    """A subclass has the body, and reads it again when the manager has changed."""

    SCREEN: ClassVar[ScreenName]
    AUTO_FOCUS = ""  # each screen sets the focus when it is mounted
    _keys_wait = False  # the footer is shown again after the next drawing

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        if link.keys.changed:
            self.rebind(bindings_of(self.SCREEN, link.keys), BY_ID)

    def compose(self) -> ComposeResult:
        """What every screen has around its body."""
        yield HeaderLine(self.link)
        yield NoticeLine(self.link)
        with PlainContainer(id="body"):
            yield from self.body()
        yield FilterBar(self.link.keys)
        yield KeyFooter()
        yield Static(id="too-small", markup=False)

    def body(self) -> Iterable[Widget]:
        """The widgets between header and footer."""
        raise NotImplementedError

    def read_again(self, changes: Changes) -> None:
        """Reads again what may have changed."""
        raise NotImplementedError

    @property
    def panes(self) -> Sequence[Widget]:
        """The panes that tab goes through, in its order. One that takes no focus is passed over."""
        return ()

    @property
    def table(self) -> RowTable[Any] | None:
        """The table that keys act on: the focused one, else the screen's first."""
        if isinstance(self.focused, RowTable):
            return self.focused
        tables = self.query(RowTable).results(RowTable)
        return next((table for table in tables if table.display), None)

    def on_mount(self) -> None:
        """Running times go on while nothing changes. Textual calls this and the method of a
        subclass, so that a subclass does not call it."""
        self.set_interval(TICK, self.tick)

    def tick(self) -> None:
        """Called once a second."""
        if self.is_current:
            self._show_age()
            self.query_one(HeaderLine).refresh_changed()
            for table in self.query(RowTable).results(RowTable):
                table.refresh_changed(times=True)
            self.show_keys()

    @on(ScreenResume)
    def _resumed(self) -> None:
        self.query_one(NoticeLine).show_notice()
        self._focus_again()
        self.read_again(EVERYTHING)

    @on(ManagerChanged)
    def _manager_changed(self, message: ManagerChanged) -> None:
        if is_open(self):
            self.query_one(HeaderLine).refresh_changed()
            self._show_age()
            self.read_again(message.changes)

    def _show_age(self) -> None:
        """While the manager is away, each pane says of when it is what it shows."""
        link = self.link
        age = f"as of {link.data_time():%H:%M:%S}" if link.trouble else ""
        self.set_class(bool(age), "-old")
        for pane in self.query(SpanWidget).results(SpanWidget):
            if pane.border_title:
                pane.show_age(age)

    @on(Resize)
    def _check_size(self, event: Resize) -> None:
        columns, lines = SMALLEST
        small = event.size.width < columns or event.size.height < lines
        self.set_class(small, "-too-small")
        if not small:
            self.call_after_refresh(self._focus_again)
            return
        self.query_one("#too-small", Static).update(
            f"This terminal has {event.size.width} columns and {event.size.height} lines.\n"
            f"The dashboard needs {columns} and {lines}: enlarge it, or use a smaller font."
        )

    def _focus_again(self) -> None:
        """A widget that is hidden loses the focus. All are while the terminal is too small."""
        if is_open(self) and self.focused is None and self.table is not None:
            self.set_focus(self.table)

    # The footer.

    @property
    def focused_pane(self) -> Pane | None:
        """The kind of the pane that has the focus; None if no pane has it."""
        node: DOMNode | None = self.focused
        while node is not None:
            if isinstance(pane := getattr(node, "PANE", None), Pane):
                return pane
            node = node.parent
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does this now. What works in one pane only leaves its key to another action
        while that pane has not the focus."""
        found = BY_ID.get(action)
        return found is None or not found.pane_only or self.focused_pane in found.panes

    def label_of(self, action: Action) -> str:
        """What an action would do now."""
        return action.label

    def is_useful(self, action: Action) -> bool:
        """Whether an action could do something to what is selected now. The footer shows no other.
        Its key works all the same, and says why it cannot."""
        return True

    @on(RowTable.Selected)
    def show_keys(self) -> None:
        """Shows in the footer what the keys would do now."""
        self._keys_wait = False
        if not is_open(self):
            return
        keys = self.link.keys
        self.query_one(KeyFooter).show_keys(
            tuple(
                FooterKey(
                    action.id,
                    keys.keys_of(action)[0],
                    keys.first_shown(action),
                    self.label_of(action),
                )
                for action in footer_actions(self.SCREEN, self.focused_pane)
                if self.check_action(action.id, ()) and self.is_useful(action)
            )
        )

    def refresh_bindings(self) -> None:
        """Textual calls this when another widget has the focus."""
        super().refresh_bindings()
        if not self._keys_wait:
            self._keys_wait = True
            self.call_after_refresh(self.show_keys)

    def say_use_elsewhere(self, key: str) -> None:
        """Says what a key that does nothing here does elsewhere."""
        if is_open(self) and (text := use_elsewhere(key, self.SCREEN, self.link.keys)):
            self.notify(text, markup=False)

    # What keys do on every screen.

    def action_next_pane(self) -> None:
        """Focuses the next pane; after the last one the first."""
        self.go_to_pane(1)

    def action_previous_pane(self) -> None:
        """Focuses the pane before; before the first one the last."""
        self.go_to_pane(-1)

    def go_to_pane(self, step: int) -> None:
        """Focuses the pane that is `step` behind the one with the focus."""
        panes = [pane for pane in self.panes if pane.allow_focus() or pane.has_focus_within]
        focused = (number for number, pane in enumerate(panes) if pane.has_focus_within)
        at = next(focused, -1 if step > 0 else 0)
        self.show_pane(panes[(at + step) % len(panes)])

    def show_pane(self, pane: Widget) -> None:
        """Focuses a pane. A screen without room for all of them brings it to the front."""
        self.set_focus(pane)

    async def action_filter(self) -> None:
        """Types a filter for the table."""
        if self.table is not None:
            await self.open_filter(self.table)

    async def open_filter(self, table: RowTable[Any]) -> None:
        """Types a filter for this table."""
        await self.query_one(FilterBar).open(table)

    @on(RowTable.FilterRefused)
    def _filter_refused(self, message: RowTable.FilterRefused) -> None:
        """Says why: below the filter that is typed, or as a notice."""
        if isinstance(message.rows, RowTable):
            bar = self.query_one(FilterBar)
            if bar.refuse(message.rows, message.text, str(message.error)):
                return
        self.post_message(CallFailed(message.error))

    def action_faults_only(self) -> None:
        """Shows only what is wrong, or all."""
        if self.table is not None:
            self.table.toggle_faults()

    def action_mark(self) -> None:
        """Marks what is selected."""
        if self.table is not None:
            self.table.toggle_mark()

    async def action_mark_shown(self) -> None:
        """Marks all rows that pass the filter of the table, or takes their marks away."""
        if (table := self.table) is None:
            return
        try:
            if not await table.mark_matching() and is_open(self):
                self.notify(f"Only the first {MARKED_MAX:,} are marked.", markup=False)
        except ManagerError as error:
            self.post_message(CallFailed(error))

    def action_sort_right(self) -> None:
        """Sorts the table by the next column."""
        if self.table is not None:
            self.table.sort_by_next(1)

    def action_sort_left(self) -> None:
        """Sorts the table by the column before."""
        if self.table is not None:
            self.table.sort_by_next(-1)

    def action_reverse_order(self) -> None:
        """Reverses the order of the column that the table is sorted by."""
        if self.table is not None:
            self.table.reverse_order()

    async def action_back(self) -> None:
        """Goes one step back: hides the notice, closes the filter, clears the marks, clears the
        filter, then leaves the screen."""
        bar, table = self.query_one(FilterBar), self.table
        if self.link.notice:
            self.link.notice = ""
            self.query_one(NoticeLine).show_notice()
        elif bar.display:
            bar.clear()
        elif table is not None and table.list.marks:
            table.clear_marks()
        elif table is not None and table.window.text:
            table.filter_by("")
        else:
            await self.leave()

    async def leave(self) -> None:
        """Goes to the screen before: the dashboard."""
        await self.run_action("app.show_dashboard")

    def task_created(self, task_id: int) -> None:
        """A form that was opened here has made a task. This screen may be closed by then."""
        if is_open(self):
            self.show_created(task_id)

    def show_created(self, task_id: int) -> None:
        """Shows a task that was made here."""

    def marked_hosts(self) -> list[Host]:
        """The hosts that a new task is for."""
        return []

    @property
    def host_rows(self) -> RowList[Any] | None:
        """The list of hosts, or of hosts of a task, whose marks keys act on; None for none."""
        return None

    def refuse_hidden_marks(self) -> bool:
        """If there are marks of hosts, but none in the list, says so and returns True: a key that
        acts on marks must not act on anything else instead."""
        rows = self.host_rows
        if rows is None or not rows.only_hidden_marks:
            return False
        self.notify(
            "None of the marked rows is in the list. Change its filter, or clear the marks"
            f" ({key_of('back', self.link.keys)}).",
            severity="warning",
            markup=False,
        )
        return True

    def marked_task_hosts(self) -> Mapping[str, str]:
        """The names of the marked hosts of the task that the screen shows, by their ids."""
        return {}

    async def find_marks(self) -> bool:
        """Looks up the marked rows, as some may have left their lists. False if the manager does
        not answer, or the screen is closed meanwhile: the key then does nothing."""
        try:
            for rows in self.query(RowList).results(RowList):
                if rows.list.missing.keys() & rows.list.marks.keys():
                    await rows.find_marks()
        except ManagerError as error:
            self.post_message(CallFailed(error))
            return False
        return is_open(self)

    def run_to_end(self, action: Coroutine[Any, Any, None]) -> None:
        """Runs it to its end, whether or not this screen is closed meanwhile. What it acts on is
        what was chosen when the key was pressed."""
        self.app.run_worker(action, group="actions")

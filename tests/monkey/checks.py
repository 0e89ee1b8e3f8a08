"""What must hold of the app whenever it has come to rest, whatever was done to it.

What it draws is compared with what the fake operator says: no row may lie.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.monkey.inputs import (
    Change,
    Check,
    Click,
    Drag,
    Input,
    Key,
    Raw,
    Resize,
    Turns,
    Wait,
    Wheel,
)
from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.lists.list_window import LIMIT_MAX
from tui_manager.domain.output.output_buffer import OutputBuffer
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.drawing.spans import plain, shorten
from tui_manager.ui.forms.confirm import Question
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.listing.row_list import HEADER
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import row_spans
from tui_manager.ui.output.output_pane import OutputPane
from tui_manager.ui.tasks.lists.running_tasks_table import RunningTasksTable
from tui_manager.ui.tasks.lists.task_selection import TaskPickTable
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen

_OF_OTHERS = (Change, Wait, Turns, Resize, Check)
_MOVE_NO_CURSOR = ("a", "x", "y")
_MAY_SCROLL = (Wheel, Drag, Click, Raw)  # they may take the cursor out of sight


class Checks:
    """Collects what is wrong in `problems`.

    Args:
        truth: the operator whose hosts and tasks are shown.
    """

    def __init__(self, truth: FakeOperator) -> None:
        self._truth = truth
        self.problems: list[str] = []
        self._question: Question | None = None
        self._said_yes: list[str] = []  # the texts of all questions that were answered with yes
        self._left_alone = True  # nothing since the last comparison moves a cursor to another item
        self._scrolls = 0
        self._in_sight_at: dict[Widget, int] = {}
        self._keys: dict[Widget, str] = {}  # of tables that the last comparison looked at
        self._keys_before = self._keys

    def given(self, item: Input) -> None:
        """Notes what a monkey has done."""
        moves = not isinstance(item, _OF_OTHERS)
        if isinstance(item, Key):
            moves = item.name not in _MOVE_NO_CURSOR
        self._left_alone = self._left_alone and not moves
        self._scrolls += isinstance(item, _MAY_SCROLL)

    def answered(self, question: Question) -> None:
        """A question was answered with yes."""
        self._question = question
        self._said_yes.append(f"{question.title} {question.lines}")

    def called(self, name: str, arguments: tuple[Any, ...]) -> None:
        """What is acted on must be what the question named."""
        question = self._question
        if name in ("approve_hosts", "reject_hosts", "revoke_hosts", "remove_hosts"):
            ids = [str(item).rpartition("/")[2] for item in arguments[0]]
            names = [host.name for host in self._truth.hosts.values() if host.host_id in ids]
            self._expect(
                question is not None and _names(question, names), f"{name} {ids}: {question}"
            )
        if name in ("delete_template", "delete_schedule", "run_schedule"):
            said = "" if question is None else question.title
            self._expect(f" {arguments[0]}" in said, f"{name} {arguments}: {question}")
        if name == "cancel_task":  # of several tasks, the last ones may come behind other questions
            words = [f"#{arguments[0]} "]
            words += [f" on {self._hosts(ids)}" for ids in arguments[1:] if ids]
            named = any(all(word in said for word in words) for said in self._said_yes)
            self._expect(named, f"{name} {arguments}: {self._said_yes}")

    def _hosts(self, ids: Sequence[str]) -> str:
        """As a question calls them: one by its name, several by their number."""
        if len(ids) > 1:
            return f"{len(ids)} hosts"
        return next((host.name for host in self._truth.hosts.values() if host.host_id in ids), "")

    def _expect(self, holds: object, problem: str) -> None:
        if not holds:
            self.problems.append(problem)

    async def compare(self, app: DashboardApp) -> None:
        """Looks at everything that is seen."""
        self._compare_characters(app)
        self._compare_focus(app)
        screen, self._keys_before, self._keys = app.screen, self._keys, {}
        if isinstance(screen, MainScreen):
            seen = screen._compositor.visible_widgets
            for table in screen.query(RowTable).results(RowTable):
                if table in seen and table.size.height > HEADER:
                    await self._compare_table(table)
            for pane in screen.query(OutputPane).results(OutputPane):
                if pane in seen:
                    await self._compare_output(pane)
            status = await self._truth.manager_status()
            self._expect(screen.link.status == status, f"the header: {screen.link.status}")
        if isinstance(screen, TaskScreen):
            detail = await self._truth.get_task(screen.task_id)
            self._expect(screen.detail == detail, f"the head of the task: {screen.detail}")
            await self._compare_overview(screen)
        if isinstance(screen, HostScreen):
            await self._compare_host(screen)
        self._left_alone = True

    async def _compare_host(self, screen: HostScreen) -> None:
        """It is closed when its host is gone, and else it shows what there is."""
        known = {host.host_id for host in self._truth.hosts.values()}
        self._expect(screen.host_id in known, f"the screen of {screen.host_id}, which is gone")
        if screen.host_id in known:
            detail = await self._truth.get_host(screen.host_id)
            self._expect(screen.detail == detail, f"the head of the host: {screen.detail}")

    def _compare_characters(self, app: DashboardApp) -> None:
        for strip in app.screen._compositor.render_strips():
            odd = [char for char in strip.text if unicodedata.category(char) == "Cc"]
            self._expect(not odd, f"{odd} in {strip.text!r}")

    def _compare_focus(self, app: DashboardApp) -> None:
        focused = app.focused
        self._expect(
            focused is None or (focused.is_attached and focused.display and not focused.disabled),
            f"the focus is on {focused}",
        )
        if isinstance(app.screen, MainScreen) and not app.screen.has_class("-too-small"):
            self._expect(focused is not None, "nothing has the focus")

    async def _compare_table(self, table: RowTable[Any]) -> None:
        page = await table.fetch(replace(table.window, offset=0, limit=LIMIT_MAX))
        rows, held = page.rows, table.list
        where = f"{table}, {table.window}, cursor {held.cursor} on {held.key!r}"
        for y, drawn in enumerate(_drawn(table)):
            if y >= HEADER and rows:
                number = table.first + y - HEADER
                said = _row(table, rows[number]) if number < len(rows) else ""
                self._expect(
                    drawn == said,
                    f"row {number} of {where} is drawn as\n{drawn!r}, but is\n{said!r}",
                )
        keys = [table.key_of(row) for row in rows]
        self._compare_cursor(table, rows, keys, where)
        before = self._keys_before.get(table)
        if _follows_newest(table):
            last_started = isinstance(table, RunningTasksTable) and keys[:1]
            self._expect(not last_started or held.cursor == 0, f"not the newest: {where}")
        elif self._left_alone and before in keys:
            self._expect(held.key == before, f"the cursor left {before!r}: {where}")
        self._keys[table] = held.key

    def _compare_cursor(
        self, table: RowTable[Any], rows: Sequence[Any], keys: Sequence[str], where: str
    ) -> None:
        held = table.list
        if not rows:
            self._expect(table.selected is None, f"{table.selected} is selected: {where}")
            return
        if not held.key:  # what was selected is gone, and nothing is until the operator moves
            self._expect(table.selected is None, f"{table.selected} is selected: {where}")
            return
        self._expect(held.key in keys, f"what is selected is not in the list: {where}")
        at = keys.index(held.key) if held.key in keys else -1
        self._expect(at == held.cursor, f"what is selected is at {at}: {where}")
        self._expect(
            table.selected == rows[at],
            f"selected is {table.selected}, in truth {rows[at]}: {where}",
        )
        if 0 <= held.cursor - table.first < table.size.height - HEADER:
            self._in_sight_at[table] = self._scrolls
        else:
            scrolled = self._scrolls > self._in_sight_at.get(table, 0)
            self._expect(scrolled, f"the cursor is out of sight, first {table.first}: {where}")

    async def _compare_overview(self, screen: TaskScreen) -> None:
        found = await self._truth.get_task_map(screen.task_id)
        self._expect(screen.map == found, f"the map of the task: {screen.map}, in truth {found}")
        groups = await self._truth.summarize_failures(screen.task_id)
        self._expect(screen.failures == groups, f"{screen.failures}, in truth {groups}")
        rows = screen.rows
        shown = [row for row in rows.in_sight() if row.execution_id in rows.last_lines]
        for row in shown:
            said = rows.last_lines[row.execution_id]
            lines = await self._truth.read_last_lines(screen.task_id, [row.execution_id])
            line = lines.get(row.execution_id)
            self._expect(line == said, f"last line of {row.host}: {said}, in truth {line}")

    async def _compare_output(self, pane: OutputPane) -> None:
        source = pane.source
        if source is None:
            return
        chunks = await self._truth.follow_output(source.task_id, 0, source.host_id, 1 << 30)
        if pane.reader is None or not pane.reader.window.is_complete:
            return
        lines = OutputBuffer()
        lines.feed(chunk for chunk in chunks if source.execution_id in ("", chunk.execution_id))
        said, shown = ([line.text for line in of.lines] for of in (lines, pane))
        self._expect(said == shown, f"output of {source}: {shown[-3:]}, in truth {said[-3:]}")


def _follows_newest(table: RowTable[Any]) -> bool:
    """Whether it is a list of tasks of which the operator has selected none."""
    screen = table.screen
    return (
        isinstance(table, TaskPickTable)
        and isinstance(screen, DashboardScreen)
        and not screen.picked
    )


def _names(question: Question, names: Sequence[str]) -> bool:
    if question.hosts == 1:
        return [shorten(safe_line(name), 40) for name in names if name] == [
            shorten(safe_line(name), 40) for name in names if safe_line(name) in question.title
        ]
    return question.hosts >= len(names)


def _drawn(table: RowTable[Any]) -> list[str]:
    """The lines inside its frame, as they were drawn last."""
    region = Region(0, 0, *table.outer_size)
    top, left = table.gutter.top, table.gutter.left
    strips = table.render_lines(region)[top : top + table.size.height]
    return [strip.crop(left, left + table.size.width).text.rstrip() for strip in strips]


def _row(table: RowTable[Any], row: Any) -> str:
    """How a row is to be drawn."""
    key, now = table.key_of(row), table.link.now()
    spans = row_spans(
        table.widths_of(row, table._column_widths),
        lambda column, width: table.cell(row, column, width, now),
        current=key == table.list.key,
        marked=key in table.list.marks,
    )
    strip = Strip([Segment(plain(spans))]).adjust_cell_length(table.size.width)
    return strip.text.rstrip()

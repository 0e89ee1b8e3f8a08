"""What ran and runs on one host, as a table: its own outcome of each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual.message import Message

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.hosts.host import HostDetail, HostRun
from tui_manager.domain.lists.filter_language import FilteredFields, fits, parse_filter
from tui_manager.domain.lists.list_window import Page, Window, page_of
from tui_manager.domain.presentation.state_words import command_host_text
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.domain.text.number_format import day_and_time, number, running_time
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.action import Pane
from tui_manager.ui.drawing.spans import BLANK, Role, Span, Spans, spans
from tui_manager.ui.drawing.state_words_and_colours import command_host_glyph
from tui_manager.ui.key_bindings import key_of
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.listing.table_layout import Column, filter_words
from tui_manager.ui.manager_link import Link

_MOMENT = len("26 Nov 23:00")
COLUMNS = (
    Column("state", "", 1),
    Column("task_id", "TASK", 6, right=True),
    Column("name", "NAME", 12, grow=2, max_width=40),
    Column("step", "STEP", 5, right=True, hide_order=3),
    Column("result", "RESULT", 12, grow=3, max_width=60),
    Column("when", "WHEN", 6, grow=1, max_width=_MOMENT, right=True, hide_order=2),
    Column("time", "TIME", 7, right=True, hide_order=1),
)
_FAULTS = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT, CommandHostStatus.SKIPPED)
_ROLES = {
    CommandHostStatus.FAILED: Role.FAULT,
    CommandHostStatus.TIMEOUT: Role.FAULT,
    CommandHostStatus.SKIPPED: Role.CAUTION,
    CommandHostStatus.CANCELED: Role.CAUTION,
    CommandHostStatus.RUNNING: Role.ACTIVE,
}


def run_cell(run: HostRun, key: str, width: int, now: datetime) -> Spans:
    """The cell of a run in a column."""
    row = run.row
    match key:
        case "state":
            return (command_host_glyph(row),)
        case "task_id":
            return spans(f"#{number(row.task_id, width - 1)}", Role.MUTED)
        case "name":
            return spans(safe_line(run.task), Role.STRONG)
        case "step":
            return spans(f"{row.command + 1}/{run.steps}", Role.MUTED) if run.steps > 1 else BLANK
        case "result":
            return spans(_result(row), _ROLES.get(row.status, Role.MUTED))
        case "when":
            return spans(_when(run, now, width), Role.MUTED)
        case _:
            if run.started_at is None:
                return BLANK
            return spans(running_time((run.finished_at or now) - run.started_at, width))


def _result(row: CommandHost) -> str:
    """How it ended: `exit 4`, which is short, as the sign before it says that it failed."""
    text = command_host_text(row)
    for long, short in (("failed: exit code ", "exit "), ("failed: signal ", "signal ")):
        if text.startswith(long):
            return short + text.removeprefix(long)
    return text


def _when(run: HostRun, now: datetime, width: int) -> str:
    """When it ended or began: `23:00` today, else `26 Nov 23:00`, or `26 Nov` without room, or the
    year if it is another one."""
    at = run.finished_at or run.started_at or run.row.finished_at or run.row.sent_at
    if at is None:
        return ""
    text = day_and_time(at, now)
    if len(text) <= width:
        return text
    local = at.astimezone(now.tzinfo)
    return f"{local.day} {local:%b}" if local.year == now.year else f"{local:%Y}"


def in_order(runs: Sequence[HostRun]) -> list[HostRun]:
    """What has not ended first, then the newest first."""
    return sorted(runs, key=lambda run: run.row.status.ended)


_FIELDS: FilteredFields[HostRun] = FilteredFields(
    noun="runs",
    text=lambda run: f"{run.task}\n{run.row.status}\n{_result(run.row)}",
    values={
        "status": lambda run: (run.row.status,),
        "reason": lambda run: (run.row.reason,),
        "exit": lambda run: () if run.row.exit_code is None else (str(run.row.exit_code),),
        "signal": lambda run: () if run.row.signal is None else (str(run.row.signal),),
        "name": lambda run: (run.task,),
        "id": lambda run: (str(run.row.task_id),),
    },
    exact=lambda run: (str(run.row.task_id), f"#{run.row.task_id}"),
)
RUN_KEYS = tuple(_FIELDS.values)


def matching_runs(runs: Sequence[HostRun], window: Window) -> list[HostRun]:
    """The runs that are listed. Raises InvalidInputError("text") if the filter is wrong."""
    passes = fits(parse_filter(window.text), _FIELDS)
    return [
        run for run in runs if (not window.faults_only or run.row.status in _FAULTS) and passes(run)
    ]


class HostRunTable(RowTable[HostRun]):
    """What runs on a host, then what ran there. It reads all that is known of the host, and gives
    it to its screen."""

    PANE = Pane.HOST
    TITLE = "Runs"
    NOUN = "runs"
    FILTER_KEYS = RUN_KEYS
    FILTERS = filter_words(RUN_KEYS, "#12")
    COLUMNS: ClassVar[Sequence[Column]] = COLUMNS

    @dataclass
    class Read(Message):
        """The host was read; None: it is not there any more."""

        detail: HostDetail | None

        def can_replace(self, message: Message) -> bool:
            """The newest is enough."""
            return isinstance(message, HostRunTable.Read)

    def __init__(self, link: Link, host_id: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(link, id=id)
        self.host_id = host_id
        self._unended = 0  # runs
        self._steps = False  # whether a task of several steps was among them

    @property
    def columns(self) -> Sequence[Column]:
        """Tasks of one command need no number of a step."""
        return [column for column in self.COLUMNS if column.key != "step" or self._steps]

    def title_note(self) -> str:
        return f"▶ {self._unended:,} not ended" if self._unended else ""

    def key_of(self, row: HostRun) -> str:
        return str(row.row.task_id)

    def cell(self, row: HostRun, key: str, width: int, now: datetime) -> Spans:
        return run_cell(row, key, width, now)

    async def fetch(self, window: Window) -> Page[HostRun]:
        try:
            detail = await self.link.operator.get_host(self.host_id)
        except NotFoundError:
            self.post_message(self.Read(None))
            return Page((), 0, 0)
        self.post_message(self.Read(detail))
        runs = in_order(detail.runs)
        self._steps = self._steps or any(run.steps > 1 for run in runs)
        self._unended = sum(not run.row.status.ended for run in runs)
        return page_of(matching_runs(runs, window), window, len(runs))

    def empty_lines(self) -> Sequence[Spans]:
        return (
            (Span("Nothing ran here yet.", Role.MUTED),),
            (),
            (
                Span(key_of("new_task", self.link.keys), Role.STRONG),
                Span(" runs a command on this host."),
            ),
        )

"""The part of the form for a new task that copies and fetches files: its fields, and how the files
of this machine are read and given to the manager before the task is made."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual import on
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.text.number_format import count_of, size
from tui_manager.ui.drawing.bars import percent_bar
from tui_manager.ui.drawing.span_widgets import SpanLines
from tui_manager.ui.drawing.spans import Role, Span, Spans
from tui_manager.ui.forms.confirm import ConfirmScreen, Question
from tui_manager.ui.forms.files.copy_and_fetch_fields import (
    CopyAndFetchTexts,
    TaskKind,
    place_note,
    split_paths,
)
from tui_manager.ui.forms.files.copy_and_fetch_rows import CopyAndFetchRows
from tui_manager.ui.forms.files.send_files import FilesSummary, FilesToSend, summarize_files
from tui_manager.ui.forms.tasks.task_form import TaskForm
from tui_manager.ui.manager_link import Link
from tui_manager.ui.terminal.closable import is_open, while_open

_STOP = Question(
    "Stop?",
    ("The files are not copied, and no task is made.", "What is typed in the form stays."),
    "Stop",
)
_LEFT_OUT_SHOWN = 3  # names
_BAR = 15  # cells, with the number: in 80 columns, the keys that stop are in sight too


class FetchMade(Message):
    """A task was made whose files are to be saved in a folder when it has ended."""

    def __init__(self, task_id: int, folder: str) -> None:
        super().__init__()
        self.task_id = task_id
        self.folder = folder


class CopyForm(TaskForm):
    """A form whose task may copy files of this machine.

    Leaving it while files are read or sent asks first, and goes back to what was typed.
    """

    def __init__(self, link: Link, title: str, target: str = "") -> None:
        super().__init__(link, title, target)
        self._begun_transfer = CopyAndFetchTexts()
        self._copy_and_fetch_rows: tuple[CopyAndFetchRows, ...] = ()
        self._to_send = FilesToSend()
        self._found: FileSet | None = None  # what was read of the files that are typed
        self._seen = FilesSummary()
        self._transfers = False  # files are read or sent
        self._asks_to_stop = asyncio.Lock()

    # The fields.

    @property
    def kind(self) -> TaskKind:
        """What the task does."""
        raise NotImplementedError

    def copy_and_fetch_rows(self, begun: CopyAndFetchTexts) -> Iterable[Widget]:
        """The fields of both kinds."""
        self._begun_transfer = begun
        self._copy_and_fetch_rows = (
            CopyAndFetchRows(TaskKind.COPY, begun),
            CopyAndFetchRows(TaskKind.FETCH, begun),
        )
        return self._copy_and_fetch_rows

    async def make_copy_and_fetch_rows(self) -> None:
        """Makes the widgets of the fields of the kind."""
        if (rows := self.rows_of_kind) is not None:
            await rows.make_rows()

    @property
    def rows_of_kind(self) -> CopyAndFetchRows | None:
        """Those that are seen; None of a command."""
        return next((rows for rows in self._copy_and_fetch_rows if rows.kind is self.kind), None)

    def show_copy_and_fetch_rows(self) -> None:
        """Shows the fields of the kind, and no others."""
        for rows in self._copy_and_fetch_rows:
            rows.display = rows.kind is self.kind
        self._look()

    @property
    def transfer(self) -> CopyAndFetchTexts:
        """What is typed."""
        typed = {
            name: value for rows in self._copy_and_fetch_rows for name, value in rows.typed.items()
        }
        return replace(self._begun_transfer, **typed, found=self._found)  # type: ignore[arg-type]

    def above_buttons(self) -> Iterable[Widget]:
        """How much of the files is read or sent."""
        yield SpanLines(id="transfer")

    # While it is typed.

    @on(Input.Changed, "#files")
    @on(Checkbox.Changed, "#recursive")
    def _look(self) -> None:
        if self.kind is TaskKind.COPY:
            self._look_at_files()

    @while_open("look", exclusive=True)
    async def _look_at_files(self) -> None:
        """Looks at the files as soon as they are named, so that an error is seen at once."""
        texts = self.transfer
        if texts.uses_stored and texts.stored is not None:
            words = f"{count_of(texts.stored.files, 'file')}, {size(texts.stored.bytes)}"
            seen = FilesSummary(
                f"as the manager has stored them: {words}; other names are read here"
            )
        else:
            try:
                paths = split_paths("files", texts.files)
            except InvalidInputError:  # the fields say so
                paths = ()
            seen = await summarize_files(paths, recursive=texts.recursive)
        if seen != self._seen:
            self._seen = seen
            self.check()

    def show_copy_and_fetch_problems(self, problems: Mapping[str, str]) -> Mapping[str, str]:
        """Shows the problems of the fields of the kind. Returns those that only a look at the files
        has shown."""
        rows = self.rows_of_kind
        if rows is None:
            return {}
        of_files = self.kind is TaskKind.COPY and self._seen.problem and "files" not in problems
        more = {"files": self._seen.problem} if of_files else {}
        place = place_note(self._seen.folder, self.transfer.to.strip())
        rows.show({**problems, **more}, {"files": self._seen.note, "to": place})
        return more

    # Reading and sending.

    @property
    def busy(self) -> bool:
        return self._transfers or super().busy

    @property
    def _copies_local_files(self) -> bool:
        return self.kind is TaskKind.COPY and not self.transfer.uses_stored

    async def read_files_to_copy(self) -> None:
        if not self._copies_local_files:
            return
        texts = self.transfer
        paths = split_paths("files", texts.files)
        if not paths:
            return  # what is asked for says so
        self._found = None
        self._transfers = True
        try:
            self._say("read here", 0, None)
            self._found = await self._to_send.read(
                paths,
                recursive=texts.recursive,
                on_progress=lambda done: self._say("read here", done, None),
            )
        finally:
            self._transfers = False
            self._say_nothing()
        if names := self._to_send.left_out:
            hidden = len(names) - _LEFT_OUT_SHOWN
            more = f" And {hidden:,} more." if hidden > 0 else ""
            text = f"{' '.join(names[:_LEFT_OUT_SHOWN])}{more}"
            self.app.notify(text, severity="warning", markup=False)

    async def send_files(self) -> None:
        """Gives the manager what it lacks of the files."""
        if not self._copies_local_files or self._found is None:
            return
        total = self._found.size
        self._transfers = True
        try:
            self._say("sent to the manager", 0, total)
            await self._to_send.send(
                self.link.operator, lambda done: self._say("sent to the manager", done, total)
            )
            async with self._asks_to_stop:  # the answer counts that is being given
                pass
        finally:
            self._transfers = False
            self._say_nothing()

    def made(self, task_id: int, spec: TaskSpec) -> None:
        """What is fetched is saved where the form says."""
        fetch = spec.commands[0].fetch
        if fetch is not None and fetch.to:
            self.app.post_message(FetchMade(task_id, fetch.to))

    def _say(self, what: str, done: int, total: int | None) -> None:
        if self._transfers and is_open(self):
            self.query_one("#transfer", SpanLines).set_lines((transfer_line(what, done, total),))

    def _say_nothing(self) -> None:
        if is_open(self):
            self.query_one("#transfer", SpanLines).set_lines(())

    async def action_close(self) -> None:
        """Leaves the form. While files are read or sent it asks whether to stop that."""
        if self._transfers:
            self._ask_to_stop()
        else:
            await super().action_close()

    @while_open("stop", exclusive=True)
    async def _ask_to_stop(self) -> None:
        async with self._asks_to_stop:
            stops = await self.app.push_screen_wait(ConfirmScreen(_STOP))
            if stops and self._transfers:
                for group in ("create", "text"):
                    self.workers.cancel_group(self, group)

    def on_unmount(self) -> None:
        """What was read is not needed any more."""
        self._to_send.close()


def transfer_line(what: str, done: int, total: int | None) -> Spans:
    """`▇▇▇▇▁▁ 61%  41 MB of 68 MB sent to the manager   esc stops`. Once the manager has all bytes,
    it compares them with their hashes."""
    end = (Span("   esc", Role.STRONG), Span(" stops"))
    if not total:
        return (Span(f"{size(done)} {what}", Role.ACTIVE), *end)
    if done >= total:
        return (Span("the manager checks the files", Role.ACTIVE), *end)
    percent = done * 100 // total
    return (
        *percent_bar(percent, _BAR, _BAR),
        Span(f"  {size(done)} of {size(total)} {what}"),
        *end,
    )

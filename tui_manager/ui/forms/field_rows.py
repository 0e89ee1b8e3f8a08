"""Rows of fields with their errors below them, and folds of such rows.

A row knows what is typed in it. Most rows of a form are never seen: they get their widgets when
they are shown first, and until then have what they began with.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Checkbox, Collapsible, Input, Label
from textual.widgets.collapsible import CollapsibleTitle
from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.forms.form import TickBox
from tui_manager.ui.forms.line_input import LineInput, show_text
from tui_manager.ui.terminal.closable import is_open


@dataclass(frozen=True, slots=True)
class Line:
    """A field to type in.

    Attributes:
        field: its id.
        placeholder: what an empty one means.
        suggester: completes what is typed; None: nothing does.
    """

    field: str
    label: str
    placeholder: str = ""
    suggester: Suggester | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A box to tick.

    Attributes:
        text: behind the box.
    """

    field: str
    label: str
    text: str


class FieldRow(Vertical):
    """One or two fields side by side. The errors of all of them stand below."""

    def __init__(self, *fields: Line | Tick, begun: Mapping[str, str | bool]) -> None:
        """`begun` has what stands in the fields at first, by their ids."""
        super().__init__(classes="row")
        self.fields = fields
        self._begun = begun
        self._made: dict[str, Input | Checkbox] = {}
        self._hint = Label("", id=f"{fields[0].field}-hint", classes="hint problem", markup=False)
        self._hint.display = False
        self._shown = ""

    def compose(self) -> ComposeResult:
        """The fields with their labels, and the errors."""
        with Horizontal(classes="field"):
            for number, one in enumerate(self.fields):
                if one.label:
                    yield Label(one.label, classes="name second" if number else "name")
                yield self._make(one)
        yield self._hint

    def _make(self, field: Line | Tick) -> Widget:
        begun = self._begin_of(field)
        made: Input | Checkbox
        if isinstance(field, Tick):
            made = TickBox(field.text, bool(begun), id=field.field, compact=True)
        else:
            with self.prevent(Input.Changed):  # what it begins with is no change
                made = LineInput(
                    str(begun),
                    id=field.field,
                    compact=True,
                    placeholder=field.placeholder,
                    suggester=field.suggester,
                )
        self._made[field.field] = made
        return made

    def _begin_of(self, field: Line | Tick) -> str | bool:
        return self._begun.get(field.field, False if isinstance(field, Tick) else "")

    @property
    def typed(self) -> dict[str, str | bool]:
        """What is typed and ticked in its fields, by their ids."""
        made = self._made
        return {
            one.field: made[one.field].value if one.field in made else self._begin_of(one)
            for one in self.fields
        }

    def show(self, problems: Mapping[str, str], note: str = "") -> None:
        """Shows the problems of its fields, each in a line of its own; without any, the note."""
        wrong = [one for one in self.fields if one.field in problems]
        names = len(self.fields) > 1
        lines = [
            f"{one.label}: {problems[one.field]}" if names and one.label else problems[one.field]
            for one in wrong
        ]
        shown = "\n".join(map(safe_line, lines)) or safe_line(note)
        self._hint.set_class(bool(wrong), "problem")
        if shown != self._shown:
            self._shown = shown
            self._hint.display = bool(shown)
            show_text(self._hint, shown)


class LazyWidgets:
    """Widgets that are made once, when they are shown first."""

    def __init__(self, widgets: Sequence[Widget]) -> None:
        self._widgets = widgets
        self._lock = asyncio.Lock()

    async def make_in(self, parent: Widget) -> None:
        """Returns when they are there, whoever makes them."""
        async with self._lock:
            if self._widgets and is_open(parent):
                await parent.mount_all(self._widgets)
                self._widgets = ()


class Fold(Collapsible):
    """Rows that open with enter or a click. Closed, the title says what is set in them. They get
    their widgets when it opens first."""

    def __init__(self, title: str, rows: Sequence[Widget], id: str) -> None:  # noqa: A002 (Textual's)
        self.rows = [row for row in rows if isinstance(row, FieldRow)]
        self._not_made = LazyWidgets(rows)
        super().__init__(
            title=_content(title), collapsed_symbol="▸", expanded_symbol="▾", id=id,
            classes="fold -collapsed",  # Textual adds it when all is styled, and styles all again
        )  # fmt: skip

    @property
    def field_ids(self) -> Iterable[str]:
        """The ids of its fields."""
        return [one.field for row in self.rows for one in row.fields]

    @property
    def typed(self) -> dict[str, str | bool]:
        """What is typed and ticked in its fields, by their ids."""
        return {field: value for row in self.rows for field, value in row.typed.items()}

    @on(CollapsibleTitle.Toggle)
    async def make_rows(self) -> None:
        """Makes the widgets of its rows. The fold opens after that, and the next key waits."""
        await self._not_made.make_in(self.query_one(Collapsible.Contents))

    def show(self, title: str, problems: Mapping[str, str]) -> None:
        """Shows what is set, and the problems of its fields."""
        for row in self.rows:
            row.show(problems)
        self.title = _content(title)

    async def open_at(self, field: str) -> None:
        """Opens, with the focus on a field."""
        if is_open(self):
            await self.make_rows()
        if is_open(self):
            self.collapsed = False
            self.query_one(f"#{field}").focus()


def _content(title: str) -> Any:
    """A title that is shown as it is. Textual would read a string as markup, and `[/` in it is an
    error. A Content it takes too, though its type names strings only."""
    return Content(safe_line(title))

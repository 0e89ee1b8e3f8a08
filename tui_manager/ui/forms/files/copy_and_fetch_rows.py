"""The fields of a copy and of a fetch in the form for a new task."""

from collections.abc import Mapping
from dataclasses import fields

from textual.containers import Vertical

from tui_manager.ui.forms.field_rows import FieldRow, LazyWidgets, Line, Tick
from tui_manager.ui.forms.files.copy_and_fetch_fields import CopyAndFetchTexts, TaskKind
from tui_manager.ui.forms.path_suggester import PathSuggester

_ROWS = {
    TaskKind.COPY: (
        (
            Line(
                "files",
                "Files",
                "app.conf 'my keys'  (of this machine)",
                PathSuggester(several=True),
            ),
        ),
        (Line("to", "To", "/etc/app/  or a new name: /etc/app.conf"),),
        (
            Tick("recursive", "Folders", "with what is in them"),
            Tick("backup", "Old file", "is kept beside it"),
        ),
        (
            Line("mode", "Mode", "as here  (0640)"),
            Line("owner", "Owner", "as it is there  (app:app)"),
        ),
    ),
    TaskKind.FETCH: (
        (Line("paths", "Paths", "/etc/hosts /var/log/app  (on the hosts)"),),
        (Tick("folders", "Folders", "with what is in them"),),
        (
            Line(
                "folder",
                "Save in",
                "later, by ctrl+s  (a folder here: ./logs)",
                PathSuggester(several=False),
            ),
        ),
    ),
}
_FIRST = {TaskKind.COPY: "files", TaskKind.FETCH: "paths"}


class CopyAndFetchRows(Vertical):
    """The fields of one kind. Those of the other kinds are not seen, and keep what was typed. They
    get their widgets when they are seen first."""

    def __init__(self, kind: TaskKind, begun: CopyAndFetchTexts) -> None:
        texts = {one.name: getattr(begun, one.name) for one in fields(CopyAndFetchTexts)}
        self.rows = [FieldRow(*row, begun=texts) for row in _ROWS[kind]]
        self.kind = kind
        self._not_made = LazyWidgets(self.rows)
        super().__init__(classes="row")

    async def make_rows(self) -> None:
        """Makes the widgets of its rows."""
        await self._not_made.make_in(self)

    @property
    def first_field(self) -> str:
        """The id of the field that has the focus first."""
        return _FIRST[self.kind]

    @property
    def typed(self) -> dict[str, str | bool]:
        """What is typed and ticked, by the names of `CopyAndFetchTexts`."""
        return {field: value for row in self.rows for field, value in row.typed.items()}

    def show(self, problems: Mapping[str, str], notes: Mapping[str, str]) -> None:
        """Shows the problems of the fields, or what is said of those that have none."""
        for row in self.rows:
            row.show(problems, notes.get(row.fields[0].field, ""))

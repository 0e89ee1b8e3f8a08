"""The values of secrets, which are typed unseen, each beside its name."""

from collections.abc import Mapping, Sequence

from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.line_input import LineInput, show_text

_NAME_WIDTH = 18  # cells


class _SecretRow(Horizontal):
    """A name, and the field for its value."""

    def __init__(self, number: int) -> None:
        self.label = Label("", classes="secret-name", markup=False)
        self.line = LineInput(id=f"secret-{number}", password=True, compact=True)
        super().__init__(Label("", classes="name"), self.label, self.line, classes="field secret")

    def put(self, name: str, text: str) -> None:
        """Shows another secret in this row."""
        show_text(self.label, shorten(safe_line(name), _NAME_WIDTH))
        self.line.value = text


class SecretFields(Vertical):
    """A field for each name. Those of names that are gone are not shown."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._names: tuple[str, ...] = ()
        self._rows: list[_SecretRow] = []  # at least as many as there are names, once it is shown

    async def on_mount(self) -> None:
        """The names may be there before it is shown."""
        await self._make_rows()

    async def _make_rows(self) -> None:
        made = [_SecretRow(number) for number in range(len(self._rows), len(self._names))]
        self._rows += made
        for row, name in zip(self._rows, self._names, strict=False):
            if row in made:
                row.put(name, "")
        if made:
            await self.mount_all(made)

    @property
    def values(self) -> Mapping[str, str]:
        """What is typed, by name. Nothing is before the fields are shown."""
        return dict.fromkeys(self._names, "") | dict(zip(self._names, self._texts, strict=False))

    @property
    def _texts(self) -> list[str]:
        return [row.line.value for row in self._rows]

    async def set_names(self, names: Sequence[str]) -> None:
        """Shows a field for each of these names. What is typed stays with its name."""
        names = tuple(names)[: self._most]
        if names == self._names:
            return
        texts = kept_values(self._names, self._texts, names) if self._rows else ()
        self._names = names
        for number, row in enumerate(self._rows):
            row.display = number < len(names)
            name, text = (names[number], texts[number]) if number < len(names) else ("", "")
            row.put(name, text)
        if self.is_mounted:
            await self._make_rows()

    def field_of(self, name: str) -> Input | None:
        """Where the value of this secret is typed; None before it is shown."""
        shown = self._names[: len(self._rows)]
        return self._rows[shown.index(name)].line if name in shown else None


def kept_values(
    before: Sequence[str], values: Sequence[str], names: Sequence[str]
) -> tuple[str, ...]:
    """The values of `names`, of which some had one before.

    A value never goes to another name that was there before. While a name is typed, its value
    stays with it at its place.
    """
    known = dict(zip(before, values, strict=False))
    renamed = len(names) == len(before)
    return tuple(
        known[name]
        if name in known
        else values[place]
        if renamed and before[place] not in names
        else ""
        for place, name in enumerate(names)
    )

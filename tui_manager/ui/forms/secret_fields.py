"""The values of secrets, which are typed unseen, each beside its name."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten

_NAME_WIDTH = 18  # cells


class SecretFields(Vertical):
    """A field for each name. There are always `most` of them, and those without a name are not
    shown."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._names: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """All fields, not shown yet."""
        for number in range(self._most):
            with Horizontal(classes="field secret") as row:
                row.display = False
                yield Label("", classes="name", markup=False)
                yield Label("", classes="secret-name", markup=False)
                yield Input(id=f"secret-{number}", password=True, compact=True)

    @property
    def values(self) -> Mapping[str, str]:
        """What is typed, by name."""
        return dict(zip(self._names, self._texts, strict=False))

    @property
    def _texts(self) -> list[str]:
        return [field.value for field in self._fields]

    @property
    def _fields(self) -> list[Input]:
        return list(self.query(Input))

    def set_names(self, names: Sequence[str]) -> None:
        """Shows a field for each of these names. What is typed stays with its name."""
        names = tuple(names)[: self._most]
        if names == self._names:
            return
        texts = kept_values(self._names, self._texts, names)
        self._names = names
        for number, (row, field) in enumerate(zip(self.children, self._fields, strict=True)):
            row.display = number < len(names)
            name = names[number] if number < len(names) else ""
            row.query_one(".secret-name", Label).update(shorten(safe_line(name), _NAME_WIDTH))
            field.value = texts[number] if number < len(names) else ""

    def field_of(self, name: str) -> Input | None:
        """Where the value of this secret is typed."""
        return self._fields[self._names.index(name)] if name in self._names else None


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

"""The fields of a rollout in the form for a new task, in a fold that opens with enter."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Collapsible, Input, Label

from tui_manager.ui.forms.rollout_texts import FIELDS, RolloutTexts

# Lines of two fields: id, name, placeholder.
_LINES = (
    (("batches", "Batches", "1,10%,rest"), ("delay", "Delay", "none  (5m)")),
    (("max_concurrency", "At once", "all  (5, 10%)"), ("order", "Order", "name  (random)")),
    (
        ("max_failures", "May fail", "all  (1 strict)"),
        ("hold", "Hold", "no  (each, first)"),
    ),
)
LAST_FIELD = FIELDS[-1]


class RolloutFold(Collapsible):
    """Closed, it shows the rollout in its title. Open, it has a line for the errors of two fields
    below them."""

    def __init__(self) -> None:
        super().__init__(
            title=_title(RolloutTexts()), collapsed_symbol="▸", expanded_symbol="▾", id="rollout"
        )

    def compose(self) -> ComposeResult:
        """Three lines of two fields."""
        yield self._title
        with self.Contents():
            for line in _LINES:
                with Horizontal(classes="field"):
                    for number, (field, name, text) in enumerate(line):
                        yield Label(name, classes="name second" if number else "name")
                        yield Input(id=field, compact=True, placeholder=text)
                yield Label("", id=f"{line[0][0]}-hint", classes="hint problem", markup=False)

    @property
    def texts(self) -> RolloutTexts:
        """What is typed."""
        return RolloutTexts(**{field: self.query_one(f"#{field}", Input).value for field in FIELDS})

    def check(self) -> None:
        """Shows the errors of what is typed, and what it means."""
        texts = self.texts
        problems = texts.problems()
        for (first, *_), (second, *_) in _LINES:
            self.query_one(f"#{first}-hint", Label).update(
                problems.get(first) or problems.get(second, "")
            )
        self.title = _title(texts)

    def show_problem(self, field: str) -> None:
        """Opens, with the focus on a field that is wrong."""
        self.collapsed = False
        self.check()
        self.query_one(f"#{field}", Input).focus()


def _title(texts: RolloutTexts) -> str:
    return f"Rollout: {texts.summary}"

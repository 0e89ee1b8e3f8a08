"""The fields of a rollout in the form for a new task, in a fold that opens with enter."""

from dataclasses import asdict

from tui_manager.ui.forms.field_rows import FieldRow, Fold, Line
from tui_manager.ui.forms.new_task.rollout_fields import FIELDS, RolloutTexts

_ROWS = (
    (Line("batches", "Batches", "1,10%,rest"), Line("delay", "Delay", "none  (5m)")),
    (
        Line("max_concurrency", "At once", "all  (5, 10%)"),
        Line("order", "Order", "name  (random)"),
    ),
    (
        Line("max_failures", "May fail", "all  (1 strict)"),
        Line("hold", "Hold", "no  (each, first)"),
    ),
)
LAST_FIELD = FIELDS[-1]


class RolloutFold(Fold):
    """Closed, it shows the rollout in its title."""

    def __init__(self, begun: RolloutTexts) -> None:
        texts = asdict(begun)
        rows = [FieldRow(*row, begun=texts) for row in _ROWS]
        super().__init__(_title(begun), rows, "rollout")

    @property
    def texts(self) -> RolloutTexts:
        """What is typed."""
        return RolloutTexts(**{field: str(text) for field, text in self.typed.items()})

    def check(self) -> None:
        """Shows the errors of what is typed, and what it means."""
        texts = self.texts
        self.show(_title(texts), texts.problems())


def _title(texts: RolloutTexts) -> str:
    return f"Rollout: {texts.summary}"

"""A box to tick, which says its state without colour."""

from textual.widgets import Checkbox


class TickBox(Checkbox):
    """`[ ] label` or `[x] label`."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "[ ]"

    def watch_value(self) -> None:
        """Draws the tick, or none."""
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()

"""The field of a command."""

from textual.widgets import TextArea


class CommandArea(TextArea):
    """Shell text of one or several lines."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, id="command", compact=True, tab_behavior="focus")

"""The line of keys at the bottom of a screen."""

from textual.app import ComposeResult
from textual.widgets import Footer


class KeyFooter(Footer):
    """A compact footer whose keys are compact from the start.

    It is composed anew at every change of focus. Textual gives each key its style a second time
    when the key learns, once mounted, that it is compact: for 28 keys that is a tenth of the time
    in which a screen opens.
    """

    def __init__(self) -> None:
        super().__init__(compact=True, show_command_palette=False)

    def compose(self) -> ComposeResult:
        """The keys that can be pressed now; there are no groups of keys."""
        for key in super().compose():
            key.set_class(True, "-compact", update=False)
            yield key

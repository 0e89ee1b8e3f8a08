"""What the app tells its screens. Facts coalesce: a newer one replaces one that still waits."""

from textual.message import Message

from tui_manager.domain.changes import Changes
from tui_manager.domain.errors import ManagerError


class FactsChanged(Message, bubble=False):
    """Something may have changed; what, is in the feed."""

    def can_replace(self, message: Message) -> bool:
        """The feed has folded the older one in."""
        return isinstance(message, FactsChanged)


class Facts(Message, bubble=False):
    """What a screen reads again."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self.changes = changes


class Problem(Message):
    """A call to the manager failed; the app says so once."""

    def __init__(self, error: ManagerError) -> None:
        super().__init__()
        self.error = error


class TerminalGone(Message):
    """Nobody sees what is drawn any more, and no key will come."""


class ErrorElsewhere(Message, bubble=False):
    """An error outside of the app's own handlers: it ends the app as one of these does."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

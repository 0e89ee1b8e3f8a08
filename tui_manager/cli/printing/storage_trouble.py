"""What commands say on stderr while the manager cannot store results: what is shown may be old, and
what is waited for may take long."""

from tui_manager.cli.printing.printing import note
from tui_manager.domain.health import ManagerStatus

_WAIT = "The hosts keep them until then."


class StorageTrouble:
    """Says once that results cannot be stored, and once that they can again."""

    def __init__(self) -> None:
        self._error = ""

    def tell(self, error: str) -> None:
        """Takes why nothing can be stored now; empty: it can."""
        if error and not self._error:
            note(f"results cannot be stored now: {error} {_WAIT}")
        elif self._error and not error:
            note("results can be stored again")
        self._error = error


def note_storage_trouble(status: ManagerStatus) -> None:
    """Says behind a list that results cannot be stored now, if so."""
    StorageTrouble().tell(status.health.storage_error)

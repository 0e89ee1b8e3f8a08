"""Starting a manager: what keeps it from starting is one kind of error, whatever part says it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tui_manager.domain.errors import ManagerError, StorageError


class CannotStartError(ManagerError):
    """The state folder, the database or the log cannot be used; no manager has started."""


@contextmanager
def starting() -> Iterator[None]:
    """What storage refuses within the block is a CannotStartError."""
    try:
        yield
    except StorageError as error:
        raise CannotStartError(str(error)) from error

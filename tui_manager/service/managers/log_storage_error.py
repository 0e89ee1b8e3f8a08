"""How the loops of this room log that they cannot use the database. They try again each second. A
file of its own, because several of them need it, here and in `messages`."""

import logging

from tui_manager.domain.errors import StorageError
from tui_manager.service.core.core import Core


def log_storage_error(log: logging.Logger, core: Core, what: str, error: StorageError) -> None:
    """Logs that something waits for the database. While that cannot be written either, the log says
    so already, and this is a detail."""
    level = logging.DEBUG if core.statistics.storage_error else logging.ERROR
    log.log(level, what, extra={"error": str(error)})

"""Log lines of which an agent may cause as many as it likes."""

import logging
from collections.abc import Collection
from itertools import islice

LINES = 10  # of one message; the rest of it is counted


def warn_of_each(log: logging.Logger, what: str, host: str, execution_ids: Collection[str]) -> None:
    """A line for each execution, as long as they are few."""
    for execution_id in islice(execution_ids, LINES):
        log.warning(what, extra={"host": host, "execution": execution_id})
    if (more := len(execution_ids) - LINES) > 0:
        log.warning(f"{what}: and more", extra={"host": host, "executions": more})

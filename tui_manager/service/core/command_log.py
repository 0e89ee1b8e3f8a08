"""CommandLog: the log lines on commands that were sent, have begun and have ended.

The database has all of this of each command on each host, so the log needs it for small tasks and
for what fails. Of a large task the first lines are written, and the others are counted.
"""

import asyncio
import logging
from collections import Counter
from typing import NamedTuple

from tui_manager.domain.hosts.agent_messages import Result
from tui_manager.domain.status import CommandHostStatus

log = logging.getLogger(__name__)
LINES_MAX = 10  # of one task and one kind in an interval
FAILURES_MAX = 100  # the same, of results that are not `completed`
INTERVAL = 10.0  # seconds; then one line says how many there were beyond these


class _Kind(NamedTuple):
    """Lines that are counted together: `status` is empty for what is no result."""

    task_id: int
    what: str
    status: str = ""


class CommandLog:
    """Writes a line for each command on each host, but only a few of a task in an interval. It
    begins with the first line after the last interval."""

    def __init__(self) -> None:
        self._counts: Counter[_Kind] = Counter()  # in this interval
        self._timer: asyncio.TimerHandle | None = None

    def sent(self, task_id: int, host: str, execution_id: str) -> None:
        """A command was handed to the session of its host."""
        if self._may_write(_Kind(task_id, "sent"), LINES_MAX):
            ids = {"task": task_id, "host": host, "execution": execution_id}
            log.info("command sent", extra=ids)

    def started(self, task_id: int, host: str, execution_id: str) -> None:
        """A command has begun on its host, and that is stored."""
        if self._may_write(_Kind(task_id, "started"), LINES_MAX):
            ids = {"task": task_id, "host": host, "execution": execution_id}
            log.info("command started", extra=ids)

    def ended(self, task_id: int, host: str, result: Result) -> None:
        """The result of a command is stored."""
        completed = result.status is CommandHostStatus.COMPLETED
        kind = _Kind(task_id, "ended", result.status)
        if self._may_write(kind, LINES_MAX if completed else FAILURES_MAX):
            log.info("result", extra=fields_of(task_id, host, result))

    def flush(self) -> None:
        """Writes how many lines were left out, and begins a new interval."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        results: dict[int, dict[str, int]] = {}
        for (task_id, what, status), count in counts.items():
            most = LINES_MAX if status in ("", CommandHostStatus.COMPLETED) else FAILURES_MAX
            if count <= most:
                continue
            if status:
                results.setdefault(task_id, {})[str(status)] = count - most
            else:
                log.info(f"more commands {what}", extra={"task": task_id, "count": count - most})
        for task_id, by_status in results.items():
            log.info("more results", extra={"task": task_id, **by_status})

    def _may_write(self, kind: _Kind, most: int) -> bool:
        """Counts a line, and returns whether it is to be written."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self.flush)
        self._counts[kind] += 1
        return self._counts[kind] <= most


def fields_of(task_id: int, host: str, result: Result) -> dict[str, object]:
    """What a line says of a result."""
    return {
        "task": task_id,
        "host": host,
        "execution": result.execution_id,
        "status": result.status,
        "reason": result.reason,
        "exit": result.exit_code,
    }

"""What the manager counts, such as how many commands have ended, and how.

Most of it is changes of the database. The statement that changes something counts it, wherever in
the program it is called. The writer collects the counts of each unit of work, and drops those of a
unit that was undone. So what is counted is durable, and counted once, also if a unit ran twice.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum


class Act(StrEnum):
    """What is counted. In brackets: the labels of each."""

    TASK_CREATED = "task_created"
    TASK_STARTED = "task_started"
    TASK_ENDED = "task_ended"  # (status)
    TASK_REOPENED = "task_reopened"  # an agent that was called lost still runs a command of it
    TASK_CORRECTED = "task_corrected"  # (status): by a late result
    COMMAND_HOST_STARTED = "command_host_started"
    COMMAND_HOST_ENDED = "command_host_ended"  # (status, reason); a late result counts too
    SCHEDULE_STARTED = "schedule_started"
    SCHEDULE_SKIPPED = "schedule_skipped"  # (reason)
    # Counted when they happen, outside of a transaction; see `Statistics.count`.
    COMMAND_SENT = "command_sent"  # (kind of the step)
    SESSION_OPENED = "session_opened"
    SESSION_ENDED = "session_ended"  # (reason)
    AGENT_REFUSED = "agent_refused"  # (reason)
    HOST_LOST = "host_lost"
    NOTIFICATION = "notification"  # (receiver: hook or webhook; outcome)


ActCounts = Counter[tuple[str, ...]]  # by act and labels
_current: ContextVar[ActCounts | None] = ContextVar("counts", default=None)


@contextmanager
def recording() -> Iterator[ActCounts]:
    """Within the block, this thread's changes are counted in the ActCounts that it yields."""
    counts: ActCounts = Counter()
    token = _current.set(counts)
    try:
        yield counts
    finally:
        _current.reset(token)


def count(act: Act, *labels: str, number: int = 1) -> None:
    """Something has changed in the transaction that this thread runs."""
    counts = _current.get()
    if counts is not None and number:
        counts[(act, *labels)] += number

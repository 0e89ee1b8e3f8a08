"""What must be true of the audit: each act is in it, whichever manager did it."""

from collections import Counter
from collections.abc import Callable, Sequence

from tui_manager.storage.engine.transaction import Row

Rows = Callable[..., Sequence[Row]]
_TASKS = "SELECT id, started_at, cancel_requested_at FROM tasks ORDER BY id"
_ACTS = "SELECT id, task_id, action FROM audit ORDER BY id"


def audit_violations(rows: Rows) -> list[str]:
    """A sentence for each gap of its numbers, and for each task whose acts are not in it.

    Args:
        rows: reads the database.
    """
    acts = rows(_ACTS)
    found = []
    if [row["id"] for row in acts] != list(range(1, len(acts) + 1)):
        found.append(f"the audit has other numbers than 1 to {len(acts)}")
    count = Counter((row["task_id"], row["action"]) for row in acts)
    for task in rows(_TASKS):
        wanted = {"create_task": 1, "start_task": int(task["started_at"] is not None)}
        for action, times in wanted.items():
            if (seen := count[task["id"], action]) != times:
                found.append(f"task {task['id']} has {action} {seen} times in the audit")
        canceled = count[task["id"], "cancel_task"]  # an operator may ask for it again
        if bool(canceled) != (task["cancel_requested_at"] is not None):
            found.append(f"task {task['id']} has cancel_task {canceled} times in the audit")
    return found

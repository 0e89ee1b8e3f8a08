"""What the keys would do to the tasks that are chosen: which of them are of use, and their words.
Pure. A file of its own, because it is tested without a screen."""

from collections.abc import Sequence

from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task


def is_useful(action_id: str, tasks: Sequence[Task]) -> bool:
    """Whether an action could do something to one of these tasks."""
    match action_id:
        case "start_task":
            return any(task.status is TaskStatus.PENDING for task in tasks)
        case "cancel_task":
            return any(not task.status.ended and not task.canceling for task in tasks)
        case "pause_task":
            return any(_can_pause(task) for task in tasks)
        case "rerun_task":
            return len(tasks) == 1 and tasks[0].status.ended
        case _:
            return True


def task_label(action_id: str, tasks: Sequence[Task]) -> str:
    """What an action would do to these tasks: `Resume`, `Run again on 2 failed`. Empty if its own
    label says it."""
    if action_id == "pause_task":
        can_pause = [task for task in tasks if _can_pause(task)]
        return "Resume" if can_pause and all(task.waits for task in can_pause) else ""
    if action_id == "rerun_task" and len(tasks) == 1 and tasks[0].hosts_failed:
        return f"Run again on {tasks[0].hosts_failed:,} failed"
    return ""


def _can_pause(task: Task) -> bool:
    return task.status is TaskStatus.RUNNING and not task.canceling

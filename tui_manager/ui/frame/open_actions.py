"""What a screen asks the app to open: actions of the app, for `run_action` to await."""

from textual.actions import ActionParseResult


def open_task(task_id: int) -> ActionParseResult:
    """The screen of a task."""
    return "app", "open_task", (task_id,)


def open_host(host_id: str) -> ActionParseResult:
    """A host, on the screen of all hosts."""
    return "app", "open_host", (host_id,)


def open_host_output(host_id: str) -> ActionParseResult:
    """The output of a host, on the dashboard."""
    return "app", "open_host_output", (host_id,)

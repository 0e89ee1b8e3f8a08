"""Rollouts in words: how a task goes through its hosts, and where it is."""

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.write_text import local_time, note
from tui_manager.domain.tasks.task import Hold, RolloutProgress


def progress_words(progress: RolloutProgress) -> str:
    """`batch 2 of 3; hosts: 4 under way, 8 waiting, 2 failed of at most 3`. A single batch is not
    named."""
    batch = f"batch {progress.batch} of {progress.batches}; " if progress.batches > 1 else ""
    failed = f"{progress.hosts_failed} failed"
    if progress.max_failures is not None:
        failed += f" of at most {progress.max_failures}"
    barrier = f"{progress.hosts_at_barrier} at a barrier, " if progress.hosts_at_barrier else ""
    return (
        f"{batch}hosts: {progress.hosts_under_way} under way, {progress.hosts_waiting} waiting, "
        f"{barrier}{failed}"
    )


def hold_words(hold: Hold) -> str:
    """`after batch 1 of 3 until …`."""
    until = f" until {local_time(hold.expires_at)}" if hold.expires_at else ""
    return f"after batch {hold.batch} of {hold.of}{until}"


def resume_command(task_id: int) -> str:
    """What ends a pause or a hold."""
    return f"`{PROGRAM} task resume {task_id}`"


class WaitNote:
    """Prints once that a task is paused or on hold, and once that it is not any more."""

    def __init__(self, task_id: int) -> None:
        self._task_id = task_id
        self._waits = ""  # why: "paused", or "on hold" with the batch

    def update(self, *, paused: bool, hold: Hold | None) -> None:
        """Takes the state of a task that has not ended."""
        held = f"on hold after batch {hold.batch}" if hold else ""
        waits = "paused" if paused else held
        if waits == self._waits:
            return
        if paused:
            note(f"task {self._task_id} is paused; {resume_command(self._task_id)} ends the pause")
        elif hold:
            note(
                f"task {self._task_id} is on hold {hold_words(hold)}, when the other hosts are "
                f"skipped; {resume_command(self._task_id)} begins the next batch"
            )
        else:
            note(f"task {self._task_id} is no longer {self._waits}")
        self._waits = waits

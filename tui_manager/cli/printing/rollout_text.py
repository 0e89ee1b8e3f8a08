"""Rollouts in words: how a task goes through its hosts, where it is, and what it would do."""

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.steps import need_table, step_table, step_what
from tui_manager.cli.printing.text import local_time, note, table
from tui_manager.domain.presentation.plan_words import batch_rows, plan_details
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.task import Hold, RolloutProgress
from tui_manager.domain.tasks.task_plan import TaskPlan

_HEADER = ("BATCH", "HOSTS", "NAMES")
_LABEL = 11  # cells


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


def plan_text(spec: TaskSpec, plan: TaskPlan) -> str:
    """What a task would do, in lines."""
    number, batches = len(plan.hosts), len(plan.batches)
    hosts = f"{number} host{'s' * (number != 1)}"
    ways = f"in {batches} batches" if batches > 1 else "in one batch"
    steps = spec.commands
    one = steps[0].kind if steps[0].transfer else "command"
    what = f"{len(steps)} steps" if len(steps) > 1 else one
    lines = [f"Nothing is started. The {what} would run on {hosts}, {ways}:\n\n"]
    lines.append(table(_HEADER, batch_rows(plan), stretch=(2,)))
    shown = f"\n{step_table(steps)}" if need_table(steps) else ""
    transfer = [("What", step_what(steps[0]))] if steps[0].transfer and not shown else []
    details = "".join(
        f"{name:<{_LABEL}} {text}\n"
        for name, text in (*transfer, *plan_details(spec, plan))
        if text
    )
    return "".join((*lines, "\n" if details else "", details, shown))

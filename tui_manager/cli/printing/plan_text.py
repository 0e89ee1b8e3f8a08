"""What a task would do, for `run --plan`. A file of its own, because a plain `run` must start fast
and does not need it."""

from tui_manager.cli.printing.list_and_show.steps import need_table, step_table, step_what
from tui_manager.cli.printing.text_table import table
from tui_manager.domain.presentation.plan_words import batch_rows, plan_details
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.domain.tasks.task_plan import TaskPlan

_HEADER = ("BATCH", "HOSTS", "NAMES")
_LABEL = 11  # cells


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

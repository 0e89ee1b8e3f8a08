"""One task as text for people: what `task show` prints above the table of its hosts."""

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.printing.list_and_show.steps import need_table, progress_table, step_what
from tui_manager.cli.printing.rollout_text import hold_words, progress_words, resume_command
from tui_manager.cli.printing.summary_text import count_words
from tui_manager.cli.printing.write_text import local_time, one_line
from tui_manager.domain.task_spec.task_spec import HIDDEN, Offline
from tui_manager.domain.tasks.task import Command, Task, TaskDetail
from tui_manager.domain.text.host_name_ranges import fold_names


def task_text(detail: TaskDetail) -> str:
    """What is known of a task, a line each, and a table of its steps if there are several."""
    task = detail.task
    lines = [
        ("Task", f"{task.task_id}  {task.name}"),
        ("Status", f"{task.state}: {count_words(task.counts)}"),
        ("Paused", f"nothing is sent until {resume_command(task.task_id)}" if task.paused else ""),
        ("Hold", _hold(task)),
        ("Target", task.target),
        ("Left out", fold_names(detail.left_out)),
        ("Template", str(task.template or "")),
        ("Re-run of", f"task {task.rerun_of}" if task.rerun_of else ""),
        ("Re-runs", ", ".join(f"task {number}" for number in detail.reruns)),
        ("About", task.description),
        ("Created", f"{local_time(task.created_at)} {task.created_by}"),
        ("Started", local_time(task.started_at)),
        ("Offline", _offline(task)),
        ("Rollout", "; ".join(detail.rollout.texts)),
        ("Progress", progress_words(task.rollout) if task.rollout else ""),
        ("Finished", local_time(task.finished_at)),
        *((f"Command {command.index}", _command(command)) for command in detail.commands),
    ]
    head = "".join(f"{name:<11} {one_line(text)}\n" for name, text in lines if text)
    if not need_table([command.spec for command in detail.commands]):
        return head
    return f"{head}\n{progress_table(detail.commands)}"


def _hold(task: Task) -> str:
    if task.hold is None:
        return ""
    more = "" if task.paused else f"; {resume_command(task.task_id)} begins the next batch"
    return f"{hold_words(task.hold)}{more}"


def _offline(task: Task) -> str:
    if task.offline is Offline.FAIL:
        return ""
    return f"waits up to {format_duration(task.delivery_timeout)} for a host that is away"


def _command(command: Command) -> str:
    spec = command.spec
    parts = [step_what(spec)]
    parts += [f"sha256 {spec.script.sha256}"] if spec.script else []
    parts += [f"timeout {format_duration(spec.timeout)}"]
    parts += [f"stdin {spec.stdin.size:,} bytes"] if spec.stdin else []
    parts += spec.option_texts
    shown = {**spec.parameters, **spec.environment, **dict.fromkeys(spec.secrets, HIDDEN)}
    parts += [f"{name}={value}" for name, value in shown.items()]
    return "  ".join(parts)

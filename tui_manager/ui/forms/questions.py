"""The questions before an action that cannot be undone. Pure."""

from collections.abc import Iterable, Sequence

from tui_manager.domain.hosts.host import Host
from tui_manager.domain.schedules.schedule import Schedule
from tui_manager.domain.targets.target_preview import TargetPreview
from tui_manager.domain.task_files.template import Template
from tui_manager.domain.task_spec.task_spec import CommandSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.host_name_ranges import summarize_names
from tui_manager.domain.text.number_format import count_of
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten, shorten_middle
from tui_manager.ui.drawing.step_words import step_text
from tui_manager.ui.forms.confirm import REVIEW_MARK, Question
from tui_manager.ui.manager_link import Link

_NAMED = 6  # hosts that have a line of their own
_NAME_WIDTH = 40  # cells
_TITLE_WIDTH = 44  # cells of a host in a title or on a button, which do not wrap
_LINE_WIDTH = 200  # cells of a host in a line, which wraps
_FOLDED_WIDTH = 120
_MORE_WIDTH = 70
_TASKS = 8
_STEPS = 5
_STEP_WIDTH = 160
_NOTE_WIDTH = 1200
_NOTE_WIDTH_OF_MANY = 58


def approve_question(hosts: Sequence[Host]) -> Question:
    """Which hosts ask to join, with their keys and notes."""
    what = hosts_text(hosts)
    trust = "it gets" if len(hosts) == 1 else "they get"
    return Question(
        f"Approve {what}?",
        (
            *_host_lines(hosts),
            "",
            "The agent printed the same words when it joined: compare them there.",
            f"Once approved {trust} commands, and the secrets of these.",
        ),
        f"Approve {what}",
        len(hosts),
        destructive=False,
    )


def reject_or_revoke_question(pending: Sequence[Host], admitted: Sequence[Host]) -> Question:
    """What ends, and what happens to the work of these hosts."""
    hosts = [*admitted, *pending]
    if not admitted:
        verb = f"Reject {hosts_text(pending)}"
    elif not pending:
        verb = f"Revoke {hosts_text(admitted)}"
    else:
        verb = f"Revoke {hosts_text(admitted)}, reject {hosts_text(pending)}"
    lines = [*_host_lines(hosts), ""]
    if admitted:
        lines.append("A revoked host is cut off at once, and its key is never accepted again.")
    if pending:
        lines.append("The key of a rejected host is never accepted again.")
    running = sum(host.running for host in hosts)
    if admitted or running:
        lines += _work_lines(running, len(hosts))
    return Question(f"{verb}?", lines, verb, len(hosts))


def remove_question(hosts: Sequence[Host]) -> Question:
    """What is asked before hosts are forgotten."""
    what = hosts_text(hosts)
    return Question(
        f"Remove {what}?",
        (
            *_host_lines(hosts),
            "",
            "A removed host is in no list and no target, and its key is never accepted again.",
            "Tasks in which it was keep its name.",
        ),
        f"Remove {what}",
        len(hosts),
    )


def end_maintenance_question(hosts: Sequence[Host]) -> Question:
    """What is asked before the maintenance of hosts ends."""
    what = hosts_text(hosts)
    lines = [
        f"{shorten_middle(safe_line(host.name), _LINE_WIDTH)}: {safe_line(host.maintenance.reason)}"
        for host in hosts[:_NAMED]
        if host.maintenance
    ]
    lines += _more_lines(hosts)
    return Question(
        f"End the maintenance of {what}?",
        (*lines, "", f"Tasks run on {'it' if len(hosts) == 1 else 'them'} again."),
        "End it",
        len(hosts),
        destructive=False,
    )


def _work_lines(running: int, hosts: int) -> tuple[str, ...]:
    runs = f"{count_of(running, 'command')} {'runs' if running == 1 else 'run'} there now. "
    whose = "Its" if hosts == 1 else "Their"
    return (
        f"{runs if running else ''}{whose} unfinished commands will show as failed.",
        f"{whose} processes are not killed: cancel the task first if they must end.",
    )


def names_text(names: Iterable[str], width: int = _FOLDED_WIDTH) -> str:
    """Names of hosts in a line: `web[01-14]`; of too many, counts: `web 1,200, db 40`."""
    return safe_line(summarize_names(names, width))


def hosts_text(hosts: Sequence[Host]) -> str:
    """`web01`, `3 hosts`."""
    if len(hosts) > 1:
        return count_of(len(hosts), "host")
    return shorten_middle(safe_line(hosts[0].name), _TITLE_WIDTH)


def _host_lines(hosts: Sequence[Host]) -> list[str]:
    """Hosts with a note first. A single host has its note at full length."""
    if len(hosts) == 1:
        note = hosts[0].note
        flags = [f"{REVIEW_MARK} {shorten(safe_line(note), _NOTE_WIDTH)}"] if note else []
        return [_identity(hosts[0]), *flags]
    lines, ordered = [], sorted(hosts, key=lambda host: not host.note)
    for host in ordered[:_NAMED]:
        lines.append(_identity(host))
        if host.note:
            lines.append(f"  {REVIEW_MARK} {shorten(safe_line(host.note), _NOTE_WIDTH_OF_MANY)}")
    return lines + _more_lines(ordered)


def _more_lines(hosts: Sequence[Host]) -> list[str]:
    """Those without a line of their own: `and 14 more: web[07-20]`."""
    more = [host.name for host in hosts[_NAMED:]]
    return [f"and {len(more):,} more: {names_text(more, _MORE_WIDTH)}"] if more else []


def _identity(host: Host) -> str:
    """`db9   lusab-babad-gutih   10.0.0.9:40112`."""
    name = shorten_middle(safe_line(host.name), _LINE_WIDTH)
    parts = (host.fingerprint, host.address)
    return "   ".join([name, *(shorten(safe_line(part), _NAME_WIDTH) for part in parts if part)])


def start_question(
    title: str, target: str, preview: TargetPreview, steps: Sequence[CommandSpec] = ()
) -> Question:
    """What is asked before a task starts on many hosts.

    Args:
        steps: that the question names; empty: the operator has just typed or seen them.
    """
    hosts = len(preview.hosts)
    lines = [f"It runs on {count_of(hosts, 'host')}:", names_text(preview.hosts)]
    if preview.left_out:
        lines.append(f"It leaves out {left_out_text(target, preview)}.")
    lines += _step_lines(steps)
    return Question(
        f"Start {title}", lines, f"Start on {count_of(hosts, 'host')}", hosts, destructive=False
    )


def _step_lines(steps: Sequence[CommandSpec]) -> list[str]:
    """What the first steps run, a line for each."""
    if not steps:
        return []
    lines = [f"  {shorten(step_text(step), _STEP_WIDTH)}" for step in steps[:_STEPS]]
    if (more := len(steps) - _STEPS) > 0:
        lines.append(f"  and {count_of(more, 'more step')}")
    return ["It runs there:", *lines]


def left_out_text(target: str, preview: TargetPreview) -> str:
    """How many hosts of the target a task leaves out, and why: `1 in maintenance`."""
    reason = "in maintenance or gone" if "task:" in target else "in maintenance"
    return f"{len(preview.left_out):,} {reason}"


def gone_text(names: Sequence[str]) -> str:
    """That marked hosts are left out: `No longer in the fleet: h1`."""
    return f"No longer in the fleet: {names_text(names)}"


def cancel_question(tasks: Sequence[Task]) -> Question:
    """What is asked before tasks are cancelled."""
    hosts = max(task.host_count for task in tasks)  # the tasks may share hosts
    total = sum(task.counts.total for task in tasks)
    left = sum(task.counts.pending + task.counts.running for task in tasks)
    what = task_title(tasks[0]) if len(tasks) == 1 else count_of(len(tasks), "task")
    lines = [
        f"{left:,} of {count_of(total, 'command')} on {_hosts_of_tasks(tasks)} "
        f"{'has' if left == 1 else 'have'} not ended.",
        "What runs gets SIGTERM, then SIGKILL. What has ended stays as it is.",
        "Copies and fetches just stop: files that are whole stay, a file in part is removed.",
    ]
    if not hosts:
        lines = ["Not started yet: it will never run."]
    if len(tasks) > 1:
        lines += [f"  {task_title(task)}" for task in tasks[:_TASKS]]
    if (more := len(tasks) - _TASKS) > 0:
        lines.append(f"  and {count_of(more, 'more task')}")
    return Question(f"Cancel {what}?", lines, "Cancel the task" + "s" * (len(tasks) > 1), hosts)


def _hosts_of_tasks(tasks: Sequence[Task]) -> str:
    """`8 hosts`; of several tasks, which may share hosts: `8, 6 and 8 hosts`."""
    counts = [f"{task.host_count:,}" for task in tasks]
    most = count_of(max(task.host_count for task in tasks), "host")
    if len(tasks) == 1:
        return most
    if len(tasks) > _TASKS:
        return f"at most {most} each"
    return f"{', '.join(counts[:-1])} and {counts[-1]} hosts"


def cancel_on_hosts_question(task: Task, names: Sequence[str]) -> Question:
    """What is asked before a task is cancelled on some of its hosts."""
    one = len(names) == 1
    hosts = shorten(safe_line(names[0]), _NAME_WIDTH) if one else count_of(len(names), "host")
    it = "it" if one else "them"
    lines = [
        names_text(names),
        f"What runs there gets SIGTERM, then SIGKILL, and nothing more of the task runs on {it}.",
        "Copies and fetches just stop: files that are whole stay, a file in part is removed.",
        "The task goes on with its other hosts. What has ended stays as it is.",
    ]
    return Question(
        f"Cancel {task_title(task)} on {hosts}?", lines, f"Cancel on {hosts}", len(names)
    )


def delete_template_question(template: Template) -> Question:
    """What is asked before a template is deleted."""
    name = shorten(safe_line(template.name), _NAME_WIDTH)
    versions = "Its only version is" if template.version == 1 else "All its versions are"
    return Question(
        f"Delete the template {name}?",
        (f"{versions} deleted. Tasks that were made from it keep its name.",),
        "Delete it",
    )


def delete_schedule_question(schedule: Schedule) -> Question:
    """What is asked before a schedule is deleted."""
    name = shorten(safe_line(schedule.spec.name), _NAME_WIDTH)
    return Question(
        f"Delete the schedule {name}?",
        ("Its history is deleted. Its tasks stay, and what runs goes on.",),
        "Delete it",
    )


def task_title(task: Task) -> str:
    name = safe_line(task.name)
    return f"#{task.task_id} {name if len(name) <= 40 else name[:39] + '…'}"


GOES_ON = "The manager goes on in its own process."
STOPS = (
    "The manager stops.",
    "Running commands keep running on their hosts and are picked up at the next start.",
)
HANDS_OVER = (
    "This manager stops.",
    "Running commands keep running on their hosts, which go to the other managers.",
)


def quit_question(link: Link, quit_text: str = "") -> Question | None:
    """None if no task runs that would stop. `quit_text` says what ends with the app."""
    running = link.status.tasks_running if link.status else 0
    if link.joined or not running or link.trouble:
        return None
    what = f"{count_of(running, 'task')} {'is' if running == 1 else 'are'} running."
    others_run = link.status is not None and link.status.others_alive
    lines = (quit_text,) if quit_text else HANDS_OVER if others_run else STOPS
    return Question("Quit?", (what, *lines), "Quit")


def manager_after_quit(*, joined: bool, quit_text: str = "") -> str:
    """What happens to the manager when the dashboard ends."""
    return GOES_ON if joined else quit_text or " ".join(STOPS)

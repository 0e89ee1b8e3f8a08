"""Schedules for people and for scripts: what `schedule list` and `schedule show` print. Times for
people are those of the zone of the schedule."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tui_manager_protos.rules.duration import format_duration

from tui_manager.cli.printing.list_and_show.steps import need_table, step_table, step_what
from tui_manager.cli.printing.text_table import table
from tui_manager.cli.printing.write_text import one_line
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.presentation.json_fields import Shape, timestamp
from tui_manager.domain.schedules.schedule import (
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    TemplateUse,
)
from tui_manager.domain.task_files.task_file import read_task_file

_COLUMNS = ("NAME", "NEXT", "RESULT", "LAST", "CRON", "ZONE", "TASK")
_RUN_COLUMNS = ("DUE", "RESULT", "DETAIL")


def zone_time(moment: datetime, zone: str) -> str:
    """To the second, in a zone, which is named by its offset; in UTC if this machine does not know
    the zone."""
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (LookupError, OSError, ValueError):
        local = moment.astimezone(UTC)
    return local.strftime("%Y-%m-%d %H:%M:%S%z")


def due_note(schedule: Schedule, due: Sequence[datetime]) -> str:
    """When a schedule is due that was added or edited."""
    name, zone = schedule.spec.name, schedule.spec.zone
    if schedule.paused:
        return f"{name} is paused: nothing is due until it is resumed"
    times = ", ".join(zone_time(moment, zone) for moment in due)
    return f"{name} is due in {zone} at {times}" if times else f"{name} is never due"


def schedule_table(schedules: Iterable[Schedule]) -> str:
    """The table of `schedule list`."""
    return table(
        _COLUMNS,
        list(map(_row, schedules)),
        stretch=tuple(map(_COLUMNS.index, ("TASK", "ZONE", "CRON", "RESULT", "NAME"))),
    )


def _row(schedule: Schedule) -> tuple[str, ...]:
    spec, last = schedule.spec, schedule.last
    return (
        spec.name,
        _next(schedule),
        result(last) if last else "-",
        zone_time(last.due, spec.zone) if last else "-",
        spec.cron,
        spec.zone,
        _task(spec),
    )


def _next(schedule: Schedule) -> str:
    if schedule.paused:
        return "paused"
    return zone_time(schedule.next, schedule.spec.zone) if schedule.next else "never"


def _task(spec: ScheduleSpec) -> str:
    if spec.template is None:
        return "its own"
    version = f"@{spec.template.version}" if spec.template.version else ""
    return f"template {spec.template.name}{version}"


def result(run: ScheduleRun) -> str:
    """What became of a due time: `task 62`, `skipped (overlap)`."""
    if run.task_id:
        return f"task {run.task_id}{', by an operator' if run.by_operator else ''}"
    if run.skipped:
        return f"skipped ({run.skipped})"
    return "waits for the task before"


def schedule_text(detail: ScheduleDetail, runs: Sequence[ScheduleRun]) -> str:
    """What is known of a schedule: the schedule itself, the steps of its own task, its next due
    times, and what became of the last ones, the newest first."""
    schedule, spec = detail.schedule, detail.schedule.spec
    task_lines, steps = _task_text(spec)
    lines = [
        ("Schedule", spec.name),
        ("State", "paused" if schedule.paused else "due" if schedule.next else "never due again"),
        ("Problem", schedule.problem),
        ("Refused", f"the last time: {schedule.refusal}" if schedule.refusal else ""),
        ("Cron", f"{spec.cron}  {spec.zone}"),
        *task_lines,
        ("Overlap", spec.overlap),
        ("Misfire", format_duration(spec.misfire)),
        ("Created", f"{zone_time(schedule.created_at, spec.zone)} {schedule.created_by}"),
        *_due_lines(detail),
    ]
    head = "".join(f"{name:<11} {one_line(text)}\n" for name, text in lines if text)
    rows = [(_due(run, spec.zone), result(run), _detail(run)) for run in runs]
    history = table(_RUN_COLUMNS, rows, stretch=(2,)) if rows else "Nothing was due yet.\n"
    return "\n".join(part for part in (head, steps, history) if part)


def _task_text(spec: ScheduleSpec) -> tuple[list[tuple[str, str]], str]:
    """Lines on what it starts, and the table of the steps; empty: there is none."""
    use = spec.template
    if use is not None:
        values = _assigned(sorted(use.parameters.items()))
        return [("Task", _task(spec)), ("Parameters", values), ("Target", use.target)], ""
    try:
        task_file = read_task_file(spec.task_file, spec.name)
    except InvalidInputError as error:
        return [("Task", f"cannot be read: {error}")], ""
    task = task_file.spec
    defaults = ((one.name, one.default) for one in task_file.parameters if one.default is not None)
    lines = [
        ("Task", task.name),
        ("About", task.description),
        ("Target", task.target),
        ("Parameters", _assigned(defaults)),
        ("Rollout", "; ".join(task.rollout.texts)),
    ]
    if need_table(task.commands):
        return lines, step_table(task.commands)
    (command,) = task.commands
    return [*lines, ("Command", "  ".join((step_what(command), *command.option_texts)))], ""


def _assigned(values: Iterable[tuple[str, str]]) -> str:
    return "  ".join(f"{name}={value}" for name, value in values)


def _due_lines(detail: ScheduleDetail) -> list[tuple[str, str]]:
    zone = detail.schedule.spec.zone
    return [
        (
            "" if index else "Next",
            f"{zone_time(moment, zone)}  {moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}",
        )
        for index, moment in enumerate(detail.due)
    ]


def _due(run: ScheduleRun, zone: str) -> str:
    if run.first_due is None:
        return zone_time(run.due, zone)
    return f"{zone_time(run.first_due, zone)} to {zone_time(run.due, zone)}"


def _detail(run: ScheduleRun) -> str:
    return f"{run.count} due times. {run.detail}".rstrip() if run.count > 1 else run.detail or "-"


def schedule_shape(schedule: Schedule) -> Shape:
    """An element of `schedule list --json`."""
    last = schedule.last
    return {
        "name": schedule.spec.name,
        "cron": schedule.spec.cron,
        "zone": schedule.spec.zone,
        "next": timestamp(schedule.next),
        "paused": schedule.paused,
        "last": last
        and {
            "due": timestamp(last.due),
            "task_id": last.task_id or None,
            "skipped": last.skipped,
        },
    }


def schedule_detail_shape(detail: ScheduleDetail, runs: Sequence[ScheduleRun]) -> Shape:
    """What `schedule show --json` prints. "misfire" is in seconds; "runs" has the newest first."""
    schedule, spec = detail.schedule, detail.schedule.spec
    return {
        **schedule_shape(schedule),
        "overlap": spec.overlap,
        "misfire": spec.misfire.total_seconds(),
        "template": template_use_shape(spec.template),
        "task_file": spec.task_file or None,
        "revision": schedule.revision,
        "created_by": schedule.created_by,
        "created_at": timestamp(schedule.created_at),
        "problem": schedule.problem or None,
        "due": [timestamp(moment) for moment in detail.due],
        "runs": [schedule_run_shape(run) for run in runs],
    }


def template_use_shape(use: TemplateUse | None) -> Shape | None:
    """The template of a schedule; null: it has a task of its own."""
    if use is None:
        return None
    return {
        "name": use.name,
        "version": use.version or None,
        "parameters": dict(sorted(use.parameters.items())),
        "target": use.target or None,
    }


def schedule_run_shape(run: ScheduleRun) -> Shape:
    """What became of a due time, or of several, of which "due" is the last."""
    return {
        "due": timestamp(run.due),
        "task_id": run.task_id or None,
        "skipped": run.skipped,
        "detail": run.detail,
        "count": run.count,
        "first_due": timestamp(run.first_due),
        "by_operator": run.by_operator,
        "decided_at": timestamp(run.decided_at),
    }

"""Schedules of the fake operator. Tests say what became of a due time: nothing is due by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.support.fake_operator.fake_core import ACTOR, page
from tests.support.fake_operator.tasks.fake_tasks import FakeTasks
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.lists.filter_language import fits, parse_filter
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.cron_and_zone import check_will_fire, read_cron
from tui_manager.domain.schedules.schedule import (
    DUES_SHOWN,
    SCHEDULE_FIELDS,
    SCHEDULE_SORT_COLUMNS,
    FilteredSchedule,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    SkipReason,
    check_schedule_name,
)
from tui_manager.domain.task_files.task_file import fill, read_task_file
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_spec import TaskSpec

DUE_SHOWN = 5


@dataclass
class FakeSchedule:
    """A schedule, and what became of its due times, the newest last."""

    spec: ScheduleSpec
    created_at: datetime
    revision: int = 1
    paused: bool = False
    problem: str = ""
    runs: list[ScheduleRun] = field(default_factory=list)


class FakeSchedules(FakeTasks):
    """Schedules by name."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.schedules: dict[str, FakeSchedule] = {}
        self.additions: dict[str, str] = {}  # names by request id

    def add_run(
        self,
        name: str,
        due: datetime,
        *,
        task_id: int = 0,
        skipped: SkipReason | None = None,
        detail: str = "",
        count: int = 1,
        first_due: datetime | None = None,
        by_operator: bool = False,
        waits: bool = False,
    ) -> ScheduleRun:
        """Writes what became of a due time, or of several."""
        number = 1 + sum(len(one.runs) for one in self.schedules.values())
        decided_at = None if waits else self.now()
        run = ScheduleRun(
            number, due, task_id, skipped, detail, count, first_due, by_operator, decided_at
        )
        self._schedule(name).runs.append(run)
        self.publish(Changes(schedules=True))
        return run

    def set_problem(self, name: str, problem: str) -> None:
        """Why it cannot start a task now; empty: it can."""
        self._schedule(name).problem = problem
        self.publish(Changes(schedules=True))

    def schedules_using(self, name: str) -> tuple[str, ...]:
        """Names of the schedules that use a template."""
        uses = ((one.spec.name, one.spec.template) for one in self.schedules.values())
        return tuple(sorted(schedule for schedule, use in uses if use and use.name == name))

    def template_text(self, name: str, version: int) -> tuple[TemplateVersion, str]:
        """A version of a template with its text; 0: the newest. FakeTemplates finds it."""
        raise InvalidInputError("template", f"There is no template {name}.")

    # The Protocol.

    async def add_schedule(self, spec: ScheduleSpec, request_id: str = "") -> Schedule:
        self._check("add_schedule")
        self._check_schedule(spec)
        if request_id and request_id in self.additions:
            return self._row_of(self.additions[request_id])
        if spec.name in self.schedules:
            raise IllegalMoveError(f"There is a schedule {spec.name} already.")
        self.schedules[spec.name] = FakeSchedule(spec, self.now())
        if request_id:
            self.additions[request_id] = spec.name
        self._schedule_changed("add_schedule", spec.name)
        return self._row_of(spec.name)

    async def edit_schedule(self, spec: ScheduleSpec, revision: int) -> Schedule:
        self._check("edit_schedule")
        self._check_schedule(spec)
        one = self._schedule(spec.name)
        if one.revision != revision:
            raise IllegalMoveError(
                f"The schedule {spec.name} was edited since it was read. Read it again."
            )
        one.spec, one.revision = spec, revision + 1
        self._schedule_changed("edit_schedule", spec.name)
        return self._row_of(spec.name)

    async def list_schedules(self, window: Window) -> Page[Schedule]:
        self._check("list_schedules")
        window.check("schedules", SCHEDULE_SORT_COLUMNS)
        rows = [self._row_of(name) for name in sorted(self.schedules)]
        passes = fits(parse_filter(window.text), SCHEDULE_FIELDS)
        rows = [row for row in rows if passes(FilteredSchedule(row, _target(row.spec)))]
        rows = [replace(row, spec=replace(row.spec, task_file="")) for row in rows]
        if window.faults_only:
            rows = [row for row in rows if row.problem or (row.last and row.last.skipped)]
        if window.sort == "next":
            rows.sort(key=lambda row: (row.next is None, row.next))
        return page(rows, window, len(self.schedules))

    async def get_schedule(self, name: str) -> ScheduleDetail:
        self._check("get_schedule")
        row = self._row_of(name)
        due = [] if row.paused else _next_dues(row.spec, self.now(), DUE_SHOWN)
        return ScheduleDetail(row, tuple(due))

    async def list_schedule_runs(self, name: str, window: Window) -> Page[ScheduleRun]:
        self._check("list_schedule_runs")
        window.check("due times")
        runs = self._schedule(name).runs
        return page(runs[::-1], window, len(runs))

    async def preview_schedule(
        self, cron: str, zone: str, count: int = DUES_SHOWN
    ) -> Sequence[datetime]:
        self._check("preview_schedule")
        read = read_cron(cron, zone)
        check_will_fire(read, self.now())
        return read.next_dues(self.now(), count)

    async def pause_schedule(self, name: str) -> None:
        self._check("pause_schedule")
        self._set_paused(name, paused=True)

    async def resume_schedule(self, name: str) -> None:
        self._check("resume_schedule")
        self._set_paused(name, paused=False)

    async def delete_schedule(self, name: str) -> None:
        self._check("delete_schedule")
        self._schedule(name)
        del self.schedules[name]
        self._schedule_changed("delete_schedule", name)

    async def run_schedule(self, name: str, request_id: str = "") -> int:
        self._check("run_schedule")
        one = self._schedule(name)
        if request_id and request_id in self.requests:
            return self.requests[request_id]
        for run in one.runs:
            if run.task_id and not self._task(run.task_id).row.status.ended:
                raise IllegalMoveError(f"Task {run.task_id} of the schedule {name} has not ended.")
        task_id = await self.create_task(self._task_spec(one.spec), request_id)
        await self.start_task(task_id)
        self.add_run(name, self.now(), task_id=task_id, by_operator=True)
        self._schedule_changed("run_schedule", name, task_id)
        return task_id

    # How it keeps its word.

    def _schedule(self, name: str) -> FakeSchedule:
        check_schedule_name(name)
        if name not in self.schedules:
            raise NotFoundError(f"There is no schedule {name}.")
        return self.schedules[name]

    def _row_of(self, name: str) -> Schedule:
        one = self._schedule(name)
        due = [] if one.paused else _next_dues(one.spec, self.now(), 1)
        return Schedule(
            one.spec, one.revision, one.paused, due[0] if due else None,
            one.runs[-1] if one.runs else None, ACTOR, one.created_at, one.problem,
        )  # fmt: skip

    def _set_paused(self, name: str, *, paused: bool) -> None:
        one = self._schedule(name)
        if one.paused is paused:
            raise IllegalMoveError(
                f"The schedule {name} is {'paused already' if paused else 'not paused'}."
            )
        one.paused = paused
        self._schedule_changed("pause_schedule" if paused else "resume_schedule", name)

    def _check_schedule(self, spec: ScheduleSpec) -> None:
        spec.check()
        check_will_fire(read_cron(spec.cron, spec.zone), self.now())
        self._task_spec(spec)

    def _task_spec(self, spec: ScheduleSpec) -> TaskSpec:
        """The task that the schedule would start now."""
        text, use, version = spec.task_file, spec.template, None
        if use is not None:
            version, text = self.template_text(use.name, use.version)
        task_file = read_task_file(text, str(version or spec.name))
        if task_file.secrets:
            name = task_file.secrets[0].name
            raise InvalidInputError("param", f"A schedule cannot have secret parameters: {name}.")
        task = fill(task_file, use.parameters if use else {}, {})
        target = (use.target if use else "") or task.target
        task = replace(task, target=target, created_by=f"schedule:{spec.name}", template=version)
        task.check()
        return task

    def _schedule_changed(self, action: str, name: str, task_id: int = 0) -> None:
        self.record(action, task_id=task_id, schedule=name)
        self.publish(Changes(schedules=True))


def _next_dues(spec: ScheduleSpec, after: datetime, count: int) -> list[datetime]:
    return read_cron(spec.cron, spec.zone).next_dues(after, count)


def _target(spec: ScheduleSpec) -> str:
    if spec.template is None:
        return read_task_file(spec.task_file, spec.name).spec.target
    return spec.template.target

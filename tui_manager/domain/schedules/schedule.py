"""Schedules: tasks that start by the clock, and what became of each due time."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.names_and_labels import is_name

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.filter_language import FilteredFields

MISFIRE_DEFAULT = timedelta(minutes=5)
MISFIRE_RANGE = (timedelta(seconds=1), timedelta(days=30))
DUES_SHOWN = 5  # next due times of a schedule
SCHEDULES_MAX = 10_000
SCHEDULE_SORT_COLUMNS = ("name", "next")
PARAMETERS_MAX = 1000  # of one schedule
TARGET_LENGTH = 10_000  # characters
ACTOR = "schedule:"  # before the name of the schedule, of its tasks and in the audit
_SHOWN = 80  # characters of a wrong value in an error


class Overlap(StrEnum):
    """What becomes of a due time while the task of an earlier one has not ended."""

    SKIP = "skip"
    WAIT = "wait"  # it starts when that has ended; one at most waits


class SkipReason(StrEnum):
    """Why nothing ran at a due time."""

    OVERLAP = "overlap"  # the task of an earlier due time had not ended
    MISFIRE = "misfire"  # missed by more than the schedule allows, or a later due time counted
    STOPPED = "stopped"  # the manager did not run
    PAUSED = "paused"  # the schedule was paused
    CLOCK = "clock"  # the clock had jumped, and was not to be believed
    REFUSED = "refused"  # the task could not be started; the detail says why


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """The template of a schedule.

    Attributes:
        version: 0: the newest when it is due.
        parameters: values as typed.
        target: instead of the template's; empty: that one.
    """

    name: str
    version: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    target: str = ""

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds."""
        if not is_name(self.name):
            raise InvalidInputError("template", f"There is no template {self.name[:_SHOWN]!r}.")
        if not 0 <= self.version < 1 << 63:
            raise InvalidInputError(
                "template", f"There is no version {self.version} of a template."
            )
        if len(self.target) > TARGET_LENGTH:
            raise InvalidInputError(
                "target", f"The target of a schedule has at most {TARGET_LENGTH} characters."
            )
        if len(self.parameters) > PARAMETERS_MAX:
            raise InvalidInputError("param", f"A schedule has at most {PARAMETERS_MAX} parameters.")


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A schedule as an operator gives it.

    Attributes:
        cron: minute, hour, day, month, weekday; or six fields with the second first.
        zone: of the IANA list, `Europe/Berlin`.
        misfire: a due time that is missed by more is skipped.
        template: None: it has a task file of its own.
        task_file: TOML; empty with a template.
    """

    name: str
    cron: str
    zone: str
    overlap: Overlap = Overlap.SKIP
    misfire: timedelta = MISFIRE_DEFAULT
    template: TemplateUse | None = None
    task_file: str = ""

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds. What cron,
        zone, template and task file say is not looked at."""
        check_schedule_name(self.name)
        low, high = MISFIRE_RANGE
        if not low <= self.misfire <= high:
            raise InvalidInputError(
                "misfire",
                "A due time may be missed by 1 s to 30 d (2592000 s); "
                f"{self.misfire.total_seconds():g} s is neither.",
            )
        if (self.template is None) == (not self.task_file):
            raise InvalidInputError("template", "Give either a template or a task.")
        if self.template:
            self.template.check()


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """What became of a due time, or of several that nobody handled.

    Attributes:
        due: of several the last; of a start by an operator the time of that.
        task_id: the task that was started; 0: none.
        skipped: why nothing ran; None: a task was started, or waits.
        detail: a sentence; may be empty.
        count: the due times that this stands for, at least 1.
        first_due: of several the first; None: of one.
        by_operator: an operator started it, whatever was due.
        decided_at: None: it waits until an earlier task has ended.
    """

    run_id: int
    due: datetime
    task_id: int = 0
    skipped: SkipReason | None = None
    detail: str = ""
    count: int = 1
    first_due: datetime | None = None
    by_operator: bool = False
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as lists show it.

    Attributes:
        revision: counts its edits.
        next: when it is due; None: it is paused, or never due again.
        last: None: nothing was due yet.
        problem: why it cannot start a task now, as a sentence; empty: it can.
    """

    spec: ScheduleSpec
    revision: int
    paused: bool
    next: datetime | None
    last: ScheduleRun | None
    created_by: str
    created_at: datetime
    problem: str = ""

    @property
    def refusal(self) -> str:
        """Why its last due time started no task, though it was to, as a sentence; empty: it
        did."""
        if self.last is None or self.last.skipped is not SkipReason.REFUSED:
            return ""
        return self.last.detail or "The history does not say why."


class FilteredSchedule(NamedTuple):
    """What a filter looks at. The target is that of its own task file, or that which replaces the
    target of its template."""

    schedule: Schedule
    target: str


def _template(row: FilteredSchedule) -> str:
    template = row.schedule.spec.template
    return template.name if template else ""


def _states(row: FilteredSchedule) -> tuple[str, ...]:
    schedule = row.schedule
    return ("paused" if schedule.paused else "active", *(["problem"] if schedule.problem else []))


def _text(row: FilteredSchedule) -> str:
    spec = row.schedule.spec
    return "\n".join((spec.name, spec.cron, _template(row), row.target))


def _creators(row: FilteredSchedule) -> tuple[str, ...]:
    actor = row.schedule.created_by
    return actor, actor.partition("@")[0]


SCHEDULE_FIELDS: FilteredFields[FilteredSchedule] = FilteredFields(
    noun="schedules",
    text=_text,
    values={
        "name": lambda row: (row.schedule.spec.name,),
        "state": _states,
        "cron": lambda row: (row.schedule.spec.cron,),
        "zone": lambda row: (row.schedule.spec.zone,),
        "template": lambda row: (_template(row),),
        "target": lambda row: (row.target,),
        "by": _creators,
    },
    exact=_states,
)
SCHEDULE_KEYS = tuple(SCHEDULE_FIELDS.values)  # of a filter


@dataclass(frozen=True, slots=True)
class ScheduleDetail:
    """A schedule with its next due times, at most 5."""

    schedule: Schedule
    due: tuple[datetime, ...] = ()


def check_schedule_name(name: str) -> None:
    """Raises InvalidInputError("name") if a schedule cannot have this name."""
    if not is_name(name):
        raise InvalidInputError(
            "name",
            f"{name[:_SHOWN]!r} is not a schedule's name: 1 to 64 letters, digits, '.', '_' and "
            "'-', of which the first is a letter or a digit.",
        )

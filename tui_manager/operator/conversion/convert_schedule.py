"""Templates, schedules and what became of their due times, between the wire and the domain."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.schedules.schedule import (
    MISFIRE_DEFAULT,
    Overlap,
    Schedule,
    ScheduleDetail,
    ScheduleRun,
    ScheduleSpec,
    SkipReason,
    TemplateUse,
)
from tui_manager.domain.task_files.template import SavedVersion, Template, TemplateDetail
from tui_manager.operator.conversion.convert_values import (
    duration,
    instant,
    length,
    timestamp,
    word,
)

OVERLAPS = {
    Overlap.SKIP: wire.OVERLAP_SKIP,
    Overlap.WAIT: wire.OVERLAP_WAIT,
}
SKIP_REASONS = {
    SkipReason.OVERLAP: wire.SKIP_REASON_OVERLAP,
    SkipReason.MISFIRE: wire.SKIP_REASON_MISFIRE,
    SkipReason.STOPPED: wire.SKIP_REASON_STOPPED,
    SkipReason.PAUSED: wire.SKIP_REASON_PAUSED,
    SkipReason.CLOCK: wire.SKIP_REASON_CLOCK,
    SkipReason.REFUSED: wire.SKIP_REASON_REFUSED,
}


def spec_to_wire(spec: ScheduleSpec) -> wire.ScheduleSpec:
    return wire.ScheduleSpec(
        name=spec.name,
        cron=spec.cron,
        zone=spec.zone,
        overlap=OVERLAPS[spec.overlap],
        misfire=duration(spec.misfire),
        template=_use_to_wire(spec.template),
        task_file=spec.task_file,
    )


def spec_from_wire(message: wire.ScheduleSpec) -> ScheduleSpec:
    """Raises InvalidInputError for a word that is not known, or a duration that is none."""
    return ScheduleSpec(
        name=message.name,
        cron=message.cron,
        zone=message.zone,
        overlap=word(OVERLAPS, message.overlap or wire.OVERLAP_SKIP),
        misfire=(
            length(message.misfire, "misfire") if message.HasField("misfire") else MISFIRE_DEFAULT
        ),
        template=_use_from_wire(message.template) if message.HasField("template") else None,
        task_file=message.task_file,
    )


def _use_to_wire(use: TemplateUse | None) -> wire.TemplateUse | None:
    if use is None:
        return None
    return wire.TemplateUse(
        name=use.name, version=use.version, parameters=use.parameters, target=use.target
    )


def _use_from_wire(message: wire.TemplateUse) -> TemplateUse:
    return TemplateUse(message.name, message.version, dict(message.parameters), message.target)


def schedule_to_wire(schedule: Schedule) -> wire.Schedule:
    return wire.Schedule(
        spec=spec_to_wire(schedule.spec),
        revision=schedule.revision,
        paused=schedule.paused,
        next=timestamp(schedule.next),
        last=run_to_wire(schedule.last) if schedule.last else None,
        created_by=schedule.created_by,
        created_at=timestamp(schedule.created_at),
        problem=schedule.problem,
    )


def schedule_from_wire(message: wire.Schedule) -> Schedule:
    return Schedule(
        spec=spec_from_wire(message.spec),
        revision=message.revision,
        paused=message.paused,
        next=instant(message.next) if message.HasField("next") else None,
        last=run_from_wire(message.last) if message.HasField("last") else None,
        created_by=message.created_by,
        created_at=instant(message.created_at),
        problem=message.problem,
    )


def detail_to_wire(detail: ScheduleDetail) -> wire.ScheduleDetail:
    return wire.ScheduleDetail(
        schedule=schedule_to_wire(detail.schedule), due=due_to_wire(detail.due)
    )


def detail_from_wire(message: wire.ScheduleDetail) -> ScheduleDetail:
    return ScheduleDetail(schedule_from_wire(message.schedule), due_from_wire(message.due))


def due_to_wire(moments: Iterable[datetime]) -> list[Timestamp]:
    """Due times."""
    return [message for at in moments if (message := timestamp(at))]


def due_from_wire(messages: Iterable[Timestamp]) -> tuple[datetime, ...]:
    """Due times, in UTC."""
    return tuple(map(instant, messages))


def run_to_wire(run: ScheduleRun) -> wire.ScheduleRun:
    return wire.ScheduleRun(
        run_id=run.run_id,
        due=timestamp(run.due),
        task_id=run.task_id,
        skipped=SKIP_REASONS[run.skipped] if run.skipped else wire.SKIP_REASON_UNSPECIFIED,
        detail=run.detail,
        count=run.count,
        first_due=timestamp(run.first_due),
        by_operator=run.by_operator,
        decided_at=timestamp(run.decided_at),
    )


def run_from_wire(message: wire.ScheduleRun) -> ScheduleRun:
    return ScheduleRun(
        run_id=message.run_id,
        due=instant(message.due),
        task_id=message.task_id,
        skipped=word(SKIP_REASONS, message.skipped) if message.skipped else None,
        detail=message.detail,
        count=message.count,
        first_due=instant(message.first_due) if message.HasField("first_due") else None,
        by_operator=message.by_operator,
        decided_at=instant(message.decided_at) if message.HasField("decided_at") else None,
    )


def template_to_wire(template: Template) -> wire.Template:
    return wire.Template(
        name=template.name,
        version=template.version,
        description=template.description,
        saved_by=template.saved_by,
        saved_at=timestamp(template.saved_at),
        schedules=template.schedules,
    )


def template_from_wire(message: wire.Template) -> Template:
    return Template(
        name=message.name,
        version=message.version,
        description=message.description,
        saved_by=message.saved_by,
        saved_at=instant(message.saved_at),
        schedules=message.schedules,
    )


def template_detail_to_wire(detail: TemplateDetail) -> wire.TemplateDetail:
    return wire.TemplateDetail(
        template=template_to_wire(detail.template),
        version=detail.version,
        text=detail.text,
        versions=map(_saved_to_wire, detail.versions),
        schedules=detail.schedules,
    )


def template_detail_from_wire(message: wire.TemplateDetail) -> TemplateDetail:
    return TemplateDetail(
        template=template_from_wire(message.template),
        version=message.version,
        text=message.text,
        versions=tuple(map(_saved_from_wire, message.versions)),
        schedules=tuple(message.schedules),
    )


def _saved_to_wire(saved: SavedVersion) -> wire.SavedVersion:
    return wire.SavedVersion(
        version=saved.version, saved_by=saved.saved_by, saved_at=timestamp(saved.saved_at)
    )


def _saved_from_wire(message: wire.SavedVersion) -> SavedVersion:
    return SavedVersion(message.version, message.saved_by, instant(message.saved_at))

"""What the audit says of schedules that operators add, edit, pause, resume and delete."""

from collections.abc import Mapping
from datetime import datetime

from tui_manager.domain.schedules.schedule import Schedule, ScheduleSpec
from tui_manager.storage.engine.statements import from_datetime
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.schedules import schedules
from tui_manager.storage.tables.schedules.schedules import NewSchedule

_NAMES_SHOWN = 20  # of parameters


def record_change(
    tx: Transaction, now: datetime, actor: str, action: str, new: NewSchedule
) -> Schedule:
    """Records all that an operator can change, but no values of parameters. Returns the schedule
    as it is now."""
    schedule, use = schedules.get(tx, new.spec.name).schedule, new.spec.template
    more: dict[str, str | int] = {
        "overlap": new.spec.overlap,
        "misfire": f"{new.spec.misfire.total_seconds():g} s",
        "revision": schedule.revision,
    }
    if new.target:
        more["target"] = new.target
    if use and use.parameters:
        names = sorted(use.parameters)
        others = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        more["parameters"] = ", ".join(names[:_NAMES_SHOWN]) + others
    record(tx, now, actor, action, new.spec, more)
    return schedule


def record(
    tx: Transaction,
    now: datetime,
    actor: str,
    action: str,
    spec: ScheduleSpec,
    more: Mapping[str, str | int] | None = None,
) -> None:
    """Adds the row of an act on a schedule.

    Args:
        more: details beside its name, cron, zone and template.
    """
    template, use = {}, spec.template
    if use:
        template["template"] = f"{use.name}@{use.version}" if use.version else use.name
    audit.record(
        tx,
        from_datetime(now),
        actor,
        action,
        schedule=spec.name,
        cron=spec.cron,
        zone=spec.zone,
        more={**template, **(more or {})},
    )

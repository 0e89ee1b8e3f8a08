"""Schedules of the tests: descriptions of them, time that goes by, and what became of due times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.managers.manager_parts import Parts, result
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.schedules.schedule import ScheduleRun, ScheduleSpec

ANA = "ana@pts/3"
TASK_FILE = 'target = "web01"\n[[steps]]\nrun = "true"\n'
WITH_PARAMETER = TASK_FILE + '[params.SERVICE]\nchoices = ["nginx", "redis"]\ntype = "choice"\n'


def hourly(name: str = "nightly", **given: Any) -> ScheduleSpec:
    """A schedule with a task file of its own, each full hour in UTC."""
    values = {"cron": "0 * * * *", "zone": "UTC", **given}
    if "template" not in values:
        values.setdefault("task_file", TASK_FILE)
    return ScheduleSpec(name, **values)


def turn_to(parts: Parts, hour: int, minute: int = 0, second: int = 0, *, day: int = 2) -> None:
    """Time goes by until then, in January 2026."""
    instant = datetime(2026, 1, day, hour, minute, second, tzinfo=UTC)
    parts.clock.turn((instant - parts.clock.instant) / timedelta(seconds=1))


async def runs(parts: Parts, name: str = "nightly") -> list[ScheduleRun]:
    """What became of the due times, the oldest first."""
    page = await parts.schedules.list_schedule_runs(name, Window(limit=1000))
    assert page.matching == page.total == len(page.rows)
    return list(page.rows[::-1])


async def shown(parts: Parts, name: str = "nightly") -> list[str]:
    """The same in words: `04:00 task 1`, `06:00 stopped 2`."""
    return [_words(run) for run in await runs(parts, name)]


def _words(run: ScheduleRun) -> str:
    became = f"task {run.task_id}" if run.task_id else run.skipped or "waits"
    several = f" {run.count}" if run.count > 1 else ""
    return f"{run.due:%H:%M} {became}{several}"


async def end_task(parts: Parts, host_id: str) -> None:
    """The command that was sent last completes."""
    await parts.send()
    execution_id = parts.dispatcher.sent[-1][1].execution_id
    await parts.report(host_id, Started(execution_id, timedelta(0)), result(execution_id))

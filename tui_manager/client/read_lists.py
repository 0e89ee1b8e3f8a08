"""Reads whole lists of a manager, window by window, and the whole output of a task."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tui_manager.domain.lists.list_window import LIMIT_MAX, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS

if TYPE_CHECKING:
    from tui_manager.domain.hosts.host import Host
    from tui_manager.domain.hosts.join_token import Token
    from tui_manager.domain.lists.list_window import Page
    from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
    from tui_manager.domain.manager.audit import AuditEntry
    from tui_manager.domain.output.output_by_host import OutputByHost, OutputPlace, WantedOutput
    from tui_manager.domain.schedules.schedule import Schedule, ScheduleRun
    from tui_manager.domain.task_files.template import Template
    from tui_manager.domain.tasks.task import CommandHost, Task
    from tui_manager.operator.api import Operator

_Row = TypeVar("_Row")
_PLAIN = Window()
_OUTPUT_STEP = 1 << 20  # bytes of one call


def each_host(operator: Operator) -> AsyncIterator[Host]:
    """Every host, by name."""
    return each_row(operator.list_hosts, Window(), lambda host: host.host_id)


async def all_hosts(operator: Operator) -> list[Host]:
    """Every host, by name."""
    return [host async for host in each_host(operator)]


async def each_task(
    operator: Operator,
    window: Window = _PLAIN,
    wanted: TaskFilter = ALL_TASKS,
    limit: int = sys.maxsize,
) -> AsyncIterator[Task]:
    """The first `limit` tasks that pass the filters, in the order of `window`."""

    async def read(window: Window) -> Page[Task]:
        return await operator.list_tasks(window, wanted)

    left = limit
    async for task in each_row(read, window, lambda task: task.task_id, limit):
        yield task
        left -= 1
        if not left:
            return


async def all_tasks(
    operator: Operator,
    window: Window = _PLAIN,
    wanted: TaskFilter = ALL_TASKS,
    limit: int = sys.maxsize,
) -> list[Task]:
    """The first `limit` tasks that pass the filters, in the order of `window`."""
    return [task async for task in each_task(operator, window, wanted, limit)]


def each_command_host(
    operator: Operator, task_id: int, command: int | None = None
) -> AsyncIterator[CommandHost]:
    """Every command host of a task, or of one of its commands, by command and name."""

    async def read(window: Window) -> Page[CommandHost]:
        return await operator.list_command_hosts(task_id, window, command)

    return each_row(read, Window(sort="host"), lambda row: row.execution_id)


async def all_command_hosts(
    operator: Operator, task_id: int, command: int | None = None
) -> list[CommandHost]:
    """Every command host of a task, or of one of its commands, by command and name."""
    return [row async for row in each_command_host(operator, task_id, command)]


async def newest_audit(operator: Operator, text: str, limit: int) -> list[AuditEntry]:
    """The newest `limit` entries of the audit that have `text`, the newest last."""
    from tui_manager.domain.lists.filter_language import quote

    window = Window(text=quote(text))
    entries = await _all(operator.list_audit, window, lambda entry: entry.audit_id, limit)
    return sorted(entries, key=lambda entry: entry.audit_id)[-limit:]


async def all_tokens(operator: Operator, *, everything: bool) -> list[Token]:
    """Join tokens, the newest first: those with which hosts may enrol, or everything."""

    async def read(window: Window) -> Page[Token]:
        return await operator.list_tokens(window, everything=everything)

    return await _all(read, Window(), lambda token: token.token_id)


def each_template(operator: Operator, text: str = "") -> AsyncIterator[Template]:
    """The templates that pass a filter, by name."""
    return each_row(operator.list_templates, Window(text=text), lambda template: template.name)


async def all_templates(operator: Operator, text: str) -> list[Template]:
    """The templates that have `text`, by name."""
    return [template async for template in each_template(operator, text)]


def each_schedule(operator: Operator) -> AsyncIterator[Schedule]:
    """Every schedule, by name."""
    return each_row(operator.list_schedules, Window(), lambda schedule: schedule.spec.name)


async def all_schedules(operator: Operator) -> list[Schedule]:
    """Every schedule, by name."""
    return [schedule async for schedule in each_schedule(operator)]


async def newest_runs(operator: Operator, name: str, limit: int) -> list[ScheduleRun]:
    """What became of the newest `limit` due times of a schedule, the newest first."""

    async def read(window: Window) -> Page[ScheduleRun]:
        return await operator.list_schedule_runs(name, window)

    runs = await _all(read, Window(), lambda run: run.run_id, limit)
    return sorted(runs, key=lambda run: -run.run_id)[:limit]


async def output_by_host(operator: Operator, wanted: WantedOutput) -> AsyncIterator[OutputByHost]:
    """The stored output of a task, part by part, of one host after another."""
    from tui_manager.operator.output_calls import BEGINNING

    place: OutputPlace | None = BEGINNING
    while place is not None:
        part = await operator.read_output_by_host(wanted, place, _OUTPUT_STEP)
        yield part
        place = part.next


async def _all(
    read: Callable[[Window], Awaitable[Page[_Row]]],
    window: Window,
    identity: Callable[[_Row], object],
    wanted: int = sys.maxsize,
) -> list[_Row]:
    """All rows of a list, or at least the first `wanted`."""
    return [row async for row in each_row(read, window, identity, wanted)]


async def each_row(
    read: Callable[[Window], Awaitable[Page[_Row]]],
    window: Window,
    identity: Callable[[_Row], object],
    wanted: int = sys.maxsize,
) -> AsyncIterator[_Row]:
    """The rows of a list, window by window, at least the first `wanted`. Rows may move while the
    windows are read; each comes once. A window whose filter is not finished is asked again."""
    seen: set[object] = set()
    offset = 0
    while True:
        page = await read(replace(window, offset=offset, limit=min(LIMIT_MAX, wanted)))
        for row in page.rows:
            if (key := identity(row)) not in seen:
                seen.add(key)
                yield row
        offset += len(page.rows)
        ended = not page.partial and (not page.rows or offset >= page.matching)
        if ended or len(seen) >= wanted:
            return

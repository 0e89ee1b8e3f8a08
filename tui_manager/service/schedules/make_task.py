"""What a schedule starts: its template, or its own task file, with the parameters filled in."""

import asyncio
from dataclasses import dataclass, replace

from tui_manager.domain.cron_and_zone import read_cron
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
)
from tui_manager.domain.schedule import ACTOR, ScheduleSpec
from tui_manager.domain.task_file import fill, read_task_file
from tui_manager.domain.task_spec import TaskSpec
from tui_manager.domain.template import TemplateVersion
from tui_manager.service.core.core import Core
from tui_manager.service.tasks.task_starter import TaskStarter
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import schedules, templates

REFUSALS = (InvalidInputError, NotFoundError, IllegalMoveError)


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """A task as its schedule makes it.

    Attributes:
        spec: None: none can be made.
        refused: why, as a sentence; empty: it can.
        newest: the newest version of the template when it was made; 0: it has none.
    """

    spec: TaskSpec | None
    newest: int = 0
    refused: str = ""


class TaskMaker:
    """Makes the tasks of schedules, before the transaction that starts them."""

    def __init__(self, core: Core, starter: TaskStarter) -> None:
        self._core = core
        self._starter = starter
        # A task file of many MiB takes seconds to read, and then a multiple of its size in memory.
        self._one_text_at_a_time = asyncio.Lock()

    async def make(self, spec: ScheduleSpec) -> ScheduledTask:
        """The task that a schedule would start now.

        Raises:
            InvalidInputError: a parameter or the task file is wrong; a secret parameter; there is
                no such template.
            StorageError: the database cannot be read now.
        """
        text, version, newest = await self._core.database.read(lambda tx: _text(tx, spec))
        async with self._one_text_at_a_time:
            task = await asyncio.to_thread(_fill, spec, text, version)
        self._starter.check(task)
        return ScheduledTask(task, newest)

    async def try_to_make(self, spec: ScheduleSpec) -> ScheduledTask:
        """The same; what is wrong is a part of the result, also with cron and zone. Raises
        StorageError as `make`."""
        newest = await self._core.database.read(lambda tx: schedules.newest_version(tx, spec))
        try:
            read_cron(spec.cron, spec.zone)
            return await self.make(spec)
        except REFUSALS as error:
            return ScheduledTask(None, newest, str(error))


def _text(tx: Transaction, spec: ScheduleSpec) -> tuple[str, TemplateVersion | None, int]:
    """The task file of a schedule, its version, and the newest version of its template."""
    use = spec.template
    if use is None:
        return spec.task_file, None, 0
    try:
        detail = templates.detail(tx, use.name, use.version)
    except NotFoundError as error:
        raise InvalidInputError("template", str(error)) from None
    return detail.text, TemplateVersion(use.name, detail.version), detail.template.version


def _fill(spec: ScheduleSpec, text: str, version: TemplateVersion | None) -> TaskSpec:
    use = spec.template
    task_file = read_task_file(text, str(version) if version else spec.name)
    if task_file.secrets:
        names = ", ".join(one.name for one in task_file.secrets)
        raise InvalidInputError(
            "param",
            f"A schedule cannot have secret parameters, because nobody gives their values when it "
            f"is due: {names}. Let the command read the secret on the host.",
        )
    task = fill(task_file, use.parameters if use else {}, {})
    return replace(
        task,
        target=(use.target if use else "") or task.target,
        created_by=f"{ACTOR}{spec.name}",
        template=version,
    )

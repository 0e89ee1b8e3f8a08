"""What a schedule starts: its template, or its own task file, with the parameters filled in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
)
from tui_manager.domain.schedules.cron_and_zone import read_cron
from tui_manager.domain.schedules.schedule import ACTOR, ScheduleSpec
from tui_manager.domain.task_files.task_file import TaskFile, fill, read_task_file
from tui_manager.domain.task_files.template import TemplateVersion
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.service.core.core import Core
from tui_manager.service.tasks.start_task import TaskStarter
from tui_manager.storage.tables.schedules import schedules, templates

_SMALL = 256 * 1024  # bytes of a task file; those that are due at once may be in one commit
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
        self._one_large_task_at_a_time = asyncio.Lock()
        self._users = 0
        self._kept: tuple[TemplateVersion, TaskFile] | None = None  # while there are users

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Until it is left, the template that was read last is kept for its other schedules."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._kept = None

    @contextlib.asynccontextmanager
    async def making_task_of(self, row_id: int) -> AsyncIterator[None]:
        """Make the task of a schedule in it, and write it. Only one large task is made and written
        at a time, so that no two are in memory or in one commit. Raises StorageError."""
        size = await self._core.database.read(lambda tx: schedules.task_size(tx, row_id))
        with self.keeping():
            if size <= _SMALL:
                yield
                return
            async with self._one_large_task_at_a_time:
                yield

    async def make(self, spec: ScheduleSpec) -> ScheduledTask:
        """The task that a schedule would start now.

        Raises:
            InvalidInputError: a parameter or the task file is wrong; a secret parameter; there is
                no such template.
            StorageError: the database cannot be read now.
        """
        async with self._one_text_at_a_time:
            newest = await self._core.database.read(lambda tx: schedules.newest_version(tx, spec))
            task_file, version = await self._read(spec, newest)
            task = await asyncio.to_thread(_fill, spec, task_file, version)
        self._starter.check(task)
        return ScheduledTask(task, newest)

    async def _read(
        self, spec: ScheduleSpec, newest: int
    ) -> tuple[TaskFile, TemplateVersion | None]:
        """What a schedule starts, and the version of its template."""
        use = spec.template
        if use is None:
            return await asyncio.to_thread(read_task_file, spec.task_file, spec.name), None
        version = TemplateVersion(use.name, use.version or newest)
        if self._kept and self._kept[0] == version:
            return self._kept[1], version
        self._kept = None
        try:
            text = await self._core.database.read(
                lambda tx: templates.detail(tx, version.name, version.version).text
            )
        except NotFoundError as error:
            raise InvalidInputError("template", str(error)) from None
        task_file = await asyncio.to_thread(read_task_file, text, str(version))
        if self._users:
            self._kept = version, task_file
        return task_file, version

    async def try_to_make(self, spec: ScheduleSpec) -> ScheduledTask:
        """The same; what is wrong is a part of the result, also with cron and zone. Raises
        StorageError as `make`."""
        newest = await self._core.database.read(lambda tx: schedules.newest_version(tx, spec))
        try:
            read_cron(spec.cron, spec.zone)
            return await self.make(spec)
        except REFUSALS as error:
            return ScheduledTask(None, newest, str(error))


def _fill(spec: ScheduleSpec, task_file: TaskFile, version: TemplateVersion | None) -> TaskSpec:
    use = spec.template
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

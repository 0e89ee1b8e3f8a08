"""TemplateService: save, list, read and delete templates; write a task as a task file."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError, NotFoundError
from tui_manager.domain.ids import check_request_id
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_files.task_as_template import task_as_template
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_files.template import (
    Template,
    TemplateDetail,
    TemplateVersion,
    check_template_name,
)
from tui_manager.domain.task_spec.task_spec import TaskSpec
from tui_manager.service.core.core import Core, run_to_completion
from tui_manager.service.files.file_store import FileStore
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.files import file_sets
from tui_manager.storage.tables.manager import audit
from tui_manager.storage.tables.schedules import templates
from tui_manager.storage.tables.tasks import command_contents, tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Save:
    """What an operator asks for; the text is a task file that can be used.

    Attributes:
        spec: of the task file.
    """

    name: str
    text: str
    spec: TaskSpec
    actor: str
    request_id: str


class TemplateService:
    """What operators do with templates. An actor is `user@terminal`."""

    def __init__(self, core: Core, files: FileStore) -> None:
        self._core = core
        self._files = files
        self._database = core.database
        # A text of 16 MiB takes seconds to read, and a multiple of its size in memory.
        self._one_text_at_a_time = asyncio.Lock()

    async def save(
        self, name: str, text: str, task_id: int, actor: str, request_id: str = ""
    ) -> int:
        """Stores a task file as the next version of a template, and returns its number. If the
        newest version has the same text, it is that one. The same request id returns the same
        version.

        Args:
            text: a task file with its scripts in it.
            task_id: instead of a text, the task that it is made from.

        Raises:
            InvalidInputError: the name or the task file is wrong.
            NotFoundError: there is no such task, or the manager does not have the files that the
                task file copies.
            IllegalMoveError: the request id was used for another template.
        """
        request_id = check_request_id(request_id)
        check_template_name(name)
        if bool(text) == bool(task_id):
            raise InvalidInputError("text", "Give either the text of a task file or a task.")
        async with self._one_text_at_a_time:
            text = text or await self._write_task_file(task_id)
            task_file = await asyncio.to_thread(read_task_file, text, name)
        asked = _Save(name, text, task_file.spec, actor, request_id)
        return await run_to_completion(self._save(asked))

    async def text_of_task(self, task_id: int) -> str:
        """The text of a task file that makes the same task.

        Raises:
            NotFoundError: there is no such task.
            InvalidInputError: a task file cannot say what is in it.
        """
        async with self._one_text_at_a_time:
            return await self._write_task_file(task_id)

    async def _write_task_file(self, task_id: int) -> str:
        spec, origin = await self._database.read(lambda tx: _task_and_origin(tx, task_id))
        return await asyncio.to_thread(task_as_template, spec, origin)

    async def _save(self, asked: _Save) -> int:
        stamp = self._core.clock.stamp
        saved, new = await self._database.write(lambda tx: _store(tx, asked, self._files, stamp()))
        if new:
            log.info("template saved", extra={"template": str(saved)})
            self._core.feed.publish(Changes(templates=True))
        return saved.version

    async def list_templates(self, window: Window) -> Page[Template]:
        """Templates by name, or in the order of the window."""
        return await self._database.read(lambda tx: templates.window(tx, window))

    async def get(self, name: str, version: int = 0) -> TemplateDetail:
        """One version of a template with its text; 0: the newest.

        Raises:
            InvalidInputError: no template can have this name.
            NotFoundError: there is no such template, or not this version of it.
        """
        check_template_name(name)
        return await self._database.read(lambda tx: templates.detail(tx, name, version))

    async def delete(self, name: str, actor: str) -> None:
        """Deletes a template with all its versions.

        Raises:
            InvalidInputError, NotFoundError: there can be no such template, or there is none.
            IllegalMoveError: a schedule uses it.
        """
        check_template_name(name)
        await run_to_completion(self._delete(name, actor))

    async def _delete(self, name: str, actor: str) -> None:
        stamp = self._core.clock.stamp

        def work(tx: Transaction) -> None:
            newest = templates.delete(tx, name)
            audit.record(tx, stamp(), actor, "delete_template", template=f"{name}@{newest}")

        await self._database.write(work)
        log.info("template deleted", extra={"template": name})
        self._core.feed.publish(Changes(templates=True))


def _task_and_origin(tx: Transaction, task_id: int) -> tuple[TaskSpec, str]:
    """A task with its contents, and the text of its template; empty: it has none, or that is
    gone."""
    detail, contents = tasks.detail(tx, task_id), command_contents.contents_of_task(tx, task_id)
    commands = (
        command.spec.with_contents(contents.get(command.index, {})) for command in detail.commands
    )
    spec, origin = replace(detail.spec, commands=tuple(commands)), ""
    if spec.template is not None:
        with suppress(NotFoundError):
            origin = templates.detail(tx, spec.template.name, spec.template.version).text
    return spec, origin


def _store(
    tx: Transaction, asked: _Save, files: FileStore, now: int
) -> tuple[TemplateVersion, bool]:
    """Stores the next version. False: it was stored before."""
    if asked.request_id:
        known = templates.saved_by_request(tx, asked.request_id, asked.name)
        if known:
            return TemplateVersion(asked.name, known), False
    existing = templates.version_with_text(tx, asked.name, asked.text)
    version = existing or templates.insert(
        tx, asked.name, asked.text, asked.spec.description, asked.actor, now
    )
    saved = TemplateVersion(asked.name, version)
    if asked.request_id:
        templates.record_request(tx, asked.request_id, saved)
    if existing is None:
        copied = files.use(tx, asked.spec.commands)
        file_sets.name_in_template(tx, saved.name, saved.version, copied)
        audit.record(tx, now, asked.actor, "save_template", template=str(saved))
    return saved, existing is None

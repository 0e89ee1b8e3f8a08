"""Templates of the fake operator."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.fake_operator.fake_core import ACTOR, page
from tests.support.fake_operator.fake_schedules import FakeSchedules
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.lists.filter_language import fits, parse_filter
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.task_files.task_as_template import task_as_template
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_files.template import (
    TEMPLATE_FIELDS,
    TEMPLATE_SORT_COLUMNS,
    VERSIONS_SHOWN,
    SavedVersion,
    Template,
    TemplateDetail,
    TemplateVersion,
    check_template_name,
)
from tui_manager.domain.task_spec.task_spec import TaskSpec


@dataclass
class FakeTemplate:
    """The versions of a template by number; none: it was deleted, and goes on counting."""

    newest: int = 0
    versions: dict[int, tuple[str, str, SavedVersion]] = field(default_factory=dict)


class FakeTemplates(FakeSchedules):
    """Templates by name."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.templates: dict[str, FakeTemplate] = {}
        self.saves: dict[str, tuple[str, int]] = {}  # name and version by request id

    def template_text(self, name: str, version: int) -> tuple[TemplateVersion, str]:
        """See FakeSchedules."""
        template = self.templates.get(name, FakeTemplate())
        found = TemplateVersion(name, version or template.newest)
        if found.version not in template.versions:
            raise InvalidInputError("template", f"There is no template {found}.")
        return found, template.versions[found.version][0]

    # The Protocol.

    async def get_task_file(self, task_id: int) -> str:
        self._check("get_task_file")
        return self._text_of(task_id)

    async def save_template(
        self, name: str, text: str = "", task_id: int = 0, request_id: str = ""
    ) -> int:
        self._check("save_template")
        check_template_name(name)
        if bool(text) == bool(task_id):
            raise InvalidInputError("text", "Give either the text of a task file or a task.")
        text = text or self._text_of(task_id)
        description = read_task_file(text, name).spec.description
        if request_id in self.saves:
            return self._saved_before(name, request_id)
        template = self.templates.setdefault(name, FakeTemplate())
        kept = template.versions.get(template.newest)
        if kept is None or kept[0] != text:
            template.newest += 1
            saved = SavedVersion(template.newest, ACTOR, self.now())
            template.versions[template.newest] = text, description, saved
            self.record("save_template", template=f"{name}@{template.newest}")
            self.publish(Changes(templates=True))
        if request_id:
            self.saves[request_id] = name, template.newest
        return template.newest

    def _saved_before(self, name: str, request_id: str) -> int:
        before, version = self.saves[request_id]
        if before != name:
            raise IllegalMoveError(f"The request id {request_id} has saved {before}@{version}.")
        return version

    def _text_of(self, task_id: int) -> str:
        spec, origin = self._task(task_id).spec, ""
        if spec.template is not None:
            with suppress(InvalidInputError):
                origin = self.template_text(spec.template.name, spec.template.version)[1]
        return task_as_template(spec, origin)

    async def list_templates(self, window: Window) -> Page[Template]:
        self._check("list_templates")
        window.check("templates", TEMPLATE_SORT_COLUMNS)
        existing = [self._row(name) for name, one in sorted(self.templates.items()) if one.versions]
        found = [*filter(fits(parse_filter(window.text), TEMPLATE_FIELDS), existing)]
        if window.sort == "saved":
            found.sort(key=lambda row: row.saved_at)
        return page(found, window, len(existing))

    async def get_template(self, name: str, version: int = 0) -> TemplateDetail:
        self._check("get_template")
        check_template_name(name)
        row, versions = self._row(name), self.templates[name].versions
        if (version or row.version) not in versions:
            raise NotFoundError(f"There is no version {version} of the template {name}.")
        text, _, saved = versions[version or row.version]
        newest_first = [saved for _, _, saved in reversed(versions.values())][:VERSIONS_SHOWN]
        return TemplateDetail(
            row, saved.version, text, tuple(newest_first), self.schedules_using(name)
        )

    async def delete_template(self, name: str) -> None:
        self._check("delete_template")
        check_template_name(name)
        row = self._row(name)
        if used := self.schedules_using(name):
            raise IllegalMoveError(f"The template {name} cannot be deleted: {used[0]} uses it.")
        self.templates[name].versions.clear()
        self.record("delete_template", template=f"{name}@{row.version}")
        self.publish(Changes(templates=True))

    async def create_task(self, spec: TaskSpec, request_id: str = "") -> int:
        if spec.template and request_id not in self.requests:
            versions = self.templates.get(spec.template.name, FakeTemplate()).versions
            if spec.template.version not in versions:
                raise NotFoundError(f"There is no template {spec.template}.")
        return await super().create_task(spec, request_id)

    def _row(self, name: str) -> Template:
        template = self.templates.get(name, FakeTemplate())
        if not template.versions:
            raise NotFoundError(f"There is no template {name}.")
        _, description, saved = template.versions[template.newest]
        return Template(
            name, template.newest, description, saved.saved_by, saved.saved_at,
            len(self.schedules_using(name)),
        )  # fmt: skip

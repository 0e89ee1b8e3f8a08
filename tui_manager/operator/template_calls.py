"""The part of the operator's API that is about task files and templates; see `api.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui_manager.domain.lists.list_window import Page, Window
    from tui_manager.domain.task_files.template import Template, TemplateDetail


class TemplateCalls(Protocol):
    """What an operator can see of task files and templates, and do with them."""

    async def get_task_file(self, task_id: int) -> str:
        """A task as the text of a task file (TOML) with its scripts in it, which makes the same
        task again. Its parameters have their values as defaults; its secrets are named only.
        InvalidInputError if a task file cannot say what is in the task; NotFoundError."""
        ...

    async def save_template(
        self, name: str, text: str = "", task_id: int = 0, request_id: str = ""
    ) -> int:
        """Stores a task file with its scripts in it, or a task as one, as the next version of a
        template, and returns its number. If the newest version has the same text, it is that one.
        The same `request_id`, a UUID, returns the same version.

        InvalidInputError for a name, or a task file, that is wrong; NotFoundError when there is no
        such task; IllegalMoveError when the request id is that of another template.
        """
        ...

    async def list_templates(self, window: Window) -> Page[Template]:
        """Templates by name. `text` matches name and description; sort: name, saved."""
        ...

    async def get_template(self, name: str, version: int = 0) -> TemplateDetail:
        """One version of a template with its text; 0: the newest. NotFoundError."""
        ...

    async def delete_template(self, name: str) -> None:
        """Deletes a template with all its versions. Tasks that were made from it keep its name. A
        template of this name that is saved later counts on. NotFoundError; IllegalMoveError while
        a schedule uses it."""
        ...

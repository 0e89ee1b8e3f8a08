"""Reads a template as a task that it makes. A file of its own, because only few commands need what
it imports."""

from dataclasses import replace

from tui_manager.domain.task_files.task_file import TaskFile, read_task_file
from tui_manager.domain.task_spec.template_version import TemplateVersion
from tui_manager.operator.api import Operator


async def read_template(operator: Operator, name: str, version: int = 0) -> TaskFile:
    """The task and the parameters of a version of a template; 0: of the newest. NotFoundError."""
    detail = await operator.get_template(name, version)
    made_from = TemplateVersion(detail.template.name, detail.version)
    task_file = read_task_file(detail.text, str(made_from))
    return replace(task_file, spec=replace(task_file.spec, template=made_from))

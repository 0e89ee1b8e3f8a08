"""The client of scripts and of the commands: connects to a manager, and does what operators do. It
needs nothing of the screen, the services or the database. `docs/python.md` describes it.

Each name is imported when it is first used, because a command needs few of them and must start
fast."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_manager.client.connection import connect
    from tui_manager.client.manager import Manager
    from tui_manager.client.output_lines import OutputLine
    from tui_manager.client.task_handle import TaskHandle, TaskResult
    from tui_manager.client.task_options import TaskOptions
    from tui_manager.domain.errors import (
        IllegalMoveError,
        InvalidInputError,
        ManagerError,
        NoAnswerError,
        NotFoundError,
        StorageError,
        UnreachableError,
    )
    from tui_manager.domain.hosts.host import Host, HostDetail
    from tui_manager.domain.ids import new_request_id
    from tui_manager.domain.lists.task_filter_and_sort import TaskFilter
    from tui_manager.domain.manager.manager_status import ManagerStatus
    from tui_manager.domain.schedules.schedule import Schedule
    from tui_manager.domain.status import (
        Admission,
        CommandHostStatus,
        Reason,
        Stream,
        TaskStatus,
    )
    from tui_manager.domain.targets.target_preview import TargetPreview
    from tui_manager.domain.task_files.template import Template, TemplateDetail
    from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
    from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
    from tui_manager.domain.tasks.host_class import HostClass
    from tui_manager.domain.tasks.task import (
        CommandHost,
        Counts,
        OutputChunk,
        Progress,
        Task,
        TaskDetail,
    )
    from tui_manager.domain.text.safe_text import safe_text
    from tui_manager.operator.api import Operator
else:

    def __getattr__(name: str) -> object:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"tui_manager.{module}"), name)
        return value


_NAMES = {
    "client.connection": ("connect",),
    "client.manager": ("Manager",),
    "client.output_lines": ("OutputLine",),
    "client.task_handle": ("TaskHandle", "TaskResult"),
    "client.task_options": ("TaskOptions",),
    "domain.errors": (
        "IllegalMoveError",
        "InvalidInputError",
        "ManagerError",
        "NoAnswerError",
        "NotFoundError",
        "StorageError",
        "UnreachableError",
    ),
    "domain.hosts.host": ("Host", "HostDetail"),
    "domain.tasks.host_class": ("HostClass",),
    "domain.ids": ("new_request_id",),
    "domain.manager.manager_status": ("ManagerStatus",),
    "domain.task_spec.rollout_spec": ("RolloutSpec",),
    "domain.text.safe_text": ("safe_text",),
    "domain.schedules.schedule": ("Schedule",),
    "domain.status": ("Admission", "CommandHostStatus", "Reason", "Stream", "TaskStatus"),
    "domain.targets.target_preview": ("TargetPreview",),
    "domain.tasks.task": (
        "CommandHost",
        "Counts",
        "OutputChunk",
        "Progress",
        "Task",
        "TaskDetail",
    ),
    "domain.lists.task_filter_and_sort": ("TaskFilter",),
    "domain.task_spec.task_spec": ("CommandSpec", "TaskSpec"),
    "domain.task_files.template": ("Template", "TemplateDetail"),
    "operator.api": ("Operator",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "Admission",
    "CommandHost",
    "CommandHostStatus",
    "CommandSpec",
    "Counts",
    "Host",
    "HostClass",
    "HostDetail",
    "IllegalMoveError",
    "InvalidInputError",
    "Manager",
    "ManagerError",
    "ManagerStatus",
    "NoAnswerError",
    "NotFoundError",
    "Operator",
    "OutputChunk",
    "OutputLine",
    "Progress",
    "Reason",
    "RolloutSpec",
    "Schedule",
    "StorageError",
    "Stream",
    "TargetPreview",
    "Task",
    "TaskDetail",
    "TaskFilter",
    "TaskHandle",
    "TaskOptions",
    "TaskResult",
    "TaskSpec",
    "TaskStatus",
    "Template",
    "TemplateDetail",
    "UnreachableError",
    "connect",
    "new_request_id",
    "safe_text",
]

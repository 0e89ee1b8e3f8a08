"""Conversion of the operator's API between wire and domain, in both directions: `x_to_wire` beside
`x_from_wire`.

Each file is imported when it is first used, because a command needs few of them and must start
fast."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_manager.operator.conversion import convert_files as convert_files
    from tui_manager.operator.conversion import convert_host as convert_host
    from tui_manager.operator.conversion import convert_manager as convert_manager
    from tui_manager.operator.conversion import convert_notification as convert_notification
    from tui_manager.operator.conversion import convert_output as convert_output
    from tui_manager.operator.conversion import convert_rollout as convert_rollout
    from tui_manager.operator.conversion import convert_schedule as convert_schedule
    from tui_manager.operator.conversion import convert_security as convert_security
    from tui_manager.operator.conversion import convert_spec as convert_spec
    from tui_manager.operator.conversion import convert_task as convert_task
    from tui_manager.operator.conversion import convert_task_overview as convert_task_overview
    from tui_manager.operator.conversion import convert_values as convert_values
else:

    def __getattr__(name: str) -> ModuleType:
        if not name.startswith("convert_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")

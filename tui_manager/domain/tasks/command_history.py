"""The commands that were typed before. Pure. A file of its own, because storage, wire and forms
share it."""

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.tasks.task import Task

HISTORY_TASKS = 2000  # the newest ones, whose commands are looked at
HISTORY_LIMIT = 200  # commands of one answer
COMMAND_LENGTH = 10_000  # characters; longer ones are not part of the history


@dataclass(frozen=True, slots=True)
class PastCommand:
    """A command that a task of one step had.

    Attributes:
        text: shell text.
        task: the newest one with this command.
    """

    text: str
    task: Task

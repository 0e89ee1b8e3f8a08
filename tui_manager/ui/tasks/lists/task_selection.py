"""What the two lists of tasks on the dashboard share: together they have one selected task. What a
row of them shows is in their own files."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual.message import Message

from tui_manager.domain.lists.list_window import Row
from tui_manager.ui.tasks.lists.shared_task_columns import TaskSummaryTable


class TaskPickTable(TaskSummaryTable[Row]):
    """A list of tasks of which one may be selected, or none while the other list has it."""

    @dataclass
    class Picked(Message):
        """The operator has moved the cursor to another task."""

        rows: "TaskPickTable[Any]"

        @property
        def control(self) -> "TaskPickTable[Any]":
            """The list."""
            return self.rows

    @dataclass
    class Listed(Message):
        """The list was read."""

        rows: "TaskPickTable[Any]"

        @property
        def control(self) -> "TaskPickTable[Any]":
            """The list."""
            return self.rows

        def can_replace(self, message: Message) -> bool:
            """One message is enough: its handler looks at the list as it is now."""
            return isinstance(message, TaskPickTable.Listed) and message.rows is self.rows

    def go_to(self, number: int) -> None:
        if not self.loaded:
            self.post_message(self.Picked(self))
        super().go_to(number)

    def _moved(self, changed: bool) -> None:
        super()._moved(changed)
        if changed:
            self.post_message(self.Picked(self))

    def _show_changes(self, reveal: bool) -> None:
        super()._show_changes(reveal)
        self.post_message(self.Listed(self))


def clock_text(moment: datetime, now: datetime) -> str:
    """The time of today, `22:58`; the date of another day, `26 Nov`, or `2025` of another year."""
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == now.year else f"{local:%Y}"

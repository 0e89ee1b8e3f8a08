"""Earlier commands in the form for a new task: which one is shown, and how it went. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.command_history import PastCommand
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.number_format import count_of, running_time
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.ui.drawing.spans import shorten
from tui_manager.ui.forms.text_area_limits import can_hold_command

_TARGET_WIDTH = 24  # cells


class CommandRecall:
    """Walks through earlier commands. Before the newest one is what was typed."""

    def __init__(self) -> None:
        self._commands: Sequence[PastCommand] = ()
        self._place = -1  # in these; -1: what was typed
        self._draft = ("", "")

    def fill(self, commands: Sequence[PastCommand]) -> None:
        """These are the commands, the newest first. Those that the field cannot keep are left
        out."""
        self._commands = [one for one in commands if can_hold_command(one.text)]

    def find(self, text: str) -> PastCommand | None:
        """The newest task with exactly this command."""
        return next((one for one in self._commands if one.text == text), None)

    def move(self, step: int, command: str, target: str) -> tuple[str, str] | None:
        """The command and the target to show in place of these; None: there is none further.

        A target that was typed stays.

        Args:
            step: 1 for an older command, -1 for a newer one.
        """
        if self._place < 0 or command != self._commands[self._place].text:
            self._place, self._draft = -1, (command, target)  # it was typed in
        place = self._place + step
        while 0 <= place < len(self._commands) and self._commands[place].text == command:
            place += step
        if place >= len(self._commands) or (self._place < 0 and step < 0):
            return None
        self._place = max(-1, place)
        if self._place < 0:
            return self._draft
        past = self._commands[self._place]
        return past.text, self._draft[1] or past.task.target


def last_run(task: Task, now: datetime, target: str) -> str:
    """`last run yesterday 16:20 on 14 hosts: 0:52, 2 failed`.

    Args:
        target: that is typed now; another one of the task is named.
    """
    began = task.started_at or task.created_at
    when = day_words(began.astimezone(now.tzinfo), now)
    if task.started_at is None:
        return f"typed {when} in task {task.task_id}, which has not started"
    where = f"on {count_of(task.host_count, 'host')}"
    other = "" if target.strip() in ("", task.target) else f"   target {_short(task.target)}"
    failed = f", {task.hosts_failed:,} failed" if task.hosts_failed else ""
    if task.finished_at is None:
        return f"runs since {when} {where}{failed}{other}"
    took = running_time(task.finished_at - task.started_at)
    return f"last run {when} {where}: {took}{failed}{_end(task)}{other}"


def _short(target: str) -> str:
    return shorten(safe_line(target), _TARGET_WIDTH)


def _end(task: Task) -> str:
    if task.status is TaskStatus.COMPLETED:
        return ", all completed"
    if task.status is TaskStatus.CANCELED:
        return ", canceled"
    return "" if task.hosts_failed else ", not all completed"


def day_words(moment: datetime, now: datetime) -> str:
    """`today 16:20`, `yesterday 16:20`, `3 Nov`, `3 Nov 2025`."""
    day, today = moment.date(), now.date()
    if day == today:
        return f"today {moment:%H:%M}"
    if day == today - timedelta(days=1):
        return f"yesterday {moment:%H:%M}"
    return f"{day.day} {day:%b}" + (f" {day.year}" if day.year != today.year else "")

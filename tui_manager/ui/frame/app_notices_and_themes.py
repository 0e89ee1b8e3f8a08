"""The part of the app that shows the operator what has happened: notices, calls when a long task
has ended, and the themes."""

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual import work
from textual.notifications import Notification, Notify

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.tasks.task import Task
from tui_manager.domain.text.safe_text import safe_text
from tui_manager.ui.drawing.theme import DARK, THEMES
from tui_manager.ui.frame.ended_long_tasks import EndedLongTasks, end_text
from tui_manager.ui.frame.notices_screen import Notice, Notices, NoticesScreen
from tui_manager.ui.manager_link import CallFailed, Link
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.preferences import NotifyMode, Preferences, ThemeName
from tui_manager.ui.terminal.bell_and_desktop_notification import BELL, notification
from tui_manager.ui.terminal.open_screens_once import OpenScreensOnceApp
from tui_manager.ui.terminal.terminal_driver import TerminalDriver

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

_LEAST = 0.001  # seconds that a timer gets


@dataclass
class ShownNotice(Notification):
    """A notice on the screen. It goes by a clock that nobody sets, and its time is never negative:
    Textual gives it to a timer, and with a negative time that timer runs for ever and stops the
    app. It is negative if a notice expires just before another screen shows it."""

    raised_at: float = field(default_factory=time.monotonic)

    @property
    def time_left(self) -> float:
        """Seconds, more than 0."""
        return max(self._ends_at - time.monotonic(), _LEAST)

    @property
    def has_expired(self) -> bool:
        """Whether it is to be shown no more."""
        return self._ends_at <= time.monotonic()

    @property
    def _ends_at(self) -> float:
        return self.raised_at + self.timeout


class NotifyingApp(OpenScreensOnceApp, inherit_bindings=False):
    """Keeps what was shown, and says when a long task has ended.

    Args:
        link: the connection to the manager.
        preferences: what the operator has set.
    """

    def __init__(self, link: Link, preferences: Preferences) -> None:
        super().__init__()
        self.link = link
        self.preferences = preferences
        self.shown_notices = Notices()
        self._theme_name = preferences.theme
        self._ended_long_tasks = EndedLongTasks(preferences.notify_after)
        self._ends_reader = PacedReader(self._say_ends)
        self._set_first_theme()

    # Themes.

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables that only our themes have. They are needed before a theme is set."""
        return dict(DARK.variables)

    def _set_first_theme(self) -> None:
        """Sets the theme of the settings. Without colours it is the one whose focus and cursor
        need none."""
        for theme in THEMES.values():
            self.register_theme(theme)
        if self.no_color:
            self._theme_name = ThemeName.TERMINAL
        self.begin_with_theme(THEMES[self._theme_name].name)

    def action_theme(self) -> None:
        """The next theme."""
        if self.no_color:
            self.notify("NO_COLOR is set: there are no colours to change.", markup=False)
            return
        names = list(ThemeName)
        self._theme_name = names[(names.index(self._theme_name) + 1) % len(names)]
        self.theme = THEMES[self._theme_name].name

    # Notices.

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: "SeverityLevel" = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Shows a notice, and keeps it. It can quote a text of a host or of another operator."""
        message, title = safe_text(message), safe_text(title)
        self.shown_notices.add(Notice(self.link.now(), severity, message))
        seconds = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        self.post_message(Notify(ShownNotice(message, title, severity, seconds, markup)))

    async def action_notices(self) -> None:
        """The notices that were shown."""
        self.clear_notifications()  # they would hide the list
        kept = self.shown_notices.newest_first()
        await self.push_screen(NoticesScreen(kept, self.link.now()))

    # Tasks that have ended.

    def look_for_ended_tasks(self) -> None:
        """Called when tasks have changed."""
        if self._ends_reader.request():
            self._look_for_ended_tasks()

    @work(group="ends")
    async def _look_for_ended_tasks(self) -> None:
        try:
            await self._ends_reader.run()
        except ManagerError as error:
            self.post_message(CallFailed(error))

    async def _say_ends(self) -> None:
        for task in await self._ended_long_tasks.find(self.link.operator):
            self._say_end(task)

    def _say_end(self, task: Task) -> None:
        text, failed = end_text(task), task.status is TaskStatus.FAILED
        self.notify(text, severity="error" if failed else "information", markup=False)
        match self.preferences.notify:
            case NotifyMode.BELL:
                self.call_operator(BELL)
            case NotifyMode.TERMINAL:
                self.call_operator(notification(text, os.environ))

    def call_operator(self, sequence: str) -> None:
        """Writes a sequence to the terminal, unless another program uses it now."""
        if isinstance(self.driver, TerminalDriver):
            self.driver.write_if_in_use(sequence)

"""The app: opens the operator, tells the screens what changed, and opens screens and forms."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.events import Event, Key
from textual.message import Message
from textual.screen import Screen

from tui_manager.domain.errors import ManagerError, StorageError, UnreachableError
from tui_manager.domain.manager.changes import Changes
from tui_manager.ui.action import ScreenName
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.confirm import ConfirmScreen
from tui_manager.ui.forms.files.copy_and_fetch_fields import TaskKind
from tui_manager.ui.forms.files.copy_form import FetchMade
from tui_manager.ui.forms.hosts.join_token import ask_for_join_token
from tui_manager.ui.forms.new_task.new_task import NewTaskScreen
from tui_manager.ui.forms.questions import GOES_ON, quit_question
from tui_manager.ui.frame.app_notices_and_themes import NotifyingApp
from tui_manager.ui.frame.help import HelpScreen
from tui_manager.ui.frame.main_screen import EVERYTHING, MainScreen
from tui_manager.ui.frame.palette import ManagerPalette, ManagerProvider
from tui_manager.ui.hosts.host_screen import HostScreen
from tui_manager.ui.hosts.hosts_screen import HostsScreen
from tui_manager.ui.hosts.target_of_new_task import target_of_new_task
from tui_manager.ui.manager.manager_screen import ManagerScreen
from tui_manager.ui.manager_link import CallFailed, Feed, Link, ManagerChanged, OpenOperator
from tui_manager.ui.paced_reader import PacedReader
from tui_manager.ui.preferences import Preferences
from tui_manager.ui.schedules.schedules_screen import SchedulesScreen
from tui_manager.ui.tasks.lists.tasks_screen import TasksScreen
from tui_manager.ui.tasks.one_task.task_screen import TaskScreen
from tui_manager.ui.tasks.save_fetched_at_end import FetchSaver
from tui_manager.ui.terminal.closable import is_open
from tui_manager.ui.terminal.input.typed_ahead import TypedAhead
from tui_manager.ui.terminal.terminal_driver import BackgroundError


class ChangesPending(Message, bubble=False):
    """Something has changed. The feed knows what."""

    def can_replace(self, message: Message) -> bool:
        """One message is enough for all changes in the feed."""
        return isinstance(message, ChangesPending)


def local_now() -> datetime:
    """The time here."""
    return datetime.now(UTC).astimezone()


REPEAT_ERROR_AFTER = 10.0  # seconds until an error that goes on is shown again


class DashboardApp(NotifyingApp, inherit_bindings=False):
    """The dashboard.

    Args:
        open_operator: opened on the app's loop when it starts, closed when it ends.
        joined: the manager runs in another process, and does not end with the app.
        quit_text: a sentence that says what ends with the dashboard.
        notice: a line that the screen shows until it is dismissed.
        preferences: what the operator has set.
        state_dir: the manager's, for command lines; empty: the one that programs use by themselves.
        now: the clock.
        place: who works where, `ops@m1`, for the header.
    """

    TITLE = "tui-manager"
    CSS_PATH = "app.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ManagerProvider}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "say_how_to_quit", show=False)]
    DEFAULT_MODE = ScreenName.DASHBOARD
    ENABLE_COMMAND_PALETTE = False  # a key of the table opens it
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 (not a ClassVar there)

    def __init__(
        self,
        open_operator: OpenOperator,
        *,
        joined: bool = False,
        quit_text: str = "",
        notice: str = "",
        preferences: Preferences | None = None,
        state_dir: str = "",
        now: Callable[[], datetime] = local_now,
        place: str = "",
    ) -> None:
        preferences = preferences or Preferences()
        link = Link(
            now=now,
            joined=joined,
            notice=notice,
            keys=preferences.keys,
            state_dir=state_dir,
            place=place,
        )
        super().__init__(link, preferences)
        self._quit_text = quit_text
        self.feed = Feed(open_operator, self.link, self._changes_waiting)
        self._watcher: asyncio.Task[None] | None = None
        self._last_error = ""
        self._status_stale = self._status_reading = False
        self._read_failed = False  # screens read everything again when the manager answers
        self._fetch_saver = FetchSaver()
        self._fetch_reader = PacedReader(self._save_fetched)
        self._typed_ahead = TypedAhead(self, super().on_event)
        for place, screen in (
            (ScreenName.DASHBOARD, DashboardScreen),
            (ScreenName.HOSTS, HostsScreen),
            (ScreenName.TASKS, TasksScreen),
            (ScreenName.MANAGER, ManagerScreen),
            (ScreenName.SCHEDULES, SchedulesScreen),
        ):
            self.add_mode(place, lambda screen=screen: screen(self.link))  # type: ignore[misc]

    def on_mount(self) -> None:
        """Opens the operator beside the dashboard."""
        # After the first paint: if the operator cannot be opened, the app ends in order.
        self.call_after_refresh(self._start_watching)

    def _start_watching(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def on_unmount(self) -> None:
        """Closes the operator."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])

    async def _watch(self) -> None:
        try:
            await self.feed.run()
        except ManagerError as error:
            self.exit(return_code=1, message=str(error))
        except Exception as error:
            self.post_message(BackgroundError(error))

    # Changes.

    def _changes_waiting(self) -> None:
        self.post_message(ChangesPending())

    @on(ChangesPending)
    def _publish_changes(self) -> None:
        changes = self.feed.take()
        self._notify_screens(changes)
        if changes.tasks or changes.all_tasks:
            self.look_for_ended_tasks()
            self._save_fetched_files()
        if changes.manager or changes.hosts or changes.all_tasks:
            self._status_stale = True
            if not self._status_reading:
                self._status_reading = True
                self._read_status()

    def _notify_screens(self, changes: Changes) -> None:
        for screen in self.screen_stack:
            screen.post_message(ManagerChanged(changes))

    @work(group="status")
    async def _read_status(self) -> None:
        try:
            while self._status_stale:
                self._status_stale = False
                self.link.status = await self.link.operator.manager_status()
                self._notify_screens(EVERYTHING if self._read_failed else Changes(manager=True))
                self._read_failed = False
        except ManagerError as error:
            self.post_message(CallFailed(error))
        finally:
            self._status_reading = False

    # Fetched files.

    @on(FetchMade)
    def _follow_fetch(self, message: FetchMade) -> None:
        self._fetch_saver.follow(message.task_id, message.folder)
        self._save_fetched_files()

    def _save_fetched_files(self) -> None:
        if self._fetch_saver.waits and self._fetch_reader.request():
            self._run_fetch_reader()

    @work(group="fetched")
    async def _run_fetch_reader(self) -> None:
        try:
            await self._fetch_reader.run()
        except ManagerError as error:
            self.post_message(CallFailed(error))

    async def _save_fetched(self) -> None:
        async for text, wrong in self._fetch_saver.save_ended(self.link.operator):
            self.notify(text, severity="warning" if wrong else "information", markup=False)

    @on(CallFailed)
    def _show_error(self, message: CallFailed) -> None:
        """Shows an error once, and not at every refresh. The header shows what lasts."""
        self._read_failed |= isinstance(message.error, StorageError | UnreachableError)
        text = str(message.error)
        if text != self._last_error and not self.link.trouble:
            self._last_error = text
            self.notify(text, severity="error", markup=False)
            self.set_timer(REPEAT_ERROR_AFTER, self._forget_error)

    def _forget_error(self) -> None:
        self._last_error = ""

    async def on_event(self, event: Event) -> None:
        """Handles keys, pastes and clicks in the order in which they came."""
        await self._typed_ahead.handle(event)

    def on_unbound_key(self, key: str) -> None:
        """Says what the key does elsewhere."""
        if isinstance(self.screen, MainScreen):
            self.screen.say_use_elsewhere(key)

    def simulate_key(self, key: str) -> None:
        """A click in the footer presses its key. It comes before keys that were typed later."""
        self.call_later(self._typed_ahead.handle_first, Key(key, None))

    # Screens.

    async def _show(self, place: ScreenName) -> Screen[Any]:
        """Shows the first screen of a mode, and closes those above it."""
        await self.switch_mode(place)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        return self.screen

    async def action_show_dashboard(self) -> None:
        """Hosts, tasks and live output."""
        await self._show(ScreenName.DASHBOARD)

    async def action_show_hosts(self) -> None:
        """All hosts."""
        await self._show(ScreenName.HOSTS)

    async def action_show_tasks(self) -> None:
        """All tasks."""
        await self._show(ScreenName.TASKS)

    async def action_show_manager(self) -> None:
        """What needs attention, and figures."""
        await self._show(ScreenName.MANAGER)

    async def action_show_schedules(self) -> None:
        """Templates and schedules."""
        await self._show(ScreenName.SCHEDULES)

    async def action_open_task(self, task_id: int) -> None:
        """The screen of a task."""
        await self.push_screen(TaskScreen(self.link, task_id))

    async def action_open_host(self, host_id: str) -> None:
        """The screen of a host."""
        await self.push_screen(HostScreen(self.link, host_id))

    async def action_show_hosts_that(self, text: str) -> None:
        """The hosts that pass a filter."""
        screen = await self._show(ScreenName.HOSTS)
        if isinstance(screen, HostsScreen):
            screen.hosts.filter_by(text)

    async def action_open_template(self, name: str) -> None:
        """A template, on the screen of templates and schedules."""
        screen = await self._show(ScreenName.SCHEDULES)
        if isinstance(screen, SchedulesScreen):
            screen.show_pane(screen.templates)
            screen.templates.find(name)

    async def action_open_schedule(self, name: str) -> None:
        """A schedule, on the screen of templates and schedules."""
        screen = await self._show(ScreenName.SCHEDULES)
        if isinstance(screen, SchedulesScreen):
            screen.show_pane(screen.schedules)
            screen.schedules.find(name)

    # Actions.

    async def action_new_task(self) -> None:
        """The form, with the marked or filtered hosts as its target."""
        await self._open_form(TaskKind.COMMAND)

    async def action_copy_files(self) -> None:
        """The same form, for files of this machine that hosts get."""
        await self._open_form(TaskKind.COPY)

    async def action_fetch_files(self) -> None:
        """The same form, for files of hosts."""
        await self._open_form(TaskKind.FETCH)

    async def _open_form(self, kind: TaskKind) -> None:
        screen = self.screen

        def created(task_id: int | None) -> None:
            if task_id is not None and isinstance(screen, MainScreen):
                screen.task_created(task_id)

        target = ""
        if isinstance(screen, MainScreen):
            if not await screen.find_marks() or screen.refuse_hidden_marks():
                return
            try:
                target = await target_of_new_task(screen)
            except ManagerError as error:
                self.post_message(CallFailed(error))
                return
            if not is_open(screen):
                return
        await self.push_screen(NewTaskScreen(self.link, target, kind=kind), created)

    async def action_join_token(self) -> None:
        """The form, and then, once, the line to paste on a host."""
        await ask_for_join_token(self, self.link)

    async def action_palette(self) -> None:
        """Commands, hosts and tasks by name."""
        await self.push_screen(ManagerPalette(placeholder="An action, a host, a task, a template…"))

    async def action_help(self) -> None:
        """All keys."""
        pane = self.screen.focused_pane if isinstance(self.screen, MainScreen) else None
        await self.push_screen(HelpScreen(self.link.keys, pane))

    def action_say_how_to_quit(self) -> None:
        """Ctrl+c ends other programs. Here it shows which key quits."""
        self.notify("q quits.", markup=False)

    async def action_quit(self) -> None:
        """Asks first if a task runs."""
        self._quit()

    @work(group="quit", exclusive=True)
    async def _quit(self) -> None:
        question = quit_question(self.link, self._quit_text)
        if question is None or await self.push_screen_wait(ConfirmScreen(question)):
            self.exit(message=GOES_ON if self.link.joined else None)

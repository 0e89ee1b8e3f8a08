"""The palette: finds actions of the screen, hosts and tasks by name."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.actions import ActionParseResult
from textual.command import CommandList, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Input
from textual.worker import Worker, WorkerCancelled

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.list_filter import quote
from tui_manager.domain.list_window import Window
from tui_manager.domain.safe_text import safe_line
from tui_manager.ui.drawing.state_words_and_colours import host_glyph, task_glyph
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.key_bindings import Action, actions_of, open_host, open_task
from tui_manager.ui.terminal.closable import ClosableScreen, while_open
from tui_manager.ui.terminal.textual_internals import SEARCH_GROUP, HookedPalette

if TYPE_CHECKING:
    from tui_manager.ui.manager_link import Link

_FOUND = 8  # hosts, and tasks, that are offered
_ENTER = "enter"  # group of the worker that waits to choose
_TEXT_SCORE = 0.1  # of an action that has the text in its help only
_NAME_SCORE = 0.2  # of a host or task that is found by its label or target


class ManagerPalette(HookedPalette, ClosableScreen[None]):
    """A palette in which enter waits until the search for all that is typed has ended."""

    @on(Input.Submitted)
    def _find_first(self, event: Input.Submitted) -> None:
        working = [w for w in self.workers if w.node is self and not w.is_finished]
        if working:
            event.stop()
            event.prevent_default()
            if not any(worker.group == _ENTER for worker in working):
                self._submit_after(working)

    @while_open(SEARCH_GROUP, exclusive=True)
    async def search(self, text: str) -> None:
        """It looks for its widgets when it starts, and they may be gone by then."""
        await self.find_commands(text)

    def list_takes_keys(self) -> bool:
        """Not before it is laid out: it would look for lines that it does not have."""
        return bool(self.query_one(CommandList).scrollable_content_region)

    @while_open(_ENTER)
    async def _submit_after(self, searches: Sequence[Worker[Any]]) -> None:
        try:
            for search in searches:
                await search.wait()
        except WorkerCancelled:  # more was typed, or the palette was closed
            return
        self.call_later(self.query_one(Input).action_submit)


class ManagerProvider(Provider):
    """What the palette offers on a screen of the manager."""

    @property
    def _actions(self) -> tuple[Action, ...]:
        screen = self.screen
        offered = actions_of(screen.SCREEN) if isinstance(screen, MainScreen) else ()
        return tuple(action for action in offered if action.id != "palette")

    async def discover(self) -> Hits:
        """Everything that the screen can do."""
        for action in self._actions:
            label = self._label(action)
            shown = Content(f"{label}  ({action.shown})")
            yield DiscoveryHit(shown, self._run(action), label, action.text)

    async def search(self, query: str) -> Hits:
        """Actions by their words; hosts and tasks by their names."""
        matcher = self.matcher(query)
        for action in self._actions:
            label = self._label(action)
            score = matcher.match(label)
            if not score and query.casefold() in action.text.casefold():
                score = _TEXT_SCORE
            if score > 0:
                shown = Content(f"{label}  ({action.shown})")
                yield Hit(score, shown, self._run(action), label, action.text)
        if not isinstance(self.screen, MainScreen):
            return
        link: Link = self.screen.link
        try:
            hosts = await link.operator.list_hosts(Window(text=quote(query), limit=_FOUND))
            tasks = await link.operator.list_tasks(Window(text=quote(query), limit=_FOUND))
        except ManagerError:
            return  # the header shows it
        for host in hosts.rows:
            text = f"{host_glyph(host).text} {safe_line(host.name)}"
            score = matcher.match(safe_line(host.name)) or _NAME_SCORE
            yield Hit(score, Content(text), self._open(open_host(host.host_id)),
                      text, "Go to this host")  # fmt: skip
        for task in tasks.rows:
            text = f"{task_glyph(task).text} #{task.task_id} {safe_line(task.name)}"
            score = matcher.match(safe_line(task.name)) or _NAME_SCORE
            yield Hit(score, Content(text), self._open(open_task(task.task_id)),
                      text, "Open this task")  # fmt: skip

    def _label(self, action: Action) -> str:
        screen = self.screen
        return screen.label_of(action) if isinstance(screen, MainScreen) else action.label

    def _run(self, action: Action) -> Callable[[], object]:
        screen, app = self.screen, self.app

        async def run() -> None:
            await app.run_action(action.id, app if action.of_app else screen)

        return run

    def _open(self, action: ActionParseResult) -> Callable[[], object]:
        app = self.app

        async def run() -> None:
            await app.run_action(action)

        return run

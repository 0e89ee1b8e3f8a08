"""The palette: finds actions and items by their names and by other words."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from textual import on
from textual.actions import ActionParseResult
from textual.command import CommandList, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Input
from textual.worker import Worker, WorkerCancelled

from tui_manager.domain.errors import InvalidInputError, ManagerError
from tui_manager.domain.lists.filter_language import parse_filter, quote
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import TASK_KEYS
from tui_manager.domain.text.safe_text import safe_line
from tui_manager.operator.api import Operator
from tui_manager.ui.action import Action
from tui_manager.ui.action_table import ACTIONS, BY_ID
from tui_manager.ui.drawing.state_words_and_colours import host_glyph, task_glyph
from tui_manager.ui.frame.key_footer import SHOWS
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.key_bindings import (
    actions_of,
    open_host,
    open_schedule,
    open_task,
    open_template,
)
from tui_manager.ui.terminal.closable import ClosableScreen, while_open
from tui_manager.ui.terminal.textual_internals import SEARCH_GROUP, HookedPalette

_FOUND = 8  # hosts, and tasks, that are offered
_ENTER = "enter"  # group of the worker that waits to choose
_WORD_SCORE = 0.9  # of an action that is found by another word for it
_WORD_BEGIN_SCORE = 0.7  # by the beginning of such a word
_TEXT_SCORE = 0.1  # by its sentence only
_NAME_SCORE = 0.2  # of a host, task, template or schedule that is found by something else
_ELSEWHERE = 0.4  # the part of its score that an action of another screen keeps
_FUZZY = 0.6  # the part of Textual's score, 0 to 1 or a little more, that letters in a row get


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

    def list_accepts(self, action: str) -> bool:
        """A move by a page needs the lines of the list, which it has when it is laid out."""
        by_lines = action in ("page_up", "page_down")
        return not by_lines or bool(self.query_one(CommandList).scrollable_content_region)

    @while_open(_ENTER)
    async def _submit_after(self, searches: Sequence[Worker[Any]]) -> None:
        try:
            for search in searches:
                await search.wait()
        except WorkerCancelled:  # more was typed, or the palette was closed
            return
        self.call_later(self.query_one(Input).action_submit)


def words_score(action: Action, label: str, query: str) -> float:
    """How well an action fits what was typed, from 0 to 1. Other words for it count nearly as much
    as its own, the sentence of its help little."""
    query = query.casefold().strip()
    if not query:
        return 0.0
    if label.casefold().startswith(query) or action.label.casefold().startswith(query):
        return 1.0
    phrases = (*action.words, label.casefold())
    words = [word for phrase in phrases for word in (phrase, *phrase.split())]
    if query in words:
        return _WORD_SCORE
    if any(word.startswith(query) for word in words):
        return _WORD_BEGIN_SCORE
    return _TEXT_SCORE if query in action.text.casefold() else 0.0


def _is_filter(query: str, keys: Collection[str]) -> bool:
    """Whether what was typed is a filter with at least one of the keys of a list, `by=ana`."""
    try:
        found = {term.key for term in parse_filter(query) if term.key}
    except InvalidInputError:
        return False
    return bool(found) and found <= {*keys}


class ManagerProvider(Provider):
    """What the palette offers on a screen of the manager."""

    @property
    def _actions(self) -> tuple[Action, ...]:
        screen = self.screen
        if not isinstance(screen, MainScreen):
            return ()
        return tuple(
            action
            for action in actions_of(screen.SCREEN)
            if action.id != "palette" and screen.check_action(action.id, ())
        )

    @property
    def _elsewhere(self) -> Iterable[tuple[Action, Action]]:
        """Actions of other screens, each with the action that shows such a screen."""
        here = self.screen.SCREEN if isinstance(self.screen, MainScreen) else None
        for action in ACTIONS if here else ():
            if here not in action.screens:
                shows = [SHOWS[place] for place in SHOWS if place in action.screens]
                yield action, BY_ID[shows[-1] if shows else "show_tasks"]

    async def discover(self) -> Hits:
        """Everything that the screen can do."""
        for action in self._actions:
            label = self._label(action)
            shown = Content(f"{label}  ({self._keys(action)})")
            yield DiscoveryHit(shown, self._run(action), label, action.text)

    async def search(self, query: str) -> Hits:
        """Actions by their words; hosts, tasks, templates and schedules by their names."""
        for hit in self._found_actions(query):
            yield hit
        if isinstance(self.screen, MainScreen):
            for find in (self._hosts, self._tasks, self._templates, self._schedules):
                try:
                    hits = await find(self.screen.link.operator, query)
                except ManagerError:
                    return  # the header shows it
                for hit in hits:
                    yield hit

    def _found_actions(self, query: str) -> Iterable[Hit]:
        matcher = self.matcher(query)
        for action in self._actions:
            label = self._label(action)
            score = words_score(action, label, query) or matcher.match(label) * _FUZZY
            if score > 0:
                shown = Content(f"{label}  ({self._keys(action)})")
                yield Hit(score, shown, self._run(action), label, action.text)
        for action, shows in self._elsewhere:
            score = words_score(action, action.label, query) * _ELSEWHERE
            if score > 0:
                shown = Content(f"{action.label}  (in {shows.label}: {self._keys(action)})")
                text = f"Goes to {shows.label}. {action.text}"
                yield Hit(score, shown, self._run(shows), action.label, text)

    async def _hosts(self, operator: Operator, query: str) -> list[Hit]:
        hosts = await operator.list_hosts(Window(text=quote(query), limit=_FOUND))
        return [
            self._hit(query, host.name, host_glyph(host).text, "Open this host",
                      open_host(host.host_id))
            for host in hosts.rows
        ]  # fmt: skip

    async def _tasks(self, operator: Operator, query: str) -> list[Hit]:
        text = query if _is_filter(query, TASK_KEYS) else quote(query)
        tasks = await operator.list_tasks(Window(text=text, limit=_FOUND))
        return [
            self._hit(query, task.name, f"{task_glyph(task).text} #{task.task_id}",
                      "Open this task", open_task(task.task_id))
            for task in tasks.rows
        ]  # fmt: skip

    async def _templates(self, operator: Operator, query: str) -> list[Hit]:
        found = await operator.list_templates(Window(text=quote(query), limit=_FOUND))
        return [
            self._hit(query, row.name, "template", "Go to this template", open_template(row.name))
            for row in found.rows
        ]

    async def _schedules(self, operator: Operator, query: str) -> list[Hit]:
        found = await operator.list_schedules(Window(text=quote(query), limit=_FOUND))
        return [
            self._hit(
                query, row.spec.name, "◷", "Go to this schedule", open_schedule(row.spec.name)
            )
            for row in found.rows
        ]

    def _hit(self, query: str, name: str, sign: str, text: str, action: ActionParseResult) -> Hit:
        safe = safe_line(name)
        score = self.matcher(query).match(safe) * _FUZZY or _NAME_SCORE
        shown = f"{sign} {safe}"
        return Hit(score, Content(shown), self._open(action), shown, text)

    def _label(self, action: Action) -> str:
        screen = self.screen
        return screen.label_of(action) if isinstance(screen, MainScreen) else action.label

    def _keys(self, action: Action) -> str:
        screen = self.screen
        return screen.link.keys.shown(action) if isinstance(screen, MainScreen) else action.shown

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

"""Handles keys and clicks in order: each one after the effect of the one before.

Textual gives a key to the widget that has the focus when the key is read. If the first of several
keys opens a form, the others would still go to the screen before. They would run actions there, and
the form would miss its letters.
"""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, runtime_checkable

from textual.app import App
from textual.dom import DOMNode
from textual.errors import NoWidget
from textual.events import Event, InputEvent, Key, MouseDown, MouseEvent, MouseUp, Paste

TICK = 0.5  # seconds
TICKS = 6  # after so many the next key does not wait any longer
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_FOLLOWED = (Key, Paste, MouseDown, MouseUp)
_ROUNDS = 3  # for the key, the messages that it caused, and those that these caused


@runtime_checkable
class RepeatsKeys(Protocol):
    """A widget that can do at once what a key does several times."""

    def repeat_key(self, key: str, times: int) -> bool:
        """Does what `times` presses of a key do. False if it leaves that to the presses."""
        ...


class TypedAhead:
    """Keeps keys and clicks until the one before has had its effect.

    An action that opens a screen awaits it, so that the screen is there for the next key.

    Args:
        app: the app.
        dispatch: gives an event to a widget, as Textual does.
    """

    def __init__(self, app: App[None], dispatch: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._dispatch = dispatch
        self._waiting: deque[Event] = deque()
        self._number = 0  # of the last event that was dispatched
        self._waits_for_effect = False  # the last event may still have effects
        self._timer_runs = False

    async def handle(self, event: Event) -> None:
        """Dispatches an event now, or after those that wait."""
        if event.is_forwarded or not isinstance(event, InputEvent | Paste):
            await self._dispatch(event)
            return
        if isinstance(event, Paste):  # a field would write control characters to the terminal
            event.text = _CONTROLS.sub("", event.text)
        self._waiting.append(event)
        await self._continue()

    async def handle_first(self, event: Key) -> None:
        """Dispatches a key before those that wait: the last event, a click, stands for it."""
        self._waiting.appendleft(event)
        await self._continue()

    async def _continue(self) -> None:
        await self._dispatch_next()
        if self._waiting and not self._timer_runs:
            self._timer_runs = True
            await self._check_time(self._number, 0)

    async def _dispatch_next(self) -> None:
        while self._waiting and not self._waits_for_effect:
            event = self._waiting.popleft()
            if isinstance(event, Key | MouseDown):
                self._app.app_focus = True  # as Textual does, to give the focus back
            given_to = self._target_of(event)
            if isinstance(event, MouseDown) and not given_to.is_attached:
                continue  # it was removed, and is seen until the next drawing only
            self._waits_for_effect = True
            self._number += 1
            if isinstance(event, Key) and self._repeat(event, given_to):
                self._follow_event(given_to, self._number, _ROUNDS)
                continue
            await self._dispatch(event)
            if event.is_forwarded and isinstance(event, _FOLLOWED):
                self._follow_event(given_to, self._number, _ROUNDS)
            else:  # a move, a scroll, or a key of a binding with priority
                self._waits_for_effect = False

    def _repeat(self, event: Key, given_to: DOMNode) -> bool:
        """If the same key was typed several times, and the widget can do that at once: does it."""
        times = 1
        for later in self._waiting:
            if not isinstance(later, Key) or later.key != event.key:
                break
            times += 1
        if times == 1 or not isinstance(given_to, RepeatsKeys):
            return False
        if not given_to.repeat_key(event.key, times):
            return False
        for _ in range(times - 1):
            self._waiting.popleft()
        return True

    def _target_of(self, event: Event) -> DOMNode:
        if isinstance(event, MouseEvent):
            with suppress(NoWidget):
                return self._app.mouse_captured or self._app.get_widget_at(event.x, event.y)[0]
        return self._app.focused or self._app.screen

    def _follow_event(self, node: DOMNode, number: int, rounds: int) -> None:
        """Sends a callback after the event, through the queues of the same widgets. A widget that
        is being closed gets neither."""
        if node is self._app or not node.call_later(self._passed_on, node, number, rounds):
            self._app.call_later(self._effect_done, number, rounds)

    def _passed_on(self, node: DOMNode, number: int, rounds: int) -> None:
        self._follow_event(node.parent or self._app, number, rounds)

    async def _effect_done(self, number: int, rounds: int) -> None:
        if number != self._number:  # its time was over
            return
        if rounds > 1:
            self._follow_event(self._app.focused or self._app.screen, number, rounds - 1)
            return
        self._waits_for_effect = False
        await self._dispatch_next()

    async def _check_time(self, number: int, ticks: int) -> None:
        """A widget that hangs does not stop the keys for ever. A tick counts only if the app itself
        was not busy."""
        self._timer_runs = bool(self._waiting)
        if not self._waiting:
            return
        if number == self._number and ticks == TICKS:
            self._number += 1
            self._waits_for_effect = False
            await self._dispatch_next()
        ticks = ticks + 1 if number == self._number else 0
        self._app.set_timer(TICK, partial(self._check_time, self._number, ticks))

"""Keys and clicks one after the other: each acts where the one before it has led.

Textual gives a key to what has the focus when it is read, and looks for its binding when it comes
back from there unused. Of keys that came while the app was busy, a field that the first one opens
would miss its letters, and the actions of these names would run.
"""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from textual.app import App
from textual.dom import DOMNode
from textual.errors import NoWidget
from textual.events import Event, InputEvent, Key, MouseDown, MouseEvent, MouseUp, Paste

TICK = 0.5  # seconds
TICKS = 6  # after which a key keeps the next one waiting no longer
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_FOLLOWED = (Key, Paste, MouseDown, MouseUp)
_ROUNDS = 3  # behind the key, the messages that it has led to, and those that these have led to


class TypedAhead:
    """Holds what is typed and clicked until what came before has had its effect.

    An action that opens a screen awaits it, so that the screen stands when the next key is given.

    Args:
        app: where a key comes back to.
        give: hands an event to what has the focus or stands there, as Textual does.
    """

    def __init__(self, app: App[None], give: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._give = give
        self._waiting: deque[Event] = deque()
        self._number = 0  # of what was given last
        self._out = False  # it has not come back
        self._watched = False

    async def take(self, event: Event) -> None:
        """Gives it at once, or in its turn."""
        if event.is_forwarded or not isinstance(event, InputEvent | Paste):
            await self._give(event)
            return
        if isinstance(event, Paste):  # a field would write them to the terminal as they are
            event.text = _CONTROLS.sub("", event.text)
        self._waiting.append(event)
        await self._go_on()

    async def take_first(self, event: Key) -> None:
        """Gives it before all that waits: what was given last stands for it."""
        self._waiting.appendleft(event)
        await self._go_on()

    async def _go_on(self) -> None:
        await self._give_next()
        if self._waiting and not self._watched:
            self._watched = True
            await self._watch(self._number, 0)

    async def _give_next(self) -> None:
        while self._waiting and not self._out:
            event = self._waiting.popleft()
            if isinstance(event, Key | MouseDown):
                self._app.app_focus = True  # as Textual does, which gives the focus back by that
            given_to = self._goes_to(event)
            if isinstance(event, MouseDown) and not given_to.is_attached:
                continue  # it has just been removed, and is only seen until the next drawing
            self._out = True
            self._number += 1
            await self._give(event)
            if event.is_forwarded and isinstance(event, _FOLLOWED):
                self._follow(given_to, self._number, _ROUNDS)
            else:  # it moves or scrolls, or a binding that goes before all others has used it
                self._out = False

    def _goes_to(self, event: Event) -> DOMNode:
        if isinstance(event, MouseEvent):
            with suppress(NoWidget):
                return self._app.mouse_captured or self._app.get_widget_at(event.x, event.y)[0]
        return self._app.focused or self._app.screen

    def _follow(self, node: DOMNode, number: int, rounds: int) -> None:
        """Goes the way of the key, behind it: through the queues of what has the focus and of all
        that this is in. What is being closed gets no key either."""
        if node is self._app or not node.call_later(self._left, node, number, rounds):
            self._app.call_later(self._came_back, number, rounds)

    def _left(self, node: DOMNode, number: int, rounds: int) -> None:
        self._follow(node.parent or self._app, number, rounds)

    async def _came_back(self, number: int, rounds: int) -> None:
        if number != self._number:  # it was given up
            return
        if rounds > 1:
            self._follow(self._app.focused or self._app.screen, number, rounds - 1)
            return
        self._out = False
        await self._give_next()

    async def _watch(self, number: int, ticks: int) -> None:
        """A widget that hangs does not keep the keys of others for ever. Only ticks count in which
        the app was not busy itself."""
        self._watched = bool(self._waiting)
        if not self._waiting:
            return
        if number == self._number and ticks == TICKS:
            self._number += 1
            self._out = False
            await self._give_next()
        ticks = ticks + 1 if number == self._number else 0
        self._app.set_timer(TICK, partial(self._watch, self._number, ticks))

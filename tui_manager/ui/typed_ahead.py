"""Keys one after the other: each acts where the one before it has led.

Textual gives a key to what has the focus when it is read, and looks for its binding when it comes
back from there unused. Of keys that came while the app was busy, a field that the first one opens
would miss its letters, and the actions of these names would run.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic

from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, Key, Paste

PATIENCE = 3.0  # seconds for which a key may keep the next one from being given
Give = Callable[[Event], Awaitable[None]]


class TypedAhead:
    """Holds what is typed until what was typed before has had its effect.

    An action that opens a screen awaits it, so that the screen stands when the next key is given.

    Args:
        app: where a key comes back to.
        give: hands a key to what has the focus, as Textual does.
    """

    def __init__(self, app: App[None], give: Give) -> None:
        self._app = app
        self._give = give
        self._waiting: deque[Key | Paste] = deque()
        self._out = False  # something was given, and has not come back
        self._given_at = 0.0  # monotonic seconds, as an event's time

    async def take(self, event: Key | Paste) -> None:
        """Gives it at once, or in its turn; a widget that hangs keeps its own keys alone."""
        self._waiting.append(event)
        if event.time - self._given_at > PATIENCE:
            self._out = False
        await self._give_next()

    async def _give_next(self) -> None:
        while self._waiting and not self._out:
            event = self._waiting.popleft()
            given_to = self._app.focused or self._app.screen
            self._out, self._given_at = True, monotonic()
            await self._give(event)
            if event.is_forwarded:
                self._follow(given_to)
            else:  # a binding that goes before all others has used it
                self._out = False

    def _follow(self, node: DOMNode) -> None:
        """Goes the way of the key, behind it: through the queues of what has the focus and of all
        that this is in. What is being closed gets no key either."""
        if node is self._app or not node.call_later(self._left, node):
            self._app.call_later(self._came_back)

    def _left(self, node: DOMNode) -> None:
        self._follow(node.parent or self._app)

    async def _came_back(self) -> None:
        self._out = False
        await self._give_next()

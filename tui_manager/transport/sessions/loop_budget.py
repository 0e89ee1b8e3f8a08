"""How much of each turn of the event loop the sessions may use. Agents may all send at the same
time. Without a limit, everything else on the loop, such as the answer to an operator, would wait
until the messages of all of them are handled.

It is a file of its own because reading and writing share one limit.
"""

import asyncio
from collections import deque

_A_TURN = 25  # messages that sessions read or write in one turn of the loop: about 4 ms


class LoopBudget:
    """How many messages all sessions together may still handle in this turn of the event loop.
    Those that wait go on in later turns, in the order in which they came."""

    def __init__(self, a_turn: int = _A_TURN) -> None:
        self._a_turn = a_turn
        self._left = a_turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    def take(self) -> bool:
        """Whether a message may pass now. If not, `wait` until it may."""
        if self._left:
            self._left -= 1
            return True
        return False

    async def wait(self) -> None:
        """Waits for a later turn of the loop."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting.append(waiting)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next_turn, loop)
        await waiting

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Lets those pass who have waited longest; what comes meanwhile waits behind them."""
        self._left = self._a_turn
        while self._waiting and self._left:
            waiting = self._waiting.popleft()
            if not waiting.done():  # a session may have ended
                waiting.set_result(None)
                self._left -= 1
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            loop.call_soon(self._next_turn, loop)

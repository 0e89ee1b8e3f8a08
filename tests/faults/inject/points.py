"""Failpoints inside a program under test: what happens when one is reached is told by a file.

The programs know nothing of this. `sitecustomize` puts calls of `reach` around what they do; a test
arms one by writing `NAME COUNT ACTION TOKEN` into the file, and whoever reaches NAME for the
COUNT-th time since then takes the file away and acts. Standard library only: supervisors load it.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

HIT = ".hit"  # beside the file: the failpoints that were reached and acted on, a line each
REACHED = ".reached"  # beside the file: every failpoint reached while ACTION was `record`


class Points:
    """The failpoints of this process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._token = ""
        self._left = 0

    def reach(self, name: str) -> None:
        """Does what the file says, if it speaks of this place; nothing without a file."""
        try:
            with open(self.path) as file:
                wanted, count, action, token = file.read().split()
        except (OSError, ValueError):
            return
        if action == "record":
            self._note(REACHED, name)
            return
        if wanted != name:
            return
        if token != self._token:
            self._token, self._left = token, int(count)
        self._left -= 1
        if self._left == 0:
            self._act(name, action)

    def around(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with a failpoint before and one after it."""

        def pointed(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before.{name}")
            outcome = act(*args, **kwargs)
            self.reach(f"after.{name}")
            return outcome

        return pointed

    def around_async(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same for a coroutine function."""

        async def pointed(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before.{name}")
            outcome = await act(*args, **kwargs)
            self.reach(f"after.{name}")
            return outcome

        return pointed

    def _act(self, name: str, action: str) -> None:
        try:
            os.unlink(self.path)  # whoever is started next must not meet it
        except FileNotFoundError:
            return  # another process was first
        self._note(HIT, name)
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            raise OSError(int(action), os.strerror(int(action)))

    def _note(self, suffix: str, name: str) -> None:
        with open(self.path + suffix, "a") as file:
            file.write(f"{name}\n")

"""A terminal for a program that draws: what it paints is read at once, with the time it came."""

import asyncio
import codecs
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from bench.clean_up import end

_READ = 1 << 16
_KEPT = 1 << 20  # bytes of the newest drawing
_CUT = 200  # characters within which a text may be cut in two by a read
COLUMNS, ROWS = 120, 36


class NotPaintedError(Exception):
    """What was awaited was never drawn."""


class Terminal:
    """The outer side of it.

    Attributes:
        first_seen: of each text that `seek` looks for, monotonic seconds.
    """

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self._process = process
        self._master = master
        self._drawn = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end in a cell
        self._came = asyncio.Event()
        self._came_at = 0.0
        self._sought: re.Pattern[str] | None = None
        self.first_seen: dict[str, float] = {}
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def pid(self) -> int:
        """Of the program."""
        return self._process.pid

    def press(self, keys: str) -> float:
        """Types, and returns when: monotonic seconds. What was drawn before no longer counts."""
        self._drawn = ""
        began = time.monotonic()
        os.write(self._master, keys.encode())
        return began

    async def painted(self, pattern: "re.Pattern[str]", within: float) -> tuple[float, str]:
        """Waits until something is drawn that matches, since the last key.

        Returns:
            When it had come, monotonic seconds, and what matched.

        Raises:
            NotPaintedError: it was not, within so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                while not (found := pattern.search(self._drawn)):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise NotPaintedError(
                f"{pattern.pattern!r} was not drawn within {within:g} s, but:\n{self.story()}"
            ) from None
        return self._came_at, found.group()

    def seek(self, pattern: "re.Pattern[str]") -> None:
        """Notes from now on in `first_seen` when each text that matches is drawn first."""
        self._sought, self.first_seen, self._drawn = pattern, {}, ""

    def story(self) -> str:
        """The end of what was drawn, for people."""
        return repr(self._drawn[-2000:])

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ)
        except OSError:  # the program has closed its side
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self._came_at = time.monotonic()
        text = self._decoder.decode(data)
        if self._sought:
            for found in self._sought.finditer(self._drawn[-_CUT:] + text):
                self.first_seen.setdefault(found.group(), self._came_at)
        self._drawn = (self._drawn + text)[-_KEPT:]
        self._came.set()

    async def close(self) -> None:
        """Ends the program, and the terminal after it."""
        await end(self._process)
        asyncio.get_running_loop().remove_reader(self._master)
        with suppress(OSError):
            os.close(self._master)


@asynccontextmanager
async def on_terminal(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> AsyncIterator[Terminal]:
    """Runs a program on a new terminal until the block is left."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        start_new_session=True,
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        await terminal.close()

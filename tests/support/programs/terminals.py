"""Programs in a terminal of their own, for what draws."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs import warm_programs
from tests.support.programs.program_forker import DASHBOARD, TAKE_TERMINAL

_READ = 1 << 16
_TAKES_KEYS = 60.0  # seconds within which a program must have room for more keys


@dataclass(slots=True)
class Terminal:
    """A program on a terminal; everything that it draws is read at once and kept."""

    process: warm_programs.Running
    _master: int
    _drawn: bytearray = field(default_factory=bytearray)
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def drawn(self) -> str:
        """What it has written so far, control sequences and all."""
        return self._drawn.decode(errors="replace")

    def take(self) -> bytes:
        """What it has written since the last call; `drawn` no longer has it."""
        taken = bytes(self._drawn)
        del self._drawn[: len(taken)]
        return taken

    def press(self, keys: str) -> None:
        """Types. Raises AssertionError if the program takes no more keys."""
        left = keys.encode()
        while left:
            ready = select.select([], [self._master], [], _TAKES_KEYS)[1]
            assert ready, f"no room for {left[:80]!r}"
            left = left[os.write(self._master, left[:1024]) :]

    def resize(self, columns: int, rows: int) -> None:
        """Gives the terminal another size: the kernel sends SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Closes the terminal under it, as when a window is closed: the kernel sends SIGHUP."""
        self._closed.set()

    def _read(self) -> None:
        while not self._closed.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    self._drawn += os.read(self._master, _READ)
                except OSError:  # the program has closed its side
                    break
        self._closed.wait()
        os.close(self._master)


@contextmanager
def on_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    columns: int = 120,
    rows: int = 36,
) -> Iterator[Terminal]:
    """Runs a program on a new terminal, which is its controlling one, and kills it on leaving if it
    still runs."""

    def start(slave: int) -> warm_programs.Running:
        return subprocess.Popen(
            [*TAKE_TERMINAL, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=_on_terminal(environment),
            start_new_session=True,
        )

    with _terminal(start, columns, rows) as terminal:
        yield terminal


@contextmanager
def forked_on_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    controlling: bool = True,
    file: Path | None = None,
) -> Iterator[Terminal]:
    """Does the same with `tui-manager`, which is forked: see `warm_programs.py`.

    Args:
        controlling: the end of the terminal reaches the program as SIGHUP.
        file: what starts it, instead of the installed program.
    """

    def start(slave: int) -> warm_programs.Running:
        return warm_programs.start(
            DASHBOARD,
            arguments,
            _on_terminal(environment),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            file=file,
            terminal=controlling,
        )

    with _terminal(start, 120, 36) as terminal:
        yield terminal


def _on_terminal(environment: Mapping[str, str]) -> Mapping[str, str]:
    kept = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    return {**kept, "TERM": "xterm-256color"}


@contextmanager
def _terminal(
    start: Callable[[int], warm_programs.Running], columns: int, rows: int
) -> Iterator[Terminal]:
    """A new terminal; `start` starts the program on its side of it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = start(slave)
    os.close(slave)
    terminal = Terminal(process, master)
    reader = threading.Thread(target=terminal._read)
    reader.start()
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        terminal.hang_up()
        reader.join()

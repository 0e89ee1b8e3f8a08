"""Real programs that run beside a test, and waiting for what they do.

Waiting is done by `wait_for` alone, which tells the last state seen when it gives up.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.support.programs.warm_programs import Running
from tests.support.waiting import GIVE_UP, pause_after

_Seen = TypeVar("_Seen")

_LOOK_EVERY = 0.03  # seconds


def wait_for(
    what: str,
    look: Callable[[], _Seen],
    good: Callable[[_Seen], object] = bool,
    *,
    explain: Callable[[], str] = str,
) -> _Seen:
    """Looks until what it sees is `good`, and returns it. It spends a third of the time in looks,
    as each of some costs the program that is asked as much as the test, and looks less often the
    longer it waits.

    Raises:
        AssertionError: it never was; with what was awaited, the last state, and what `explain`
            adds.
    """
    first = began = time.monotonic()
    while not good(seen := look()):
        looked = time.monotonic()
        if looked > first + GIVE_UP:
            raise AssertionError(f"Gave up waiting for {what}; last seen:\n{seen!r}\n{explain()}")
        time.sleep(max(_LOOK_EVERY, 2 * (looked - began), pause_after(looked - first)))
        began = time.monotonic()
    return seen


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes no byte more until somebody reads it."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(1 << 16))
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(1))
        os.set_blocking(writer, True)
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs beside the test, with what it writes in files."""

    name: str
    process: Running
    out_path: Path
    err_path: Path

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return self.out_path.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return self.err_path.read_text(errors="replace")

    def interrupt(self) -> None:
        """What ctrl-c does."""
        self.process.send_signal(signal.SIGINT)

    def stop(self) -> int:
        """Ends it with SIGTERM, and returns its exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        try:
            return self.process.wait(GIVE_UP)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end.\n{self.story()}") from None

    def story(self) -> str:
        """Everything that it said, for a test that gives up."""
        status = self.process.poll()
        return f"--- {self.name} ({status=})\n{self.out[-4000:]}\n{self.err[-4000:]}"

"""Runs another program in the terminal of the dashboard, which waits meanwhile.

The manager has a thread of its own and goes on.
"""

import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from textual.app import App, SuspendNotSupported

_TERMINAL = "/dev/tty"


class ProgramError(Exception):
    """A program could not be run. The message is written for the operator."""


def words_of(text: str, source: str) -> Sequence[str]:
    """A program with its arguments, as in a shell.

    Args:
        source: where the text is from, for the error: `EDITOR`.

    Raises:
        ProgramError: a quote is not closed, or there is no word.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ProgramError(f"{source} is {text!r}: {error}.") from None
    if not words:
        raise ProgramError(f"{source} is empty; set it to a program.")
    return words


def run_program(app: App[Any], words: Sequence[str]) -> int:
    """Gives the terminal to a program until it ends, and returns its exit status.

    Raises:
        ProgramError: it could not be started, or there is no terminal.
    """
    try:
        with app.suspend(), _no_interrupt(), open(_TERMINAL, "r+b", buffering=0) as terminal:
            return subprocess.run(
                words, stdin=terminal, stdout=terminal, stderr=terminal, check=False
            ).returncode
    except SuspendNotSupported:
        raise ProgramError("This terminal cannot be given to another program.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise ProgramError(f"{error.filename or words[0]} cannot be started: {why}.") from None


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl+c is for the program that has the terminal. A handler is not inherited by it, as an
    ignored signal would be."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

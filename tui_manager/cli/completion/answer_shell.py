"""Answers a shell that completes a command line. The scripts of `scripts/` call it, and leave out
what it writes to stderr: whoever presses tab wants no error in the line that they type."""

import os
import sys
import threading

from tui_manager.cli.completion.bash_line import BashWord, read_line
from tui_manager.cli.completion.complete import Reply, complete
from tui_manager.cli.completion.time_limit import time_limit

_STALLED = 2.0  # seconds beyond the time for the manager, if a file system or the machine stalls
_ROOM = 10  # columns; in fewer no text is shown
_SHOWN = 200  # candidates above which bash lists no descriptions, each of which takes a line


def answer(shell: str) -> int:
    """Reads the words of a command line from stdin, each ended by a NUL, and prints what the last
    one can become. The first line says what files the shell may add.

    bash gives the name of the program as it is typed, the text of the line up to the cursor, what
    separates words there, how many columns its terminal has, and whether it would insert one
    candidate after the other. The others give the words without quotes; only the last one of fish
    has them.
    """
    watchdog = threading.Timer(time_limit() + _STALLED, os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
    given = sys.stdin.buffer.read().decode(errors="surrogateescape").split("\0")[:-1]
    if shell == "bash":
        program, line, breaks, columns, rotates = given
        word = read_line(line, breaks, program)
        lines = lines_for_bash(
            complete(word.words, word.prefix), word, int(columns), rotates=rotates == "1"
        )
    else:
        last = read_line(given[-1]).prefix if shell == "fish" else given[-1]
        lines = _with_texts(complete(given[:-1], last))
    sys.stdout.write("".join(f"{one}\n" for one in lines))
    sys.stdout.flush()
    os._exit(0)  # nothing that is left of a connection may take time


def _with_texts(reply: Reply) -> list[str]:
    """Each candidate, a tab, and what is shown beside it."""
    return [reply.files, *(f"{value}\t{text}" for value, text in reply.candidates.items())]


def lines_for_bash(reply: Reply, word: BashWord, columns: int, *, rotates: bool) -> list[str]:
    """Each candidate as bash replaces the word by it. bash has no place for texts, so they stand
    in the candidates while there are several, of which it only inserts what all begin with.

    Args:
        columns: of the terminal.
        rotates: bash would insert one candidate after the other.
    """
    values = {word.quoted(value): text for value, text in reply.candidates.items()}
    # bash may ignore case, and two values that differ in nothing else would begin with one text.
    unlike = len({value.casefold() for value in values}) == len(values)
    described = 1 < len(values) <= _SHOWN and unlike and not rotates and any(values.values())
    if not described:
        return [reply.files, *values]
    width = max(map(len, values))
    return [
        reply.files,
        *(_with_text(value, text, width, columns - width - 3) for value, text in values.items()),
    ]


def _with_text(value: str, text: str, width: int, room: int) -> str:
    """One line of a list, whose text is cut to the room that is left beside the values."""
    if not text or room < _ROOM:
        return value
    return f"{value:{width}}  {text if len(text) <= room else f'{text[: room - 1]}…'}"

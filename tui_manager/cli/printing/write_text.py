"""Writes lines, notes and JSON to stdout and stderr, and makes the text of hosts safe for a
terminal."""

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from tui_manager.cli.options.parser import PROGRAM
from tui_manager.cli.printing.status_line import clear_status

if TYPE_CHECKING:
    from tui_manager.domain.manager.manager_status import ManagerStatus

Cleaner = Callable[[str], str]


def write(text: str) -> None:
    """Writes lines to stdout at once."""
    clear_status()
    sys.stdout.write(text)
    sys.stdout.flush()


def write_lines(lines: Iterable[str]) -> None:
    """Writes lines to stdout, each with its end."""
    clear_status()
    sys.stdout.writelines(lines)
    sys.stdout.flush()


def note(text: str) -> None:
    """Writes a note to the operator on stderr."""
    clear_status()
    sys.stdout.flush()
    sys.stderr.write(f"{PROGRAM}: {_safe(text)}\n")
    sys.stderr.flush()


def write_json(value: object) -> None:
    """Writes one JSON value to stdout, in UTF-8 whatever the locale."""
    from tui_manager.cli.printing.indented_json import indented_json

    text = indented_json(value, ascii_only=not speaks_utf8(sys.stdout))
    write(f"{text}\n")


def cleaner_for(stream: TextIO) -> Cleaner:
    """The function that makes a host's line safe for `stream`: a terminal obeys escape sequences, a
    file does not."""
    if not stream.isatty():
        return lambda text: text
    return _safe


def _safe(text: str) -> str:
    """`text` without what a terminal obeys. Most texts have nothing of it."""
    if text.isascii() and text.isprintable():
        return text
    from tui_manager.domain.text.safe_text import safe_text

    return safe_text(text)


def one_line(text: str) -> str:
    """`text` on one line; control characters are removed or made visible."""
    if text.isascii() and text.isprintable():
        return text
    from tui_manager.domain.text.safe_text import safe_line

    return safe_line(text)


def local_time(moment: datetime | None) -> str:
    """For people: to the second, in their own time zone, which is named by its offset."""
    return _local_second(moment.replace(microsecond=0)) if moment else "-"


@lru_cache(maxsize=1024)
def _local_second(moment: datetime) -> str:
    """Thousands of commands begin and end within the same seconds."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def speaks_utf8(stream: TextIO) -> bool:
    """Whether its encoding is UTF-8."""
    return (getattr(stream, "encoding", "") or "").lower().replace("-", "") == "utf8"


class StorageTroubleNote:
    """Prints once that results cannot be stored, and once that they can be stored again."""

    def __init__(self) -> None:
        self._error = ""

    def update(self, error: str) -> None:
        """`error`: why results cannot be stored now; empty: they can."""
        if error and not self._error:
            note(f"results cannot be stored now: {error} The hosts keep them until then.")
        elif self._error and not error:
            note("results can be stored again")
        self._error = error


def note_storage_trouble(status: "ManagerStatus") -> None:
    """Prints a note if results cannot be stored now, and another one if the lists may be wrong
    therefore."""
    StorageTroubleNote().update(status.health.storage_error)
    if status.health.storage_error and status.other_managers and not status.others_alive:
        from tui_manager.domain.manager.gateway import HEARS_NOBODY

        note(HEARS_NOBODY)

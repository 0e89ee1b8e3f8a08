"""Completes the paths of this machine that are typed in a field."""

import asyncio
import os
import re
from pathlib import Path

from textual.suggester import Suggester

_PLAIN = re.compile(r"[^\s'\"\\]*")  # a word that needs no quotes
_ENTRIES_MAX = 10_000  # of a folder that are looked at


class PathSuggester(Suggester):
    """What the last path can become stands dim behind the cursor, and `right` takes it.

    Args:
        several: the field takes several paths, quoted as in a shell.
    """

    def __init__(self, *, several: bool) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._several = several

    async def get_suggestion(self, value: str) -> str | None:
        """The whole value with its last path completed; None: there is nothing to complete."""
        before, last = self._last_path(value)
        if not last:
            return None
        end = await asyncio.to_thread(_completion, last)
        if not end or (self._several and not _PLAIN.fullmatch(end)):
            return None
        return before + last + end

    def _last_path(self, value: str) -> tuple[str, str]:
        if not self._several:
            return "", value
        if any(character in value for character in "'\"\\"):
            return value, ""
        begin = max(map(value.rfind, " \t")) + 1
        return value[:begin], value[begin:]


def _completion(path: str) -> str:
    """The rest of the first name in its folder that begins so; `/` behind a folder."""
    folder, _, begin = path.rpartition("/")
    top = f"{folder}/" if "/" in path else "."
    try:
        with os.scandir(Path(top).expanduser()) as entries:
            found = [
                (entry.name, entry.is_dir())
                for _, entry in zip(range(_ENTRIES_MAX), entries, strict=False)
                if entry.name.startswith(begin) and entry.name.isprintable()
            ]
    except (OSError, RuntimeError, ValueError):  # no such folder, or no such home folder; a NUL
        return ""
    shown = [one for one in found if begin or not one[0].startswith(".")]
    if not shown:
        return ""
    name, is_folder = min(shown)
    return name[len(begin) :] + ("/" if is_folder else "")

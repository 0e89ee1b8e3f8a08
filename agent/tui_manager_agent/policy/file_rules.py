"""Which files an owner allows to be written and to be read, by patterns for their paths."""

import os
import re
import stat
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules import command_defaults

from tui_manager_agent.policy.pattern import Pattern
from tui_manager_agent.supervisor import clock

SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID
_SHOWN = 300  # characters of a path in a sentence
_BACKUP_TIME = re.compile(r"(?<=\.backup-)[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\Z")
_TIMEOUT = int(command_defaults.TIMEOUT.total_seconds()) * clock.SECOND


class FileAccess(StrEnum):
    """What a transfer does with a file. The value is the name of the list in `[files]`."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """A copy or a fetch that the manager asks for, as far as a policy judges it before any path.

    Attributes:
        timeout: ns.
        owner: USER or USER:GROUP, who is to own the files; empty: nobody else than now.
        mode: of all files; None: as at the source.
    """

    access: FileAccess
    timeout: int = _TIMEOUT
    owner: str = ""
    mode: int | None = None


class FileRules(Protocol):
    """What the owner allows now, asked for each file before it is written or read."""

    def require_write(self, path: bytes, *, is_folder: bool = False, mode: int = 0) -> None:
        """Raises RefusedError if a file may not be written, or a folder not made.

        Args:
            path: absolute, without links.
            mode: that a file is given.
        """

    def require_read(self, path: bytes, *, is_folder: bool | None = False) -> None:
        """Raises RefusedError if a file may not be read, or a folder not listed.

        Args:
            path: absolute, without links.
            is_folder: None: it may be either, and is refused only if it may be read as neither.
        """


class PathPattern:
    """A pattern for paths. If it ends in `/`, it matches a folder and everything below it. Else it
    must match the whole path, as a pattern of a command must match the whole command."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what no path can match."""
        if not text.startswith("/"):
            raise ValueError(f"{text!r} does not begin with /")
        parts = text[1:].removesuffix("/").split("/")
        if text != "/" and any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{text!r} has an empty part, '.' or '..', which no real path has")
        self.text = text
        self._is_tree = text.endswith("/")
        self._is_literal = "*" not in text
        self._pattern = Pattern(text)

    def matches(self, path: str) -> bool:
        """Whether it allows a path: absolute, without links; that of a folder ends in `/`."""
        if self._is_literal:
            return path.startswith(self.text) if self._is_tree else path == self.text
        if self._is_tree:
            return any(path[end - 1] == "/" for end in self._pattern.ends(path) if end)
        return self._pattern.matches(path)


@dataclass(frozen=True, slots=True)
class FilePatterns:
    """The lists in `[files]`; one that is empty allows nothing."""

    read: Sequence[PathPattern] = ()
    write: Sequence[PathPattern] = ()

    def of(self, access: FileAccess) -> Sequence[PathPattern]:
        return self.read if access is FileAccess.READ else self.write

    def allows(self, access: FileAccess, path: str) -> bool:
        return any(pattern.matches(path) for pattern in self.of(access))


def show_path(path: str | bytes) -> str:
    """A path for a sentence: bytes that are not UTF-8, and what cannot be printed, as escapes."""
    text = os.fsdecode(path)
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 :]}"
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{code - 0xDC00:02x}"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def pattern_for(path: str) -> str:
    """A pattern that allows a path: itself, or the folder above if no pattern can name it. For the
    backup of a file, whose name has the time, all of them."""
    of_file = _BACKUP_TIME.sub("", path)
    if of_file != path and pattern_for(of_file) == of_file:
        return f"{of_file}*"
    while len(path) > _SHOWN or not path.isprintable() or any(one in path for one in '*"\\'):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path

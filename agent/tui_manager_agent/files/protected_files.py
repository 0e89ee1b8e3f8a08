"""The agent's own files, which no transfer may touch: its state folder and its policy. Those of the
program may be read, but not written: a policy decides who may replace the agent.

They are recognized by device and inode, so that links and bind mounts do not hide them.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LINKS_LIMIT = 40  # as many as the kernel follows
_OUTSIDE_LIMIT = 1000  # folders
_Id = tuple[int, int]  # device, inode


class ProtectedFiles:
    """What belongs to the agent. Any thread may ask, once one has called `refresh`."""

    def __init__(self, state_dir: Path, policy: Path, program: Path | None = None) -> None:
        """
        Args:
            policy: the file, whether it is there or not.
            program: the folder of all versions of the agent; None: it does not run from a bundle.
        """
        self._state_dir = os.fsencode(state_dir)
        self._policy = os.fsencode(policy.absolute())
        self._program = os.fsencode(program) if program else b""
        self._in_state: frozenset[_Id] = frozenset()
        self._in_program: frozenset[_Id] = frozenset()
        self._outside: set[bytes] = set()  # folders that were looked at, for a tree of many files
        self._names: dict[str, list[bytes]] = {}  # of the policy, to its folders

    def refresh(self) -> None:
        """Looks again at what is in the state folder. Call it when a transfer begins: without it, a
        file that is new there would be found only by its folder."""
        self._in_state = frozenset(_ids_in(self._state_dir))
        if self._program:
            self._in_program = frozenset(_ids_in(self._program))
        names: dict[str, list[bytes]] = {}
        for link in _links_to(self._policy):
            parent, name = os.path.split(link)
            names.setdefault(_without_case(name), []).append(parent)
        self._names = names
        self._outside.clear()

    def is_in_state(self, status: os.stat_result) -> bool:
        """Whether this is the state folder, or something in it."""
        if _id(status) in self._in_state:
            self.refresh()  # what had this inode may be gone, and the inode used again
        return _id(status) in self._in_state

    def may_be_entered(self, status: os.stat_result) -> bool:
        """Whether something may be written in a folder."""
        if _id(status) in self._in_program:
            self.refresh()  # as in `is_in_state`
        return not self.is_in_state(status) and _id(status) not in self._in_program

    def may_be_replaced(self, status: os.stat_result) -> bool:
        """Whether a file may get other content, another mode or owner."""
        return self.may_be_entered(status) and not _is_at(self._policy, status)

    def may_be_named(self, folder: int, name: bytes) -> bool:
        """Whether a file may get this name in a folder: False if it would replace the policy. Upper
        and lower case are not told apart, because some file systems do not.

        Args:
            folder: its descriptor.
        """
        parents = self._names.get(_without_case(name), ())
        return not any(_is_at(parent, os.fstat(folder)) for parent in parents)

    def may_be_read(self, descriptor: int) -> bool:
        """Whether an opened file or folder is not in the state folder. Raises OSError."""
        if self.is_in_state(os.fstat(descriptor)):
            return False
        folder = os.path.dirname(path_of(descriptor))
        looked_at = []
        while len(folder) > 1 and folder not in self._outside:
            with suppress(OSError):
                if self.is_in_state(os.stat(folder)):
                    return False
            looked_at.append(folder)
            folder = os.path.dirname(folder)
        if len(self._outside) > _OUTSIDE_LIMIT:
            self._outside.clear()
        self._outside.update(looked_at)
        return True


def _id(status: os.stat_result) -> _Id:
    return status.st_dev, status.st_ino


def _is_at(path: bytes, status: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(status, os.stat(path))
    return False


def _ids_in(folder: bytes) -> Iterator[_Id]:
    """A folder and everything in it, at any depth. What vanishes meanwhile is left out."""
    pending = [folder]
    while pending:
        path = pending.pop()
        with suppress(OSError):
            yield _id(os.stat(path))
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        yield _id(entry.stat(follow_symlinks=False))


def _links_to(path: bytes) -> list[bytes]:
    """A path, and each one that it leads to by a symbolic link as its last part."""
    found = [path]
    while len(found) <= _LINKS_LIMIT:
        try:
            target = os.readlink(found[-1])
        except OSError:
            break
        found.append(os.path.join(os.path.dirname(found[-1]), target))
    return found


def _without_case(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape").casefold()


def path_of(descriptor: int) -> bytes:
    """The path of an opened file, as the kernel knows it. Raises OSError."""
    if hasattr(fcntl, "F_GETPATH"):  # macOS
        return bytes(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))).rstrip(b"\0")
    return os.readlink(b"/proc/self/fd/%d" % descriptor)

"""Where the files of a copy go: what the operator's DEST means, and its folders by descriptor.

DEST's own path may contain links. They are resolved once, at the beginning. After that no link is
followed, so a link that somebody makes meanwhile has no effect.
"""

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager_agent.files.file_problems import as_transfer_error, describe
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import TransferError
from tui_manager_agent.policy.file_rules import show_path

Parts = tuple[bytes, ...]  # of a path, below the base
MAKE_MODE = 0o755  # of folders that only DEST names
_OPEN_FOLDERS = 8  # descriptors
# O_PATH needs no right to list a folder, only to go through it. macOS has none.
_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Destination:
    """What a DEST means. It must stay so when the copy goes on later: by then it may have made a
    folder of that name.

    Attributes:
        base: a folder that exists; absolute and without links.
        missing: folders to be made below it, each in the one before.
        name: takes the place of the first part of each path; empty: none does.
    """

    base: bytes
    missing: Parts = ()
    name: bytes = b""

    def parts(self, path: bytes) -> Parts:
        """Where an entry with this path goes, below the base."""
        first, *others = path.split(b"/")
        return (*self.missing, self.name or first, *others)

    def full(self, parts: Parts) -> bytes:
        """The absolute path."""
        return b"/".join((self.base.rstrip(b"/"), *parts)) or b"/"


def choose(to: str, *, several: bool) -> Destination:
    """What DEST means on this host now. `several`: more than one file or folder is to go there.

    Raises TransferError: it means nothing here.
    """
    path = to.encode("utf-8", "surrogateescape")
    if not path.startswith(b"/") or b"\0" in path:
        raise TransferError(f"The destination {show_path(path)!r} does not begin with /.")
    is_folder_name = path.endswith((b"/", b"/.", b"/.."))
    status = _stat(path)
    if status is not None and stat.S_ISDIR(status.st_mode):
        return Destination(_real(path))
    if status is not None and several:
        raise TransferError(f"{show_path(path)} is no folder, and several files need one.")
    if is_folder_name:
        return _below_existing(path)
    if several:
        raise TransferError(
            f"{show_path(path)} does not exist, and several files need a folder. Make it first, or "
            "end the destination with / so that it is made."
        )
    parent, name = os.path.split(path)
    with as_transfer_error(parent):
        if not stat.S_ISDIR(os.stat(parent).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "")
    return Destination(_real(parent), (), name)


def _below_existing(path: bytes) -> Destination:
    """A folder that is to be made, with those above it that are missing too."""
    missing: list[bytes] = []
    while _stat(path) is None:
        path, part = os.path.split(path.rstrip(b"/"))
        if part == b"..":
            raise TransferError(f"{show_path(path)} does not exist, so it has no '..'.")
        if part != b".":
            missing.append(part)
    return Destination(_real(path), tuple(reversed(missing)))


def _stat(path: bytes) -> os.stat_result | None:
    """Of what is there, links followed; None if nothing is."""
    with as_transfer_error(path):
        try:
            return os.stat(path)
        except FileNotFoundError:
            return None


def _real(path: bytes) -> bytes:
    with as_transfer_error(path):
        return os.path.realpath(path, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChange:
    """Mode and owner of a folder that the copy has made.

    Attributes:
        expected: its mode before is one of these; `uids`: and its owner. Else somebody has put
            another folder in its place.
        uid, gid: -1: as it is.
    """

    mode: int
    expected: Container[int]
    uids: Container[int]
    uid: int = -1
    gid: int = -1

    def is_expected(self, status: os.stat_result) -> bool:
        mode = stat.S_IMODE(status.st_mode) & ~stat.S_ISGID
        return mode in self.expected and status.st_uid in self.uids


class Folders:
    """Opens and makes the folders of a destination. Keeps a few of them open.

    Descriptors that it gives are its own: use one before you ask for the next.
    """

    def __init__(self, destination: Destination, own: ProtectedFiles) -> None:
        self._destination = destination
        self._own = own
        self._open: OrderedDict[Parts, int] = OrderedDict()

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def open(self, parts: Parts) -> int:
        """A descriptor for what is in a folder.

        Raises TransferError, also if it is missing, a link, or the agent's own.
        """
        found = self._open.get(parts)
        if found is None:
            found = self._walk(os.dup(self.open(())), parts) if parts else self._open_base()
            self._open[parts] = found
            if len(self._open) > _OPEN_FOLDERS:
                os.close(self._open.popitem(last=False)[1])
        self._open.move_to_end(parts)
        return found

    def find(self, parts: Parts) -> int | None:
        """As `open`; None if it is missing."""
        try:
            return self.open(parts)
        except TransferError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def sync(self, parts: Parts) -> None:
        """Makes changes of names in a folder durable.

        Raises TransferError, also if another folder has its path by now: then the files are not
        where the operator wants them.
        """
        path = self._destination.full(parts)
        written = os.fstat(self.open(parts))
        there = self._walk(self._open_base(), parts)
        try:
            if not os.path.samestat(os.fstat(there), written):
                raise TransferError(
                    f"{show_path(path)} was replaced while the copy wrote into it. Run it again."
                )
            with (
                as_transfer_error(path),
                suppress(PermissionError),  # the agent's user may not list it
                _listed(there) as descriptor,
            ):
                os.fsync(descriptor)
        finally:
            os.close(there)

    def set_up(self, parts: Parts, change: FolderChange) -> bool:
        """Gives a folder its mode and owner; False: it is not as the change expects it.

        It keeps a set-group-ID bit, which it has from the folder above. Raises TransferError.
        """
        folder = self.open(parts)
        status = os.fstat(folder)
        if not change.is_expected(status):
            return False
        with as_transfer_error(self._destination.full(parts)), _listed(folder) as descriptor:
            inherited = status.st_mode & stat.S_ISGID
            if (change.uid, change.gid) != (-1, -1):
                os.fchown(descriptor, change.uid, change.gid)
            os.fchmod(descriptor, change.mode | inherited)
            return True

    def _open_base(self) -> int:
        """Opens the base from the root on, part by part, so that the agent's own folders are seen
        above it too."""
        reached = os.open(b"/", _THROUGH)
        parts = tuple(filter(None, self._destination.base.split(b"/")))
        for count in range(1, len(parts) + 1):
            reached = self._step(reached, Destination(b"/"), parts[:count])
        return reached

    def _walk(self, reached: int, parts: Parts) -> int:
        """Opens a folder below another one, which it closes."""
        for count in range(1, len(parts) + 1):
            reached = self._step(reached, self._destination, parts[:count])
        return reached

    def _step(self, folder: int, within: Destination, parts: Parts) -> int:
        """Opens the last of `parts`, which is in a folder that it closes. Raises TransferError."""
        try:
            descriptor = os.open(parts[-1], _THROUGH, dir_fd=folder)
        except OSError as error:
            problem = self._refusal(folder, parts[-1], within.full(parts), error)
            raise TransferError(problem) from error
        finally:
            os.close(folder)
        if not self._own.may_be_entered(os.fstat(descriptor)):
            os.close(descriptor)
            raise TransferError(refuse_own(within.full(parts)))
        return descriptor

    @staticmethod
    def _refusal(folder: int, part: bytes, path: bytes, error: OSError) -> str:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            with suppress(OSError):
                mode = os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode
                return f"{show_path(path)} is {kind_of(mode)}, where a folder must be."
        return describe(path, error)


@contextmanager
def _listed(folder: int) -> Iterator[int]:
    """The same folder, opened for more than to go through it. Raises OSError."""
    descriptor = os.open(b".", _LIST, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def find_at(folder: int, name: bytes, path: bytes) -> os.stat_result | None:
    """What has that name in a folder, links not followed; None if nothing has.

    `path`: the same, for the operator. Raises TransferError.
    """
    with as_transfer_error(path):
        try:
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


def refuse_own(path: bytes) -> str:
    return f"{show_path(path)} belongs to the agent itself, whose files a copy never writes."


def kind_of(mode: int) -> str:
    """What is there, in words."""
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFBLK: "a device",
        stat.S_IFCHR: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")

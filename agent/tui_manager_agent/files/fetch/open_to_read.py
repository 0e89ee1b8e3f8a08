"""Opens files and folders of this host to read them, if they may be read.

A path is checked before it is opened, because opening a device can have effects, and again after it
is open. Opening never waits for a fifo.
"""

import errno
import os
import stat

from tui_manager_protos.rules.files.transfer_window import PART_LENGTH

from tui_manager_agent.files.fetch.fetch_refusals import refusal_by_link
from tui_manager_agent.files.protected_files import ProtectedFiles, path_of
from tui_manager_agent.files.transfer_work import Piece
from tui_manager_agent.policy.file_rules import FileRules
from tui_manager_agent.policy.policy import RefusedError

_SMALLEST_HOLE = 64 * 1024  # bytes; less is read as zeros
_BLOCK = 512  # bytes, the unit of st_blocks
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_DELETED = b" (deleted)"  # the kernel ends the path of a file with it that has no name any more
_ATTEMPTS = 3  # at a file that is replaced again and again
_KINDS = {
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFDIR: "folder",
    stat.S_IFREG: "file",
}


class OwnFileError(Exception):
    """It is in the agent's state folder, which is never read."""


class OtherKindError(Exception):
    """It is not what was to be opened. The text names its kind."""


def kind_of(status: os.stat_result) -> str:
    """What it is: file, folder, device, fifo, socket."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "special file")


class OpenedFile:
    """A regular file that is open for reading.

    Attributes:
        size: bytes, when it was opened; 0 for a file without a size, as in /proc.
        mode: permission bits.
    """

    def __init__(self, path: bytes, rules: FileRules, own: ProtectedFiles) -> None:
        """Links are followed. Raises OSError, OtherKindError, OwnFileError, RefusedError."""
        self._descriptor, status = _open(path, _FLAGS, rules, own, is_folder=False)
        self.size = status.st_size
        self.mode = stat.S_IMODE(status.st_mode)
        self._is_sparse = hasattr(os, "SEEK_DATA") and status.st_blocks * _BLOCK < self.size
        self._known_from = self._known_to = 0  # between them it is known where a hole ends:
        self._hole_end = 0

    def read(self, offset: int, length: int) -> Piece:
        """Up to `length` bytes; if a hole begins there, how many zeros it has. None at the end.

        Raises OSError.
        """
        if self._is_sparse:
            self._find_hole(offset)
            hole = self._hole_end - offset
            if hole >= _SMALLEST_HOLE:
                return min(hole, length)
            if 0 < self._known_to - offset < length:
                length = self._known_to - offset
        return os.pread(self._descriptor, min(length, PART_LENGTH), offset)

    def read_on(self) -> bytes:
        """The next bytes of a file without a size. Raises OSError."""
        return os.read(self._descriptor, PART_LENGTH)

    def close(self) -> None:
        os.close(self._descriptor)

    def _find_hole(self, offset: int) -> None:
        """Learns where a hole at this offset ends, and the data behind it."""
        if self._known_from <= offset < self._known_to:
            return
        self._known_from = offset
        try:
            self._hole_end = os.lseek(self._descriptor, offset, os.SEEK_DATA)
            self._known_to = os.lseek(self._descriptor, self._hole_end, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # this file system does not know its holes
                self._is_sparse = False
            self._hole_end = self._known_to = min(self.size, os.fstat(self._descriptor).st_size)
            if not self._is_sparse:
                self._hole_end = offset


def list_folder(
    path: bytes, rules: FileRules, own: ProtectedFiles, *, may_be_link: bool
) -> tuple[int, list[bytes]]:
    """The permission bits of a folder, and the names in it, in order.

    Raises OSError, OtherKindError, OwnFileError, RefusedError.
    """
    flags = _FLAGS | os.O_DIRECTORY | (0 if may_be_link else os.O_NOFOLLOW)
    descriptor, status = _open(path, flags, rules, own, is_folder=True)
    try:
        return stat.S_IMODE(status.st_mode), sorted(map(os.fsencode, os.listdir(descriptor)))
    finally:
        os.close(descriptor)


def _open(
    path: bytes, flags: int, rules: FileRules, own: ProtectedFiles, *, is_folder: bool
) -> tuple[int, os.stat_result]:
    for _ in range(_ATTEMPTS):
        _require_kind(os.stat(path), is_folder=is_folder)
        descriptor = os.open(path, flags)
        try:
            status = os.fstat(descriptor)
            _require_kind(status, is_folder=is_folder)
            real = path_of(descriptor)
            if not _is_gone(real, status):
                if not own.may_be_read(descriptor):
                    raise OwnFileError
                _require_allowed(path, real, rules, is_folder=is_folder)
                return descriptor, status
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _require_allowed(path: bytes, real: bytes, rules: FileRules, *, is_folder: bool) -> None:
    """Raises RefusedError, which also says by which path this place was reached."""
    try:
        rules.require_read(real, is_folder=is_folder)
    except RefusedError as error:
        if path == real:
            raise
        raise refusal_by_link(path, error) from None


def _require_kind(status: os.stat_result, *, is_folder: bool) -> None:
    kind = kind_of(status)
    if kind != ("folder" if is_folder else "file"):
        raise OtherKindError(kind)


def _is_gone(real: bytes, status: os.stat_result) -> bool:
    """Whether an opened file has lost its name, and what has taken its place is to be opened."""
    if not real.endswith(_DELETED):
        return False
    try:
        return not os.path.samestat(os.stat(real), status)
    except OSError:
        return True

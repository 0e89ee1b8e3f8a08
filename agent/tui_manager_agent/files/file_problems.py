"""What goes wrong with files of a host, as sentences for operators."""

import errno
import os

from tui_manager_agent.files.transfer_work import TransferError
from tui_manager_agent.policy.file_rules import show_path

_ADVICE = {
    errno.ENOSPC: "Make room on this file system, then run it again",
    errno.EDQUOT: "The quota is used up: make room or raise it, then run it again",
    errno.EROFS: "Choose another destination, or mount this file system for writing",
    errno.ENOENT: "Make the folder first, or end the destination with / so that it is made",
    errno.ENOTDIR: "A part of this path is no folder",
    errno.EBUSY: "Something is mounted there: choose another destination",
    errno.ENAMETOOLONG: "This file system takes no name of that length",
    errno.EILSEQ: "This file system takes no name with these bytes",
    errno.EFBIG: "This file system takes no file of that size",
    errno.EIO: "Check the disk of this host",
}
_NOT_ROOT = "The agent's user may not do that: choose another destination, or an agent of root"
_ROOT = "Look at the attributes of the file and of its folder (lsattr), or at the file system"


def describe(path: bytes, error: OSError, action: str = "written") -> str:
    """Which path, what the system says, what to do."""
    number = error.errno or errno.EIO
    advice = _ADVICE.get(number, "")
    if number in (errno.EACCES, errno.EPERM):
        advice = _NOT_ROOT if os.geteuid() else _ROOT
    words = f"{show_path(path)} cannot be {action}: {os.strerror(number)}."
    return f"{words} {advice}." if advice else words


class as_transfer_error:  # noqa: N801  # reads as `suppress` does; a class, as it is entered often
    """A context that turns an OSError about a path of the host into a TransferError."""

    __slots__ = ("_action", "_path")

    def __init__(self, path: bytes, action: str = "written") -> None:
        self._path = path
        self._action = action

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, OSError):
            raise TransferError(describe(self._path, error, self._action)) from error

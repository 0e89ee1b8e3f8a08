"""Reads a file of the host's owner. The file is refused if somebody else could write it."""

import os
import stat
from pathlib import Path

from tui_manager_protos.rules.files.trusted_path import UntrustedPathError, trusted_path

LARGEST = 256 * 1024  # bytes


class UntrustedFileError(Exception):
    """The file cannot be used. The text is for the host's owner."""


def configuration_folder() -> Path:
    """Where the files of the owner are, unless other ones are named."""
    if os.geteuid() == 0:
        return Path("/etc/tui-manager-agent")
    from platformdirs import user_config_path  # for those who need it

    return user_config_path("tui-manager-agent")


def signature(status: os.stat_result) -> tuple[int, ...]:
    """It differs when the file is another one, or has changed."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read_trusted(path: Path) -> tuple[str, tuple[int, ...]]:
    """The text and its signature.

    Raises UntrustedFileError if others than root and the agent's user can write the file, or if it
    is no text; OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedFileError("It is not a regular file.")
        trusted_path(path)
        data = os.read(descriptor, LARGEST + 1)
    except UntrustedPathError as error:
        raise UntrustedFileError(f"{error}.") from None
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise UntrustedFileError(f"It is longer than {LARGEST >> 10} KiB.")
    try:
        return data.decode(), signature(status)
    except UnicodeDecodeError as error:
        raise UntrustedFileError(f"It is not UTF-8 at byte {error.start}.") from error

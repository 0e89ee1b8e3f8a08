"""Unpacks the contents of a bundle into a new folder.

To be called only after the signature was checked. Still nothing is written outside of the folder,
nothing but regular files and folders is made, and no more bytes than the manifest says.
"""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tui_manager_protos.rules.files.agent_bundle import BundleError, BundleHead
from tui_manager_protos.rules.files.plain_tar import (
    END,
    FILE_MODE,
    PROGRAM_MODE,
    Member,
    TarError,
    check_zeros,
    padding,
    read_header,
)

MEMBERS_MAX = 10_000  # five times as many as a bundle has
_PIECE = 256 * 1024  # bytes that are held at once


def unpack(
    file: BinaryIO, head: BundleHead, folder: Path, check: Callable[[], object] = int
) -> None:
    """Makes the folder, with the files of a bundle in it; they are not synced to the disk.

    If it raises, the folder may be there in part. Calls `check` before each piece; it raises what
    ends the work.

    Args:
        file: the bundle.
        folder: must not exist, its parent must.

    Raises:
        BundleError: the contents break a rule, or are others than the manifest says.
        OSError: the folder cannot be written, or the bundle cannot be read.
    """
    folder.mkdir(mode=PROGRAM_MODE)
    for member, contents in _members(file, head):
        check()
        path = folder / member.path
        if member.is_folder:
            path.mkdir(mode=PROGRAM_MODE)
        else:
            _write(contents, member, path, check)


def check_members(file: BinaryIO, head: BundleHead) -> None:
    """Reads the contents of a bundle as `unpack` does, and writes nothing.

    Raises:
        BundleError, OSError: as `unpack`.
    """
    for member, contents in _members(file, head):
        left = member.size
        while left:
            left -= len(_read(contents, left))


def _members(file: BinaryIO, head: BundleHead) -> Iterator[tuple[Member, BinaryIO]]:
    """The members of the contents; whoever gets one reads its bytes before the next.

    Raises BundleError.
    """
    file.seek(head.offset)
    source = io.BufferedReader(_Part(file, head.manifest.size), _PIECE)
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as contents:
            yield from _checked(cast("BinaryIO", contents), head.manifest.unpacked)
    except (TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BundleError(f"The contents of the bundle are damaged: {error}.") from error


def _checked(tar: BinaryIO, left: int) -> Iterator[tuple[Member, BinaryIO]]:
    files: set[str] = set()
    folders = {""}
    while (member := read_header(tar)) is not None:
        left -= member.size
        if left < 0 or len(files) + len(folders) > MEMBERS_MAX:
            raise BundleError("The contents of the bundle are larger than its manifest says.")
        parent = member.path.rpartition("/")[0]
        if member.path in files or member.path in folders or parent not in folders:
            raise BundleError(
                f"The contents of the bundle have {member.path} twice, or before its folder."
            )
        (folders if member.is_folder else files).add(member.path)
        yield member, tar
        check_zeros(tar, padding(member.size))
    check_zeros(tar, len(END) // 2)  # the first block of the end is read already
    if tar.read(1):
        raise BundleError("The contents of the bundle have something after their end.")
    if left:
        raise BundleError("The contents of the bundle are smaller than its manifest says.")


def _read(tar: BinaryIO, left: int) -> bytes:
    """A piece of a member. Raises TarError."""
    piece = tar.read(min(left, _PIECE))
    if not piece:
        raise TarError("it is cut")
    return piece


def _write(tar: BinaryIO, member: Member, path: Path, check: Callable[[], object]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    mode = PROGRAM_MODE if member.is_program else FILE_MODE
    with open(os.open(path, flags, mode), "wb", buffering=0) as made:
        os.fchmod(made.fileno(), mode)  # whatever the umask is
        left = member.size
        while left:
            check()
            piece = _read(tar, left)
            left -= len(piece)
            view = memoryview(piece)
            while view:
                view = view[made.write(view) :]


class _Part(io.RawIOBase):
    """So many bytes of a file from its position on."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

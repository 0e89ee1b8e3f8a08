"""The files of this machine that a copy sends, after `find_sources.py` has hashed them: gives their
bytes piece by piece."""

import errno
import os
import stat
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.file_calls import PIECE

_HOLE_MIN = 64 * 1024  # bytes of a file in which holes are looked for
_HOLE_MAX = 1 << 30  # bytes of one piece of zeros
_PATH_MAX = 65_535  # bytes of a path of this machine: what its number in the index holds


class Located(NamedTuple):
    """Where the bytes of a file are in the data, and the file as it was when it was hashed."""

    offset: int
    size: int
    device: int
    inode: int
    modified: int
    path: bytes


class Index:
    """The distinct files in the order of their bytes, in a temporary file, as there may be very
    many."""

    _NUMBERS = struct.Struct(">QQQQqH")

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def add(self, located: Located) -> None:
        """Files come in the order of their bytes."""
        *numbers, path = located
        self._file.write(self._NUMBERS.pack(*numbers, len(path)) + path)

    def after(self, offset: int) -> Iterator[Located]:
        """The files with bytes from `offset` on."""
        self._file.flush()
        place, head = 0, self._NUMBERS.size
        while record := os.pread(self._file.fileno(), head + _PATH_MAX, place):
            begin, size, device, inode, modified, length = self._NUMBERS.unpack(record[:head])
            place += head + length
            if begin + size > offset:
                yield Located(begin, size, device, inode, modified, record[head : head + length])

    def close(self) -> None:
        """Removes it."""
        self._file.close()


class Sources:
    """Files of this machine, hashed: what `find_sources` returns. Close it when it is not needed.

    Attributes:
        files: the set that they make.
        names: of the sources, to be shown; not more than a copy shows.
        left_out: sentences on what is not sent: links to folders, devices and so on.
    """

    def __init__(
        self, manifest: BinaryIO, index: Index, files: FileSet, names: tuple[str, ...],
        left_out: tuple[str, ...],
    ) -> None:  # fmt: skip
        self._manifest = manifest
        self._index = index
        self.files = files
        self.names = names
        self.left_out = left_out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the temporary files."""
        self._manifest.close()
        self._index.close()

    def read(self, part: FileSetPart, offset: int) -> Iterator[bytes | int]:
        """The bytes of a part of the set from `offset` on: pieces of at most 1 MiB, or the number
        of bytes that are zero. Blocks.

        Raises:
            InvalidInputError: a file cannot be read, or has changed since it was hashed.
        """
        if part is FileSetPart.MANIFEST:
            return self._read_manifest(offset)
        return _joined(self._read_data(offset))

    def _read_manifest(self, offset: int) -> Iterator[bytes]:
        self._manifest.flush()
        while piece := os.pread(self._manifest.fileno(), PIECE, offset):
            yield piece
            offset += len(piece)

    def _read_data(self, offset: int) -> Iterator[bytes | int]:
        for located in self._index.after(offset):
            try:
                yield from _pieces(located, max(offset - located.offset, 0))
            except OSError as error:
                raise cannot_read(located.path, error) from error


def _joined(pieces: Iterator[bytes | int]) -> Iterator[bytes | int]:
    """The same bytes, with those of small files together in one piece."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, int) or size + len(piece) > PIECE:
            if waiting:
                yield b"".join(waiting)
            waiting, size = [], 0
        if isinstance(piece, int):
            yield piece
        else:
            waiting.append(piece)
            size += len(piece)
    if waiting:
        yield b"".join(waiting)


def _pieces(located: Located, position: int) -> Iterator[bytes | int]:
    """The bytes of a file from `position` on."""
    with opened(located.path) as file:
        _check_same(located, os.fstat(file.fileno()))
        while position < located.size:
            begin, end = _next_data(file.fileno(), position, located.size)
            if begin > position:
                length = min(begin - position, _HOLE_MAX)
                yield length
                position += length
                continue
            piece = os.pread(file.fileno(), min(end - position, PIECE), position)
            if not piece:
                raise changed(located.path)
            yield piece
            position += len(piece)
        _check_same(located, os.fstat(file.fileno()))


def _next_data(descriptor: int, position: int, size: int) -> tuple[int, int]:
    """Where the next bytes begin that the file system has stored, and where they end. What is
    before them is a hole."""
    if size <= _HOLE_MIN:
        return position, size
    try:
        begin = os.lseek(descriptor, position, os.SEEK_DATA)
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
    except OSError as error:
        only_hole = error.errno == errno.ENXIO
        return (size if only_hole else position), size  # else the file system knows no holes
    return min(begin, size), min(end, size)


def _check_same(located: Located, now: os.stat_result) -> None:
    if state(now) != (located.size, located.device, located.inode, located.modified):
        raise changed(located.path)


def state(status: os.stat_result) -> tuple[int, int, int, int]:
    """What changes with the bytes of a file, or if another one takes its place."""
    return status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns


def opened(path: bytes) -> BinaryIO:
    """The file. A pipe or a device that has taken its place is refused without waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - the caller does it
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise changed(path)
    return file


def changed(path: bytes) -> InvalidInputError:
    """The error about a file whose bytes are not those that were hashed."""
    return InvalidInputError(
        "files",
        f"{shown_path(path)} has changed while it was read; copy it when nothing writes to it.",
    )


def cannot_read(path: bytes | str, error: OSError) -> InvalidInputError:
    """The error about a file that cannot be read."""
    name = shown_path(path if isinstance(path, bytes) else os.fsencode(path))
    return InvalidInputError("files", f"{name}: {error.strerror or error}.")


def shown_path(path: bytes) -> str:
    """A path to be shown, which is UTF-8."""
    return path.decode(errors="replace")

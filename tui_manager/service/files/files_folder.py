"""The folder `files` of the state folder, which holds the bytes of file sets. All of this blocks;
the store calls it in threads.

A set is two files, `SHA256.manifest` and `SHA256.data`. The data get their name first, so a set is
there as soon as its manifest is. What is being received is in the folder `incoming`.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import StorageError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.security.private_files import private_folder

FOLDER = "files"  # in the state folder
_INCOMING = "incoming"
_HASH_LENGTH = 64  # hex digits
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """A set in the folder.

    Attributes:
        size: bytes of both parts.
        used_at: when it was last opened, seconds since 1970.
    """

    sha256: str
    size: int
    used_at: float


class FilesError(StorageError):
    """The files that this manager keeps cannot be read, written or stored: the folder, its disk, or
    what is damaged. The database can be used."""


class FolderMissingError(FilesError):
    """The folder is not in its place."""


class OpenSet:
    """The two files of a set, open for reading. They can be read after their names are gone.

    Attributes:
        users: calls that read now.
        used_at: when one began last, by a monotonic clock.
    """

    def __init__(self, files: FileSet, manifest: int, data: int) -> None:
        self.files = files
        self.users = 0
        self.used_at = 0.0
        self._descriptors = {FileSetPart.MANIFEST: manifest, FileSetPart.DATA: data}

    def read(self, part: FileSetPart, offset: int, length: int) -> bytes | int:
        """Bytes from `offset` on, at most `length`; an int: so many bytes that are zero. The
        caller keeps the range inside the part.

        Raises:
            OSError: they cannot be read.
            StorageError: the file is shorter than it was.
        """
        descriptor = self._descriptors[part]
        if hole := _hole(descriptor, offset, length):
            return hole
        data = self.read_bytes(part, offset, length)
        if not (data[0] or data[-1]) and data.count(0) == len(data):
            return len(data)
        return data

    def read_bytes(self, part: FileSetPart, offset: int, length: int) -> bytes:
        """The same, also of zeros."""
        data = os.pread(self._descriptors[part], length, offset)
        if not data:
            raise FilesError(
                f"The {part} of the file set {self.files.sha256} is damaged: it ends before byte "
                f"{offset}. Copy or fetch the files again."
            )
        return data

    def close(self) -> None:
        """Lets go of the files."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)


def _hole(descriptor: int, offset: int, length: int) -> int:
    """How many bytes from `offset` on are in a hole, at most `length`; 0: none, or the system
    cannot tell."""
    seek_data = getattr(os, "SEEK_DATA", None)
    if seek_data is None:
        return 0
    try:
        begins = os.lseek(descriptor, offset, seek_data)
    except OSError as error:
        return length if error.errno == errno.ENXIO else 0
    return min(begins - offset, length)


class FilesFolder:
    """The folder, with what is received into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.incoming = path / _INCOMING

    def prepare(self) -> None:
        """Makes the folders if they are missing, and makes them private.

        Raises:
            StorageError: one cannot be made, or belongs to another user.
        """
        for folder in (self.path, self.incoming):
            private_folder(folder)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raises FilesError instead of OSError: what is wrong with the folder, for the
        operator."""
        try:
            yield
        except OSError as error:
            raise self.storage_error(error) from error

    def storage_error(self, error: OSError) -> FilesError:
        """What an error of the system means to an operator."""
        if error.errno in _FULL:
            return FilesError(
                f"The files do not fit into {self.path}: {error.strerror}. Free some space there."
            )
        if not self.is_there():
            return FolderMissingError(
                f"The folder {self.path} is missing. Put it back in its place."
            )
        return FilesError(f"The files in {self.path} cannot be read or written: {error.strerror}.")

    def is_there(self) -> bool:
        """Whether the folder is in its place."""
        return self.incoming.is_dir()

    def place(self, sha256: str, part: FileSetPart) -> Path:
        """The file of a part of a set."""
        return self.path / f"{sha256}.{part}"

    def has(self, files: FileSet) -> bool:
        """Whether both parts of a set are there with their sizes. Raises StorageError if the folder
        is missing."""
        with self.errors():
            for part, size in files.sizes.items():
                try:
                    found = self.place(files.sha256, part).lstat()
                except FileNotFoundError:
                    if not self.is_there():
                        raise
                    return False
                if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                    return False
        return True

    def open(self, files: FileSet) -> OpenSet | None:
        """Opens a set; None: it is not there. Raises StorageError."""
        if not self.has(files):
            return None
        with self.errors(), contextlib.ExitStack() as stack:
            descriptors = []
            for part in (FileSetPart.MANIFEST, FileSetPart.DATA):
                try:
                    descriptor = os.open(self.place(files.sha256, part), _READ)
                except FileNotFoundError:  # it was removed a moment ago
                    return None
                stack.callback(os.close, descriptor)
                descriptors.append(descriptor)
            with contextlib.suppress(OSError):  # on a disk that is read-only it is only used later
                os.utime(self.place(files.sha256, FileSetPart.MANIFEST))
            stack.pop_all()
        return OpenSet(files, *descriptors)

    def stored(self) -> list[StoredFiles]:
        """All sets, those first that were not used for the longest time. A part whose other one is
        missing counts as a set. Raises StorageError."""
        found: dict[str, StoredFiles] = {}
        with self.errors(), os.scandir(self.path) as entries:
            for entry in entries:
                sha256, _, part = entry.name.partition(".")
                if len(sha256) != _HASH_LENGTH or part not in list(FileSetPart):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    known = found.get(sha256, StoredFiles(sha256, 0, 0.0))
                    found[sha256] = StoredFiles(
                        sha256, known.size + state.st_size, max(known.used_at, state.st_mtime)
                    )
        return sorted(found.values(), key=lambda one: one.used_at)

    def remove(self, sha256: str) -> None:
        """Removes a set, if it is there. Who has it open can go on reading. Raises StorageError."""
        with self.errors():
            for part in (FileSetPart.MANIFEST, FileSetPart.DATA):
                self.place(sha256, part).unlink(missing_ok=True)

    def received(self) -> dict[str, tuple[int, float]]:
        """What is being received or was left behind: the size of each file by its name, and when it
        was last written, seconds since 1970. Raises StorageError."""
        found = {}
        with self.errors(), os.scandir(self.incoming) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    found[entry.name] = state.st_size, state.st_mtime
        return found

    def free(self) -> int:
        """Bytes that are free on its disk. Raises StorageError."""
        with self.errors():
            return shutil.disk_usage(self.path).free


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Writes the fetched files of one host into its folder on this machine. Neither a name that the
host has chosen nor a link in the folder leads to a place outside it: every part of a path is opened
by its descriptor, and no link is followed."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_manager_protos.rules.files.file_manifest import Entry

from tui_manager.domain.errors import ManagerError
from tui_manager.domain.ids import new_request_id
from tui_manager.operator.local_files.safe_names import folder_name, numbered, safe_name

_BLOCK = 1024 * 1024  # bytes of one read while a file is compared
_MODE = 0o777  # what a fetched file may have: never setuid, setgid or sticky
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SAME_NAMES_MAX = 1000  # files of one host that would have one name here
_PROBLEMS_SHOWN = 20
_NEW_NAMES_KEPT = 1000
# Errors of one file, after which the others are written.
_OF_ONE_FILE = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR,
     errno.ELOOP, errno.EISDIR}
)  # fmt: skip


class SaveError(ManagerError):
    """Fetched files cannot be written, such as on a full disk."""


class _FileProblem(Exception):  # noqa: N818 - a sentence on one file
    """One file cannot be written; the others can."""


@dataclass
class Saved:
    """What became of the files of one host.

    Attributes:
        files: those of the set that are in the folder now.
        unchanged_files: of them, those that were there before.
        bytes: of these files.
        renamed: how many have another name than on the host.
        new_names: the first of them: paths on the host, and below the folder of the host here.
        problems: sentences on files that were not written, the first of them.
        failed: how many were not.
    """

    files: int = 0
    unchanged_files: int = 0
    bytes: int = 0
    renamed: int = 0
    new_names: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: int = 0

    @property
    def unchanged(self) -> bool:
        """Whether the folder had all files."""
        return 0 < self.files == self.unchanged_files and not self.failed


class HostFolder:
    """DIR/HOST, which is made if it is missing.

    Args:
        folder: DIR, which is there. Its own path may have links.
        host: its name.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self._name = folder_name(host)
        self._path = folder / self._name
        self._parts: tuple[bytes, ...] = ()  # of the folder that is open
        self._names: tuple[str, ...] = ()  # of the same here
        self._renamed = False  # whether a part of it has another name than on the host
        self._written: set[tuple[int, int]] = set()  # device and inode of each file of the set
        self.saved = Saved()
        try:
            top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._top = self._subfolder(top, self._name, _MODE)
            finally:
                os.close(top)
        except OSError as error:
            raise SaveError(f"{self._path} cannot be opened: {error.strerror}.") from error
        except _FileProblem as problem:
            raise SaveError(
                f"The files of {host} cannot be saved in {self._path}: {problem}."
            ) from None
        self._open = os.dup(self._top)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._open)
        os.close(self._top)

    def make_folder(self, entry: Entry) -> None:
        """Makes a folder of the host."""
        with self._counting_problems(entry):
            self._enter(tuple(entry.path.split(b"/")), entry.mode)

    def place(self, entry: Entry) -> "FileTarget | None":
        """Where a file belongs; None if it is there already, or cannot be there."""
        *folder, last = entry.path.split(b"/")
        with self._counting_problems(entry):
            self._enter(tuple(folder), _MODE)
            name = safe_name(last)
            place = self._free_place(entry, name)
            if place is not None:
                return place
        return None

    def _counting_problems(self, entry: Entry) -> "_Problems":
        return _Problems(self.saved, self._path, entry)

    def _free_place(self, entry: Entry, name: str) -> "FileTarget | None":
        """The first name that no other file of this set has, as when names differ in upper and
        lower case only, and the file system does not tell them apart."""
        for number in range(1, _SAME_NAMES_MAX + 1):
            chosen = name if number == 1 else numbered(name, number)
            renamed = self._renamed or chosen.encode() != entry.path.rpartition(b"/")[2]
            status = self._status(chosen)
            if status is not None and (status.st_dev, status.st_ino) in self._written:
                continue
            self._check_replaceable(status, chosen)
            if status is not None and self._is_same(chosen, status, entry):
                self._count(entry, status, new_name=chosen if renamed else None, unchanged=True)
                return None
            return FileTarget(self, entry, chosen, renamed)
        raise _FileProblem(f"{_SAME_NAMES_MAX} other files have its name here")

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._open, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _check_replaceable(self, status: os.stat_result | None, name: str) -> None:
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise _FileProblem(f"{_kind(status)} named {name} is in its place here")

    def _is_same(self, name: str, status: os.stat_result, entry: Entry) -> bool:
        """Whether the file has the contents that are to be written."""
        if status.st_size != entry.size:
            return False
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self._open)
        except OSError:  # it may be written all the same
            return False
        found = hashlib.sha256()
        with open(descriptor, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                found.update(block)
        return found.digest() == entry.sha256

    def _count(
        self, entry: Entry, status: os.stat_result, *, new_name: str | None, unchanged: bool
    ) -> None:
        self._written.add((status.st_dev, status.st_ino))
        self.saved.files += 1
        self.saved.bytes += entry.size
        self.saved.unchanged_files += unchanged
        if new_name is not None:
            self.saved.renamed += 1
            if len(self.saved.new_names) < _NEW_NAMES_KEPT:
                path = f"/{entry.path.decode(errors='backslashreplace')}"
                self.saved.new_names.append((path, "/".join((*self._names, new_name))))

    def _enter(self, parts: tuple[bytes, ...], mode: int) -> None:
        """Opens the folder with these parts, and makes what is missing."""
        if parts == self._parts:
            return
        descriptor, names = os.dup(self._top), tuple(map(safe_name, parts))
        try:
            for number, name in enumerate(names, start=1):
                inner = self._subfolder(descriptor, name, mode if number == len(parts) else _MODE)
                os.close(descriptor)
                descriptor = inner
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._open)
        self._open, self._parts, self._names = descriptor, parts, names
        self._renamed = any(name.encode() != part for name, part in zip(names, parts, strict=True))

    def _subfolder(self, parent: int, name: str, mode: int) -> int:
        """The descriptor of a folder within a folder, which is made if it is missing."""
        with suppress(FileExistsError):
            os.mkdir(name, mode & _MODE | stat.S_IRWXU, dir_fd=parent)
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            raise _FileProblem(
                f"{_kind(status)} named {name} is here in place of its folder"
            ) from error


class FileTarget:
    """The place of one file. It appears there whole, by a rename, or not at all."""

    def __init__(self, folder: HostFolder, entry: Entry, name: str, renamed: bool) -> None:
        self._folder = folder
        self._entry = entry
        self._name = name
        self._renamed = renamed

    def write(self, pieces: Iterable[bytes | int]) -> None:
        """Writes the file.

        Args:
            pieces: its bytes, or the number of those that are zero.

        Raises:
            SaveError: the disk is full, and so on. A file that cannot be written although others
                can is counted as a problem.
        """
        folder = self._folder
        with folder._counting_problems(self._entry):
            partial = f".tui-manager.{new_request_id()}.part"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            mode = self._entry.mode & _MODE | stat.S_IRUSR | stat.S_IWUSR
            descriptor = os.open(partial, flags, mode, dir_fd=folder._open)
            try:
                status = self._fill(descriptor, pieces)
                # Looked at again: time has passed, and a rename replaces a link without a word.
                folder._check_replaceable(folder._status(self._name), self._name)
                os.rename(partial, self._name, src_dir_fd=folder._open, dst_dir_fd=folder._open)
            except BaseException:
                with suppress(OSError):
                    os.unlink(partial, dir_fd=folder._open)
                raise
            new_name = self._name if self._renamed else None
            folder._count(self._entry, status, new_name=new_name, unchanged=False)

    def _fill(self, descriptor: int, pieces: Iterable[bytes | int]) -> os.stat_result:
        found = hashlib.sha256()
        with open(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                if isinstance(piece, int):
                    file.seek(piece, os.SEEK_CUR)
                    _update_with_zeros(found, piece)
                else:
                    _write_whole(file.fileno(), piece)
                    found.update(piece)
            os.ftruncate(file.fileno(), self._entry.size)
            status = os.fstat(file.fileno())
        if found.digest() != self._entry.sha256:
            raise _FileProblem("what came of it has another hash")
        return status


class _Problems:
    """Counts what prevents one file, and turns what prevents all into a SaveError."""

    def __init__(self, saved: Saved, folder: Path, entry: Entry) -> None:
        self._saved = saved
        self._folder = folder
        self._entry = entry

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        shown = f"/{self._entry.path.decode(errors='replace')}"
        if isinstance(error, _FileProblem):
            why = str(error)
        elif isinstance(error, OSError):
            if error.errno not in _OF_ONE_FILE:
                raise SaveError(
                    f"{self._folder}: {shown} cannot be written: {error.strerror}."
                ) from error
            why = str(error.strerror)
        else:
            return False
        self._saved.failed += 1
        if len(self._saved.problems) < _PROBLEMS_SHOWN:
            self._saved.problems.append(f"{shown} is not in {self._folder}: {why}")
        return True


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _update_with_zeros(found: "hashlib._Hash", number: int) -> None:
    block = bytes(min(number, _BLOCK))
    while number:
        found.update(block[:number])
        number -= min(number, len(block))


def _kind(status: os.stat_result) -> str:
    """`a folder`: what stands where a file or a folder belongs."""
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISLNK, "a link"),
        (stat.S_ISREG, "a file"),
    ):
        if test(status.st_mode):
            return name
    return "a device or a pipe"

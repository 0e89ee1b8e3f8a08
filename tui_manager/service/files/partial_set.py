"""A file set that is being received: two files in the folder `incoming` that grow. All of this
blocks, and one thread at a time uses it."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.service.files.check_data import WrongDataError, check_data, check_manifest
from tui_manager.service.files.files_folder import FilesFolder, sync_folder

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_SYNC_EVERY = 8 << 20  # bytes
_PARTS = (FileSetPart.MANIFEST, FileSetPart.DATA)


class PartialSet:
    """What has arrived of a set. It stays in the folder when this is closed, so that a later
    attempt goes on there."""

    def __init__(self, folder: FilesFolder, files: FileSet, name: str) -> None:
        """Opens what an earlier attempt has left under this name, or begins.

        Raises:
            StorageError: that cannot be read or written.
            InvalidInputError: the manifest that is there breaks a rule.
        """
        self.files = files
        self.name = name
        self._folder = folder
        self._sizes = files.sizes
        self._have = dict.fromkeys(_PARTS, 0)
        self._synced = dict.fromkeys(_PARTS, 0)  # bytes whose way to the disk has begun
        self._open: dict[FileSetPart, int] = {}
        try:
            with folder.errors():
                for part in _PARTS:
                    self._open[part] = os.open(self._path(part), _FLAGS, 0o600)
                    self._have[part] = os.fstat(self._open[part]).st_size
            self._resume()
        except BaseException:
            self.close()
            raise

    def _resume(self) -> None:
        """Goes on with what is there. What cannot be used is removed."""
        for part in _PARTS:
            if self.lacks(part) < 0:
                self._truncate(part)
        if self._have[FileSetPart.MANIFEST] and not self.lacks(FileSetPart.MANIFEST):
            with contextlib.suppress(WrongDataError):  # it has to come again
                self._check_manifest()
        if self.lacks(FileSetPart.MANIFEST) and self._have[FileSetPart.DATA]:
            self._truncate(FileSetPart.DATA)

    @property
    def arrived(self) -> int:
        """Bytes of both parts that have arrived."""
        return sum(self._have.values())

    @property
    def lacking(self) -> int:
        """Bytes of both parts that are missing."""
        return sum(map(self.lacks, _PARTS))

    def have(self, part: FileSetPart) -> int:
        """Bytes of a part that have arrived."""
        return self._have[part]

    def lacks(self, part: FileSetPart) -> int:
        """Bytes of a part that are missing."""
        return self._sizes[part] - self._have[part]

    def append(self, part: FileSetPart, offset: int, data: bytes | int) -> None:
        """Adds bytes at the end of a part; an int: so many that are zero.

        Raises:
            InvalidInputError: they are not the next ones, or more than there can be; or the
                manifest is whole with them, and breaks a rule.
            StorageError: they cannot be written; what was there is there still.
        """
        length = data if isinstance(data, int) else len(data)
        if part is FileSetPart.DATA and self.lacks(FileSetPart.MANIFEST):
            raise InvalidInputError("files", "The manifest has to arrive before the data.")
        if offset != self._have[part] or not 0 < length <= self.lacks(part):
            raise InvalidInputError(
                "files",
                f"The {part} of the file set {self.files.sha256} goes on at byte "
                f"{self._have[part]} of {self._sizes[part]}; {length} bytes for byte {offset} "
                "arrived.",
            )
        with self._folder.errors():
            try:
                self._write(part, offset, data)
            except OSError:
                with contextlib.suppress(OSError):  # a later attempt looks at the size again
                    os.ftruncate(self._open[part], offset)
                raise
        self._have[part] = offset + length
        self._begin_sync(part)
        if part is FileSetPart.MANIFEST and not self.lacks(part):
            self._check_manifest()

    def _write(self, part: FileSetPart, offset: int, data: bytes | int) -> None:
        descriptor = self._open[part]
        if isinstance(data, int):
            os.ftruncate(descriptor, offset + data)
            return
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def _begin_sync(self, part: FileSetPart) -> None:
        """Lets the system begin to write what has arrived to the disk, so that the last bytes need
        not wait for all of it. Nothing is waited for."""
        begun, have = self._synced[part], self._have[part]
        if have - begun >= _SYNC_EVERY and hasattr(os, "posix_fadvise"):
            self._synced[part] = have
            with contextlib.suppress(OSError):  # it is only sooner
                os.posix_fadvise(self._open[part], begun, have - begun, os.POSIX_FADV_DONTNEED)

    def _truncate(self, part: FileSetPart) -> None:
        with self._folder.errors():
            os.ftruncate(self._open[part], 0)
        self._have[part] = self._synced[part] = 0

    def _check_manifest(self) -> None:
        """Raises InvalidInputError if the manifest breaks a rule; then nothing is kept of it."""
        try:
            with self._folder.errors(), self._reader(FileSetPart.MANIFEST) as manifest:
                check_manifest(manifest, self.files)
        except InvalidInputError:
            self._truncate(FileSetPart.MANIFEST)
            raise

    def _reader(self, part: FileSetPart) -> BinaryIO:
        """The file of a part for reading; it leaves the descriptor open."""
        return open(self._open[part], "rb", closefd=False)

    def check(self) -> None:
        """Checks that all has arrived and fits its hashes, and makes it durable.

        Raises:
            InvalidInputError: some bytes are missing.
            WrongDataError: some have another hash; nothing of the data is kept.
            StorageError: they cannot be read or written.
        """
        for part in _PARTS:
            if self.lacks(part):
                raise InvalidInputError(
                    "files",
                    f"The {part} of the file set {self.files.sha256} is not whole: "
                    f"{self._have[part]} of {self._sizes[part]} bytes have arrived.",
                )
        try:
            with (
                self._folder.errors(),
                self._reader(FileSetPart.MANIFEST) as manifest,
                self._reader(FileSetPart.DATA) as data,
            ):
                check_data(manifest, data)
                for descriptor in self._open.values():
                    os.fsync(descriptor)
        except WrongDataError:
            self._truncate(FileSetPart.DATA)
            raise

    def move_into_place(self) -> None:
        """Gives the parts their names in the folder, durably. Only what is checked.

        Raises:
            StorageError: that is not possible now.
        """
        with self._folder.errors():
            for part in (FileSetPart.DATA, FileSetPart.MANIFEST):
                path, place = self._path(part), self._folder.place(self.files.sha256, part)
                if part is FileSetPart.MANIFEST or path.exists():  # an attempt may have moved data
                    path.replace(place)
                place.lstat()  # raises OSError if somebody has removed them
            sync_folder(self._folder.path)

    def close(self) -> None:
        """Lets go of the files. Empty ones are removed."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        if not self.arrived:
            with contextlib.suppress(OSError):
                for part in _PARTS:
                    self._path(part).unlink(missing_ok=True)

    def _path(self, part: FileSetPart) -> Path:
        return self._folder.incoming / f"{self.name}.{part}"

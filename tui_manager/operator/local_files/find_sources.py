"""Reads the files of this machine that a copy sends: walks through folders, hashes each file, and
writes the manifest. `upload.py` gives the bytes to the manager."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from typing import BinaryIO

from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    check_path,
    encode,
)

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.copy_and_fetch import SOURCES_SHOWN, FileSet
from tui_manager.operator.local_files.source_bytes import (
    Index,
    Located,
    Sources,
    cannot_read,
    changed,
    opened,
    shown_path,
    state,
)

_BLOCK = 1024 * 1024  # bytes of one read while a file is hashed
_HASHES_KEPT = 200_000  # by which equal files are found; an equal one later is sent again
_LEFT_OUT_SHOWN = 20  # names
_MODE = 0o777  # what a source gives to its copy: never setuid, setgid or sticky

OnRead = Callable[[int, int], None]


class Canceled(Exception):  # noqa: N818 - it is no error
    """`stop` said that the result is not wanted any more."""


def find_sources(
    paths: Sequence[str | bytes | os.PathLike[str]],
    *,
    recursive: bool,
    on_progress: OnRead | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sources:
    """Walks through the sources of a copy and hashes them. Blocks. A link that is named as a source
    is followed; within a folder, links to files are followed, those to folders are left out.

    Args:
        paths: of files, and of folders if `recursive`.
        on_progress: is called with the bytes and files that are hashed.
        stop: whether to raise Canceled.

    Raises:
        InvalidInputError: ("files") a source cannot be copied.
    """
    reader = _Reader(recursive, on_progress, stop)
    try:
        return reader.read([os.fsencode(path) for path in paths])
    except BaseException:
        reader.close()
        raise


class _Reader:
    """Makes the manifest of some sources."""

    def __init__(
        self, recursive: bool, on_progress: OnRead | None, stop: Callable[[], bool] | None
    ) -> None:
        self._recursive = recursive
        self._on_progress = on_progress
        self._stop = stop
        self._manifest: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - see `close`
        self._index = Index()
        self._manifest_hash = hashlib.sha256()
        self._offsets: dict[bytes, int] = {}  # by the hash of a file
        self._size = 0  # bytes of the data
        self._bytes = 0  # of all files
        self._hashed = 0  # bytes, with those of the file that is read now
        self._files = 0
        self._left_out: list[str] = []
        self._left_out_count = 0

    def close(self) -> None:
        """Removes the temporary files."""
        self._manifest.close()
        self._index.close()

    def read(self, paths: Sequence[bytes]) -> Sources:
        """All sources."""
        names = [_name(path) for path in paths]
        _check_distinct(names, paths)
        for path, name in zip(paths, names, strict=True):
            try:
                self._read_source(path, name)
            except OSError as error:
                raise cannot_read(error.filename or path, error) from error
            except ValueError:  # of a path with a NUL
                raise InvalidInputError("files", f"{path!r} is not the path of a file.") from None
        size = self._manifest.tell()
        if not size:
            raise InvalidInputError("files", "There is nothing to copy; name files.")
        files = FileSet(self._manifest_hash.hexdigest(), size, self._size, self._files, self._bytes)
        shown = tuple(shown_path(name) for name in names[:SOURCES_SHOWN])
        return Sources(self._manifest, self._index, files, shown, self._sentences())

    def _sentences(self) -> tuple[str, ...]:
        more = self._left_out_count - len(self._left_out)
        return (*self._left_out, *((f"{more} more are left out",) if more else ()))

    def _read_source(self, path: bytes, name: bytes) -> None:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            if not self._recursive:
                raise InvalidInputError(
                    "files", f"{shown_path(path)} is a folder; --recursive copies what is in it."
                )
            self._read_folder(path, name)
        elif stat.S_ISREG(status.st_mode):
            self._read_file(path, name)
        else:
            raise InvalidInputError(
                "files",
                f"{shown_path(path)} is no regular file, and only files and folders are copied.",
            )

    def _read_folder(self, path: bytes, name: bytes) -> None:
        """A folder and what is in it, each folder before its contents, in the order of bytes."""
        waiting = [(path, name)]
        while waiting:
            path, name = waiting.pop()
            mode = stat.S_IMODE(os.stat(path).st_mode)
            self._add(Entry(self._checked(name, path), EntryKind.FOLDER, mode & _MODE))
            folders = []
            with os.scandir(path) as found:
                children = sorted(found, key=lambda child: child.name)
            for child in children:
                inner = name + b"/" + child.name
                if child.is_dir(follow_symlinks=False):
                    folders.append((child.path, inner))
                else:
                    self._read_child(child, inner)
            waiting += reversed(folders)

    def _read_child(self, child: os.DirEntry[bytes], name: bytes) -> None:
        if child.is_file():
            self._read_file(child.path, name)
        elif child.is_symlink():
            whither = "a folder" if child.is_dir() else "nothing that can be copied"
            self._leave_out(f"{shown_path(child.path)} is left out: it is a link to {whither}")
        else:
            self._leave_out(f"{shown_path(child.path)} is left out: it is no regular file")

    def _leave_out(self, sentence: str) -> None:
        self._left_out_count += 1
        if len(self._left_out) < _LEFT_OUT_SHOWN:
            self._left_out.append(sentence)

    def _read_file(self, path: bytes, name: bytes) -> None:
        self._checked(name, path)
        with opened(path) as file:
            before = os.fstat(file.fileno())
            digest = self._hash(path, file, before.st_size)
            if state(os.fstat(file.fileno())) != state(before):
                raise changed(path)
        offset = self._offsets.get(digest, self._size)
        if offset == self._size:
            if len(self._offsets) < _HASHES_KEPT:
                self._offsets[digest] = offset
            size, device, inode, modified = state(before)
            if size:
                self._index.add(Located(offset, size, device, inode, modified, path))
            self._size += size
        mode = stat.S_IMODE(before.st_mode) & _MODE
        self._add(Entry(name, EntryKind.FILE, mode, before.st_size, digest, offset))
        self._files += 1
        self._bytes += before.st_size
        self._tell()

    def _hash(self, path: bytes, file: BinaryIO, size: int) -> bytes:
        """The hash of the first `size` bytes."""
        found, left = hashlib.sha256(), size
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise changed(path)
            found.update(block)
            left -= len(block)
            self._hashed += len(block)
            self._tell()
        return found.digest()

    def _tell(self) -> None:
        if self._stop is not None and self._stop():
            raise Canceled
        if self._on_progress is not None:
            self._on_progress(self._hashed, self._files)

    def _checked(self, name: bytes, path: bytes) -> bytes:
        try:
            check_path(name)
        except ManifestError as error:
            raise InvalidInputError(
                "files", f"{shown_path(path)} cannot be copied: {error}"
            ) from None
        return name

    def _add(self, entry: Entry) -> None:
        record = encode(entry)
        self._manifest_hash.update(record)
        self._manifest.write(record)


def _name(path: bytes) -> bytes:
    """The name under which a source comes to a host."""
    name = os.path.basename(path.rstrip(b"/"))
    if name in (b"", b".", b".."):
        raise InvalidInputError(
            "files", f"{shown_path(path)!r} has no name; name the folder itself."
        )
    return name


def _check_distinct(names: Sequence[bytes], paths: Sequence[bytes]) -> None:
    first: dict[bytes, bytes] = {}
    for name, path in zip(names, paths, strict=True):
        if name in first:
            raise InvalidInputError(
                "files",
                f"{shown_path(first[name])} and {shown_path(path)} would have the same name on a "
                "host; copy them one after the other.",
            )
        first[name] = path

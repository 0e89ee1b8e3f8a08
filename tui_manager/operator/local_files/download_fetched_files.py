"""Saves what was fetched from a host into a folder of this machine: reads the file set from the
manager, and leaves alone what is there already."""

import asyncio
import concurrent.futures
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    ManifestTotals,
    checked,
    read_entries,
)

from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.domain.task_spec.copy_and_fetch import FileSet, FileSetPart
from tui_manager.operator.file_calls import FileCalls
from tui_manager.operator.local_files.safe_names import folder_name
from tui_manager.operator.local_files.write_fetched_files import HostFolder, Saved, SaveError

PATIENCE = 10.0  # seconds without a manager after which the saving ends
_RETRY_AFTER = 0.5  # seconds
_SKIPPED_MAX = 1024 * 1024  # bytes that are read in vain rather than asked for anew

OnSave = Callable[[Saved], None]
_Value = TypeVar("_Value")


class _StoppedError(Exception):
    """The caller does not wait any more."""


async def download_fetched_files(
    operator: FileCalls,
    files: FileSet,
    folder: Path,
    host: str,
    on_progress: OnSave | None = None,
    *,
    patience: float = PATIENCE,
) -> Saved:
    """Writes the files of a set into `folder`/`host`, under safe names, and never outside of it.
    The bytes of a file that is there already are not read from the manager.

    Args:
        folder: is there.
        on_progress: is called after each file, by another thread.
        patience: seconds without an answer after which the manager counts as lost.

    Raises:
        SaveError: this machine cannot write them, such as on a full disk.
        NotFoundError: the manager has removed the set.
        UnreachableError: the manager is lost.
    """
    stream = _Stream(operator, files, patience)
    saving = asyncio.ensure_future(asyncio.to_thread(_save, stream, folder, host, on_progress))
    try:
        return await asyncio.shield(saving)
    except asyncio.CancelledError:
        stream.stop()
        await asyncio.gather(saving, return_exceptions=True)
        raise
    finally:
        await stream.close()


def _save(stream: "_Stream", folder: Path, host: str, on_progress: OnSave | None) -> Saved:
    """The work, in a thread of its own."""
    try:
        with tempfile.TemporaryFile() as manifest:
            _copy_manifest(stream, manifest)
            if problem := _too_much(stream.files, folder, host):
                return Saved(problems=[problem], failed=stream.files.files)
            with HostFolder(folder, host) as target:
                for entry in _entries(manifest, stream.files):
                    _save_entry(stream, target, entry)
                    if on_progress is not None:
                        on_progress(target.saved)
                return target.saved
    except OSError as error:  # of the temporary file
        raise SaveError(f"The list of the files of {host} cannot be kept: {error}.") from error


def _too_much(files: FileSet, folder: Path, host: str) -> str:
    """Why these files are not written at all; empty: they are. A host may name the same bytes
    again and again, and a little data would fill the disk, so that nothing of others is saved."""
    if files.bytes <= files.size:
        return ""
    free = shutil.disk_usage(folder).free
    if files.bytes <= free or files.bytes <= free + _size_on_disk(folder / folder_name(host)):
        return ""
    return (
        f"no file of {host} is written: together they have {files.bytes:,} bytes, and {free:,} are "
        f"free in {folder}"
    )


def _size_on_disk(folder: Path) -> int:
    """Bytes of the files in a folder, if there is one: what is there already needs no room."""
    size = 0
    with contextlib.suppress(OSError):
        for _, _, names, descriptor in os.fwalk(folder):
            for name in names:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def _save_entry(stream: "_Stream", target: HostFolder, entry: Entry) -> None:
    stream.check_stopped()
    if entry.kind is EntryKind.FOLDER:
        target.make_folder(entry)
    elif place := target.place(entry):
        place.write(stream.read(FileSetPart.DATA, entry.offset, entry.size))


def _copy_manifest(stream: "_Stream", manifest: BinaryIO) -> None:
    found, files = hashlib.sha256(), stream.files
    for piece in stream.read(FileSetPart.MANIFEST, 0, files.manifest_size):
        data = bytes(piece) if isinstance(piece, int) else piece
        manifest.write(data)
        found.update(data)
    if found.hexdigest() != files.sha256:
        raise StorageError(f"The file set {files.sha256[:12]} of the manager is damaged.")
    manifest.seek(0)


def _entries(manifest: BinaryIO, files: FileSet) -> Iterator[Entry]:
    try:
        yield from checked(read_entries(manifest), ManifestTotals())
    except ManifestError as error:
        raise StorageError(
            f"The list of the file set {files.sha256[:12]} is wrong: {error}"
        ) from None


class _Stream:
    """Reads a file set from the manager, for a thread beside the event loop. Goes on at the byte
    where a lost manager stopped."""

    def __init__(self, operator: FileCalls, files: FileSet, patience: float) -> None:
        self.files = files
        self._operator = operator
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._waits: concurrent.futures.Future[Any] | None = None
        self._pieces: AsyncIterator[bytes | int] | None = None
        self._part = FileSetPart.MANIFEST  # of `_pieces`
        self._position = 0  # of the next byte of the part
        self._piece: bytes | int = b""  # the last one
        self._used = 0  # bytes of it

    def stop(self) -> None:
        """Ends the thread's reading. Called on the loop."""
        self._stopped.set()
        if self._waits is not None:
            self._waits.cancel()

    def check_stopped(self) -> None:
        """Raises if the thread must end."""
        if self._stopped.is_set():
            raise _StoppedError

    async def close(self) -> None:
        """Ends the call to the manager."""
        pieces, self._pieces = self._pieces, None
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()

    def read(self, part: FileSetPart, offset: int, size: int) -> Iterator[bytes | int]:
        """The bytes of a part from `offset` on, `size` of them."""
        if size:
            self._seek(part, offset)
        while size:
            piece = self._next(size)
            size -= _length(piece)
            yield piece

    def _seek(self, part: FileSetPart, offset: int) -> None:
        skip = offset - self._position
        if self._pieces is None or part is not self._part or not 0 <= skip <= _SKIPPED_MAX:
            self._on_loop(self.close())
            self._part, self._position, self._piece, self._used = part, offset, b"", 0
            return
        while skip:
            skip -= _length(self._next(skip))

    def _next(self, limit: int) -> bytes | int:
        """The next bytes, at most `limit`."""
        self.check_stopped()
        if self._used == _length(self._piece):
            self._piece, self._used = self._on_loop(self._receive()), 0
        length = min(_length(self._piece) - self._used, limit)
        begin = self._used
        self._used += length
        self._position += length
        return length if isinstance(self._piece, int) else self._piece[begin : begin + length]

    async def _receive(self) -> bytes | int:
        """The next piece. Asks anew while the manager is lost, until the patience has ended."""
        lost_at = None
        while True:
            try:
                if self._pieces is None:
                    self._pieces = self._operator.read_files(self.files, self._part, self._position)
                async for piece in self._pieces:
                    if piece:
                        return piece
                raise StorageError(
                    f"The file set {self.files.sha256[:12]} of the manager is not complete."
                )
            except UnreachableError:
                now = time.monotonic()
                lost_at = lost_at or now
                await self.close()
                if now - lost_at >= self._patience:
                    raise
            await asyncio.sleep(_RETRY_AFTER)

    def _on_loop(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        """The result of a coroutine on the loop, for which the thread waits."""
        waits = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._waits = waits
        if self._stopped.is_set():
            waits.cancel()
        try:
            return waits.result()
        except concurrent.futures.CancelledError:
            raise _StoppedError from None


def _length(piece: bytes | int) -> int:
    return piece if isinstance(piece, int) else len(piece)

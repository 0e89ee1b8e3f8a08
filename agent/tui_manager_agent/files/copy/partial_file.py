"""The bytes of one file of a copy before it gets its name.

They are in a file of their own in the same folder. Only its owner can read this file until it is
complete.
"""

import os
import stat

from tui_manager_protos.rules.files.file_manifest import Entry

from tui_manager_agent.files.copy.destination import Folders, Parts
from tui_manager_agent.files.copy.mode_and_owner import Attributes
from tui_manager_agent.files.file_problems import as_transfer_error
from tui_manager_agent.files.hashing import add_zeros, hash_file, new_sha256
from tui_manager_agent.files.transfer_work import Piece, StopSignal, TransferError
from tui_manager_agent.policy.file_rules import show_path
from tui_manager_agent.supervisor.record import write_at

RESUMED_FROM = 256 * 1024  # bytes: a file up to this size is cheaper to ask for again
_FLUSH = 8 << 20  # bytes that wait in memory for the disk at most
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def partial_name(execution_id: str, number: int) -> bytes:
    """The name of the partial file of the entry with this number in the manifest."""
    return f".tui-manager.{execution_id}.{number}.part".encode()


class PartialFile:
    """The partial file of one entry.

    Attributes:
        position: bytes that are in it.
    """

    def __init__(
        self, folders: Folders, parts: Parts, path: bytes, name: bytes, entry: Entry
    ) -> None:
        """`parts`, `path`: of the file that it becomes."""
        self.position = 0
        self._folders = folders
        self._folder = parts[:-1]
        self._path = path
        self._name = name
        self._entry = entry
        self._hashed = new_sha256()
        self._state: tuple[int, ...] = ()  # when it was closed last
        self._flushed = 0
        self._is_synced = False

    @property
    def is_complete(self) -> bool:
        return self.position == self._entry.size

    def resume(self, uids: set[int], stop: StopSignal) -> None:
        """Continues with the partial file that an earlier agent left, if it can be used.

        Args:
            uids: whose it may be.
        """
        folder = self._folders.find(self._folder)
        if folder is None:
            return
        try:
            descriptor = os.open(self._name, os.O_RDONLY | _FLAGS, dir_fd=folder)
        except OSError:  # nothing, or nothing of ours
            return
        try:
            with as_transfer_error(self._path):
                self._take_up(descriptor, uids, stop)
        finally:
            os.close(descriptor)

    def _take_up(self, descriptor: int, uids: set[int], stop: StopSignal) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid not in uids:
            return
        os.fchmod(descriptor, 0o600)  # it may have had its last mode already
        size = min(status.st_size, self._entry.size)
        hashed = hash_file(descriptor, size, stop.check)
        if size < self._entry.size or hashed.digest() == self._entry.sha256:
            self.position, self._hashed = size, hashed
            self._state = _state(os.fstat(descriptor))

    def restart(self, descriptor: int) -> None:
        """Empties the file."""
        with as_transfer_error(self._path):
            os.ftruncate(descriptor, 0)
        self.position = 0
        self._flushed = 0
        self._hashed = new_sha256()

    def open(self) -> int:
        """A descriptor to `add` with. A file that was not taken up begins empty.

        Raises TransferError.
        """
        folder = self._folders.open(self._folder)
        with as_transfer_error(self._path):
            if self.position:
                descriptor = self._reopen(folder, os.O_RDWR)
                os.ftruncate(descriptor, self.position)
                return descriptor
            try:
                descriptor = self._create(folder)
            except FileExistsError:
                os.unlink(self._name, dir_fd=folder)
                descriptor = self._create(folder)
            return descriptor

    def _create(self, folder: int) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS
        return os.open(self._name, flags, 0o600, dir_fd=folder)

    def _reopen(self, folder: int, access: int) -> int:
        descriptor = os.open(self._name, access | _FLAGS, dir_fd=folder)
        if _state(os.fstat(descriptor)) != self._state:
            os.close(descriptor)
            raise self._replaced()
        return descriptor

    def _replaced(self) -> TransferError:
        return TransferError(
            f"Another program has replaced {show_path(self._name)} beside "
            f"{show_path(self._path)} while it was written. Find out which, then run it again."
        )

    def add(self, descriptor: int, piece: Piece, stop: StopSignal) -> None:
        """Writes the next piece. Raises TransferError."""
        length = piece if isinstance(piece, int) else len(piece)
        if self.position + length > self._entry.size:
            raise TransferError(f"More bytes came for {show_path(self._path)} than it has.")
        with as_transfer_error(self._path):
            if isinstance(piece, int):
                os.ftruncate(descriptor, self.position + length)  # a hole, which takes no room
                add_zeros(self._hashed, length, stop.check)
            else:
                write_at(descriptor, piece, self.position)
                self._hashed.update(piece)
        self.position += length
        if self.position - self._flushed >= _FLUSH:
            self._flush(descriptor)

    def _flush(self, descriptor: int) -> None:
        """Makes the system begin to write, so that the sync at the end is short, and so that a
        large copy does not take the memory for files from the host's other programs."""
        if hasattr(os, "posix_fadvise"):
            begin = max(0, self._flushed - _FLUSH)
            os.posix_fadvise(descriptor, begin, 0, os.POSIX_FADV_DONTNEED)
        self._flushed = self.position

    def fits(self) -> bool:
        """Whether its bytes are those of the entry."""
        return self.is_complete and self._hashed.digest() == self._entry.sha256

    def finish(self, descriptor: int, attributes: Attributes, old: os.stat_result | None) -> None:
        """Gives it mode and owner when it is whole. Raises TransferError."""
        with as_transfer_error(self._path):
            status = os.fstat(descriptor)
            if status.st_uid not in attributes.uids(old):  # that user may have it open still
                raise self._replaced()
            if status.st_size != self._entry.size:
                os.ftruncate(descriptor, self._entry.size)
            attributes.apply(descriptor, self._entry, old)
            if attributes.file_mode(self._entry) & stat.S_IRUSR:
                self._flush(descriptor)
            else:  # `open_to_sync` could not open it
                os.fsync(descriptor)
                self._is_synced = True
            self._state = _state(os.fstat(descriptor))

    def open_to_sync(self) -> int | None:
        """A descriptor for `sync_files`; None: it is durable already. Raises TransferError."""
        if self._is_synced:
            return None
        folder = self._folders.open(self._folder)
        with as_transfer_error(self._path):
            return self._reopen(folder, os.O_RDONLY)

    def rename(self, name: bytes, stop: StopSignal) -> None:
        """Gives it its name. Raises TransferError, StoppedError."""
        folder = self._folders.open(self._folder)
        with as_transfer_error(self._path):
            status = os.stat(self._name, dir_fd=folder, follow_symlinks=False)
            if _state(status) != self._state:
                raise self._replaced()
            stop.check()
            os.rename(self._name, name, src_dir_fd=folder, dst_dir_fd=folder)


def _state(status: os.stat_result) -> tuple[int, ...]:
    """The state of a file. It differs for another file, also for one that got the number of a file
    that is gone."""
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_uid, status.st_size

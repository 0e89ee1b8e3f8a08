"""Checks a copy before anything is written: what the policy of the owner forbids, what is in the
way, and whether the disk has room."""

import os
import stat
from collections.abc import Iterable
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind

from tui_manager_agent.files.copy.destination import MAKE_MODE, Destination, Folders, Parts, find_at
from tui_manager_agent.files.copy.existing_file import (
    backup_name,
    look,
    refuse_policy,
    require_folder,
)
from tui_manager_agent.files.copy.file_groups import GROUP_BYTES
from tui_manager_agent.files.copy.mode_and_owner import Attributes
from tui_manager_agent.files.copy.partial_file import RESUMED_FROM, partial_name
from tui_manager_agent.files.file_problems import as_transfer_error
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.policy.file_rules import FileRules, show_path
from tui_manager_agent.policy.policy import RefusedError

_UNIT = 512  # bytes of a block in `stat`


@dataclass(slots=True)
class _Room:
    """What one file system has and must have, in bytes.

    Attributes:
        folder: one on it, for the operator.
        needed: beside what goes with the old files.
        new: of all new files.
        largest: of one file.
    """

    folder: bytes
    free: int
    free_files: int
    needed: int = 0
    needed_files: int = 0
    new: int = 0
    largest: int = 0


@dataclass(slots=True, kw_only=True)
class CopyCheck:
    """Looks at the place of each entry. Nothing is written."""

    destination: Destination
    folders: Folders
    attributes: Attributes
    rules: FileRules
    own: ProtectedFiles
    stop: StopSignal
    execution_id: str
    backup: bool
    stamp: str
    _rooms: dict[int, _Room] = field(default_factory=dict)

    def run(self, entries: Iterable[tuple[int, Entry]]) -> None:
        """`entries` with their numbers. Raises TransferError, RefusedError, StoppedError."""
        self._judge_made_folders()
        for number, entry in entries:
            self.stop.check()
            parts = self.destination.parts(entry.path)
            if entry.kind is EntryKind.FOLDER:
                self._look_at_folder(parts, entry)
            else:
                self._look_at_file(number, parts, entry)
        for room in self._rooms.values():
            _require_room(room)

    def _judge_made_folders(self) -> None:
        missing = self.destination.missing
        for end in range(1, len(missing) + 1):
            if self.folders.find(missing[:end]) is None:
                path = self.destination.full(missing[:end])
                self.rules.require_write(path, is_folder=True, mode=MAKE_MODE)

    def _look_at_folder(self, parts: Parts, entry: Entry) -> None:
        path = self.destination.full(parts)
        parent = self.folders.find(parts[:-1])
        status = None if parent is None else find_at(parent, parts[-1], path)
        if status is not None:
            require_folder(status, path)
            self.folders.open(parts)  # refuses the agent's own
            return
        mode = self.attributes.folder_mode(entry)
        self.rules.require_write(path, is_folder=True, mode=mode)

    def _look_at_file(self, number: int, parts: Parts, entry: Entry) -> None:
        path = self.destination.full(parts)
        try:
            self.rules.require_write(path, mode=self.attributes.file_mode(entry))
        except RefusedError:
            self._require_no_policy(parts, path)
            raise
        folder = self.folders.find(parts[:-1])
        status = None
        partial = 0
        if folder is not None:
            status = look(folder, parts[-1], path, self.own)
            partial = self._size_of_partial(folder, number, entry)
        if status is not None and self.backup:
            backup = self.destination.full((*parts[:-1], backup_name(parts[-1], self.stamp)))
            self.rules.require_write(backup, mode=stat.S_IMODE(status.st_mode))
        if status is None or status.st_size != entry.size:
            room = self._room(self.folders.open(()) if folder is None else folder, path)
            self._count(room, entry.size - partial, status)

    def _require_no_policy(self, parts: Parts, path: bytes) -> None:
        """Raises TransferError if the owner's policy is there: no change of it would allow that, so
        its refusal would say something wrong."""
        try:
            folder = self.folders.find(parts[:-1])
        except TransferError:  # the refusal does not tell what is there
            return
        if folder is not None:
            refuse_policy(folder, parts[-1], path, self.own)

    def _size_of_partial(self, folder: int, number: int, entry: Entry) -> int:
        """Bytes of disk that the copy itself took before a restart."""
        if entry.size <= RESUMED_FROM:
            return 0
        try:
            name = partial_name(self.execution_id, number)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return 0
        return min(status.st_blocks * _UNIT, entry.size)

    def _count(self, room: _Room, size: int, old: os.stat_result | None) -> None:
        room.needed += size
        room.new += size
        room.largest = max(room.largest, size)
        if old is None or self.backup:
            room.needed_files += 1
        elif old.st_nlink == 1:
            room.needed -= old.st_blocks * _UNIT

    def _room(self, folder: int, path: bytes) -> _Room:
        with as_transfer_error(path):
            device = os.fstat(folder).st_dev
            room = self._rooms.get(device)
            if room is None:
                status = os.fstatvfs(folder)
                free = status.f_bavail * status.f_frsize
                files = status.f_favail if status.f_files else 1 << 62
                room = self._rooms[device] = _Room(os.path.dirname(path), free, files)
            return room


def _require_room(room: _Room) -> None:
    """Raises TransferError. Sparse files count whole: nobody knows yet where their holes are."""
    group = min(room.new, GROUP_BYTES)  # these old files go only when all new ones are there
    needed = max(room.needed, room.largest, group)
    where = show_path(room.folder)
    if needed > room.free:
        raise TransferError(
            f"The files need {needed:,} bytes in {where}, and {room.free:,} are free there. "
            "Make room, then run it again."
        )
    if room.needed_files > room.free_files:
        raise TransferError(
            f"The file system of {where} takes {room.free_files:,} more files, and the copy has "
            f"{room.needed_files:,}. Remove some, then run it again."
        )

"""Writes a group of files: their bytes beside their destinations, a sync, then their names."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import field
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind

from tui_manager_agent.files.copy.destination import (
    MAKE_MODE,
    FolderChange,
    Folders,
    Parts,
    find_at,
    refuse_own,
)
from tui_manager_agent.files.copy.existing_file import (
    keep_backup,
    look,
    require_folder,
    set_attributes,
)
from tui_manager_agent.files.copy.file_groups import Group, GroupItem
from tui_manager_agent.files.copy.mode_and_owner import Attributes
from tui_manager_agent.files.copy.partial_file import PartialFile
from tui_manager_agent.files.copy.sync_files import AT_ONCE, sync_files
from tui_manager_agent.files.copy.write_progress import Difference, WriteProgress
from tui_manager_agent.files.file_problems import as_transfer_error
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import PieceSource, StopSignal, TransferError
from tui_manager_agent.policy.file_rules import FileRules, show_path

_OPEN = 0o700  # what the agent's user needs to write in a folder
_IN_MAKING = stat.S_ISVTX  # marks a folder that does not have its last mode yet
_BEGUN = _OPEN | _IN_MAKING  # the mode with which one is made
_MAKES_STICKY = sys.platform == "linux"  # others make no folder with that mark


@dataclass(slots=True, kw_only=True)
class GroupWriter:
    """Writes the groups of one copy, one after the other.

    Attributes:
        progress: what is done; written to `record_folder` when another agent must know it.
        on_progress: is told how many bytes and files are done.
        under_way: the items of the last group, whose partial files may be there.
    """

    folders: Folders
    attributes: Attributes
    rules: FileRules
    own: ProtectedFiles
    stop: StopSignal
    source: PieceSource
    backup: bool
    progress: WriteProgress
    record_folder: Path
    on_progress: Callable[[int, int], None]
    under_way: Sequence[GroupItem] = ()
    _is_recorded: bool = False
    _under_way: int = 0
    _changed: set[Parts] = field(default_factory=set)

    def make_destination(self) -> None:
        """Makes the folders that DEST names."""
        missing = self.progress.destination.missing
        for end in range(1, len(missing) + 1):
            self._make_folder(missing[:end], MAKE_MODE, Attributes())

    def write(self, group: Group) -> None:
        """Writes all of a group. Raises TransferError, RefusedError, StoppedError, and OSError for
        the execution's own folder.

        Each call to the host's file system may hang until after the end of the transfer. So `stop`
        is checked right before each change that could do harm then.
        """
        self.under_way = group.items
        for item in group.items:
            if item.is_folder:
                mode = self.attributes.folder_mode(item.entry)
                self._make_folder(item.parts, mode, self.attributes)
            elif item.partial:
                self._fill(item, item.partial)
        written = [item for item in group.items if item.partial]
        while written:
            self._sync(written[-AT_ONCE:])  # when the last are on the disk, others likely are too
            del written[-AT_ONCE:]
        self.stop.check()
        self._record_pending(group)
        for item in group.items:
            self._give_name(item)
        for parts in self._changed:
            self.folders.sync(parts)
        self._changed.clear()
        self._count(group)

    def close_folders(self, entries: Iterable[Entry]) -> None:
        """Gives their mode to new folders in which their owner may not write."""
        closed = [
            entry
            for entry in entries
            if entry.kind is EntryKind.FOLDER
            and self._is_closed(self.attributes.folder_mode(entry))
        ]
        for entry in reversed(closed):  # the inner ones first, while they can be reached
            self.stop.check()
            parts = self.progress.destination.parts(entry.path)
            self._close_folder(parts, self.attributes.folder_mode(entry))

    def close_unfinished_folders(self, entries: Iterable[Entry]) -> None:
        """The same for a copy that ends before all is written, with all folders that it has begun.
        What cannot be done is left."""
        destination = self.progress.destination
        folders = [entry for entry in entries if entry.kind is EntryKind.FOLDER]
        modes = {destination.parts(e.path): self.attributes.folder_mode(e) for e in folders}
        missing = destination.missing
        modes |= {missing[:end]: MAKE_MODE for end in range(1, len(missing) + 1)}
        for parts in sorted(modes, key=len, reverse=True):
            with suppress(TransferError):
                self._close_folder(parts, modes[parts])

    def _close_folder(self, parts: Parts, mode: int) -> None:
        expected = (mode | _OPEN | _IN_MAKING, _BEGUN)
        change = FolderChange(mode=mode, expected=expected, uids=self.attributes.uids())
        if self.folders.set_up(parts, change):
            self.folders.sync(parts)

    @staticmethod
    def _is_closed(mode: int) -> bool:
        return mode & _OPEN != _OPEN

    # ------------------------------------------------------------------------------------ folders

    def _make_folder(self, parts: Parts, mode: int, attributes: Attributes) -> None:
        path = self.progress.destination.full(parts)
        parent = self.folders.open(parts[:-1])
        is_new = False
        status = find_at(parent, parts[-1], path)
        if status is None:
            self._require_own_name(parent, parts[-1], path)
            self._record_destination()
            self.stop.check()
            with as_transfer_error(path):
                with suppress(FileExistsError):  # another copy makes it too
                    os.mkdir(parts[-1], _BEGUN, dir_fd=parent)
                    is_new = True
                status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        require_folder(status, path)
        marked = _IN_MAKING if self._is_closed(mode) else 0
        change = FolderChange(
            mode=mode | _OPEN | marked,
            expected=(_BEGUN, _BEGUN if _MAKES_STICKY or not is_new else _OPEN),
            uids=attributes.uids(),
            uid=attributes.uid,
            gid=attributes.gid,
        )
        if (is_new or change.is_expected(status)) and self.folders.set_up(parts, change):
            self._changed |= {parts, parts[:-1]}

    def _require_own_name(self, folder: int, name: bytes, path: bytes) -> None:
        if not self.own.may_be_named(folder, name):
            raise TransferError(refuse_own(path))

    # -------------------------------------------------------------------------------------- files

    def _fill(self, item: GroupItem, partial: PartialFile) -> None:
        was_taken_up = partial.position > 0
        descriptor = partial.open()
        try:
            self._pull(partial, descriptor)
            if not partial.fits() and was_taken_up:  # somebody changed what was there
                self._under_way -= partial.position
                partial.restart(descriptor)
                self.source.want(item.entry.offset, item.entry.size)
                self._pull(partial, descriptor)
            if not partial.fits():
                raise TransferError(
                    f"The bytes that came for {show_path(item.path)} are not those of the file. "
                    "Check the disk and the memory of the manager, then copy it again."
                )
            folder = self.folders.open(item.parts[:-1])
            old = look(folder, item.parts[-1], item.path, self.own)
            partial.finish(descriptor, self.attributes, old)
        finally:
            os.close(descriptor)

    def _pull(self, partial: PartialFile, descriptor: int) -> None:
        self._advance(partial.position)
        while not partial.is_complete:
            before = partial.position
            partial.add(descriptor, self.source.read(), self.stop)
            self._advance(partial.position - before)
            self.stop.check()

    def _advance(self, length: int) -> None:
        self._under_way += length
        self.on_progress(self.progress.bytes + self._under_way, self.progress.files)

    def _sync(self, items: Sequence[GroupItem]) -> None:
        files = {}
        with ExitStack() as opened:
            for item in items:
                descriptor = item.partial.open_to_sync() if item.partial else None
                if descriptor is not None:
                    opened.callback(os.close, descriptor)
                    files[descriptor] = item.path
            sync_files(files)

    def _give_name(self, item: GroupItem) -> None:
        if item.difference is Difference.NONE:
            return
        self.rules.require_write(item.path, mode=self.attributes.file_mode(item.entry))
        folder, name = self.folders.open(item.parts[:-1]), item.parts[-1]
        old = look(folder, name, item.path, self.own)
        self.stop.check()
        if item.partial is None:
            set_attributes(
                folder, name, item.path, item.found, item.entry, self.attributes, self.stop
            )
            return
        if self.backup and old is not None:
            keep_backup(folder, name, item.path, old, self.progress.stamp, self.stop)
        item.partial.rename(name, self.stop)
        self._changed.add(item.parts[:-1])

    # ----------------------------------------------------------------------------------- progress

    def _record_destination(self) -> None:
        """Writes the record once, before the copy makes a folder that would change the meaning of
        DEST."""
        if not self._is_recorded:
            self.progress.write(self.record_folder)
            self._is_recorded = True

    def _record_pending(self, group: Group) -> None:
        """Writes the record when all bytes of a group are durable and none of its files has its
        name."""
        before = self.progress.pending
        last = group.items[-1].number
        pending = {number: was for number, was in before.items() if number > last}
        is_new = False
        for item in group.items:
            difference = max(item.difference, before.get(item.number, Difference.NONE))
            if difference:
                pending[item.number] = difference
                is_new = True
        self.progress.pending = pending
        if is_new:
            self.progress.write(self.record_folder)
            self._is_recorded = True

    def _count(self, group: Group) -> None:
        for item in group.items:
            if not item.is_folder:
                none = Difference.NONE
                self.progress.count(item.entry.size, self.progress.pending.get(item.number, none))
        self.progress.done = group.items[-1].number + 1
        self._under_way = 0
        self.on_progress(self.progress.bytes, self.progress.files)

"""Divides a manifest into groups of files that are written, synced and named together.

Small files would take long if each was synced alone. While one group is written, the files of the
next group are compared and their bytes requested, so that the sender does not wait.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import field

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import Entry, EntryKind

from tui_manager_agent.files.copy.destination import Destination, Folders, Parts
from tui_manager_agent.files.copy.existing_file import compare, look
from tui_manager_agent.files.copy.mode_and_owner import Attributes
from tui_manager_agent.files.copy.partial_file import RESUMED_FROM, PartialFile, partial_name
from tui_manager_agent.files.copy.write_progress import Difference
from tui_manager_agent.files.file_problems import as_transfer_error
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import PieceSource, StopSignal

GROUP_ENTRIES = 256
GROUP_BYTES = 8 << 20


@dataclass(slots=True)
class GroupItem:
    """One entry, and what is to be done for it.

    Attributes:
        parts, path: its place.
        found: the file that is there; None: nothing is.
        partial: where its bytes go; None: it needs none.
    """

    number: int
    entry: Entry
    parts: Parts
    path: bytes
    difference: Difference = Difference.NONE
    found: os.stat_result | None = None
    partial: PartialFile | None = None

    @property
    def is_folder(self) -> bool:
        return self.entry.kind is EntryKind.FOLDER


@dataclass(slots=True)
class Group:
    """Some entries that follow each other.

    Attributes:
        bytes: that are asked for.
        is_taken_up: one file of which an earlier agent has left a part. Write it before the next
            group is made: if its bytes are not right, all of them are asked for.
    """

    items: list[GroupItem] = field(default_factory=list)
    bytes: int = 0
    is_taken_up: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.items) >= GROUP_ENTRIES or self.bytes >= GROUP_BYTES

    def add(self, item: GroupItem) -> None:
        self.items.append(item)
        if item.partial:
            self.bytes += item.entry.size


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGrouping:
    """Makes the groups: compares each file with the one that is there."""

    destination: Destination
    folders: Folders
    attributes: Attributes
    own: ProtectedFiles
    stop: StopSignal
    source: PieceSource
    execution_id: str

    def groups(self, entries: Iterable[tuple[int, Entry]]) -> Iterator[Group]:
        """`entries` with their numbers. Raises TransferError, StoppedError."""
        group = Group()
        for number, entry in entries:
            self.stop.check()
            item = self._plan(number, entry)
            partial = item.partial
            is_taken_up = partial is not None and 0 < partial.position < entry.size
            if group.items and (is_taken_up or (partial and entry.size >= GROUP_BYTES)):
                yield group
                group = Group()
            if partial and not partial.is_complete:
                self.source.want(entry.offset + partial.position, entry.size - partial.position)
            group.add(item)
            if is_taken_up or group.is_full:
                group.is_taken_up = is_taken_up
                yield group
                group = Group()
        if group.items:
            yield group

    def _plan(self, number: int, entry: Entry) -> GroupItem:
        parts = self.destination.parts(entry.path)
        item = GroupItem(number, entry, parts, self.destination.full(parts))
        if not item.is_folder:
            item.difference = self._compare(item)
        if item.difference is Difference.CONTENT:
            name = partial_name(self.execution_id, number)
            item.partial = PartialFile(self.folders, parts, item.path, name, entry)
            if entry.size > RESUMED_FROM:
                item.partial.resume(self.attributes.uids(item.found), self.stop)
        return item

    def _compare(self, item: GroupItem) -> Difference:
        folder = self.folders.find(item.parts[:-1])
        if folder is None:
            return Difference.CONTENT
        name = item.parts[-1]
        item.found = look(folder, name, item.path, self.own)
        with as_transfer_error(item.path, "read"):
            return compare(folder, name, item.found, item.entry, self.attributes, self.stop)

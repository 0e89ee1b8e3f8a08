"""The work of a copy: writes the files of a manifest on this host.

Each file appears under its name whole, or not at all, also if the agent or the host dies meanwhile.
The next agent goes on where this one was.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import field
from pathlib import Path

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.files.file_manifest import (
    Entry,
    EntryKind,
    ManifestError,
    ManifestTotals,
    checked,
    read_entries,
)

from tui_manager_agent.files.copy.check_copy import CopyCheck
from tui_manager_agent.files.copy.destination import Destination, Folders, Parts, choose
from tui_manager_agent.files.copy.file_groups import FileGrouping, Group
from tui_manager_agent.files.copy.mode_and_owner import Attributes, parse_attributes
from tui_manager_agent.files.copy.partial_file import partial_name
from tui_manager_agent.files.copy.write_group import GroupWriter
from tui_manager_agent.files.copy.write_progress import WriteProgress
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import PieceSource, StopSignal, TransferError
from tui_manager_agent.journal.transfer_records import CopyOrder, Transferred
from tui_manager_agent.policy.file_rules import FileRules, show_path

MANIFEST = "manifest"  # a file in the execution's folder


class WriteFiles:
    """One copy; a `TransferWork`."""

    def __init__(
        self,
        order: CopyOrder,
        execution_id: str,
        folder: Path,
        source: PieceSource,
        rules: FileRules,
        own: ProtectedFiles,
        stop: StopSignal,
    ) -> None:
        """`folder`: the execution's; it has the manifest, and gets the progress."""
        self.bytes = 0
        self.files = 0
        self._order = order
        self._execution_id = execution_id
        self._folder = folder
        self._source = source
        self._rules = rules
        self._own = own
        self._stop = stop
        self._is_complete = False
        self._group_writer: GroupWriter | None = None

    def run(self) -> Transferred:
        self._own.refresh()
        attributes = parse_attributes(self._order.mode, self._order.owner)
        contents = self._read_through(self._stop.check)
        progress = self._progress(contents)
        self._show(progress.bytes, progress.files)
        with closing(Folders(progress.destination, self._own)) as folders:
            self._survey(folders, attributes, progress)
            writer = self._writer(folders, attributes, progress)
            self._group_writer = writer
            writer.make_destination()
            planned: Group | None = None
            for group in self._groups(folders, attributes, progress):
                if planned:
                    writer.write(planned)
                planned = None if group.is_taken_up else group
                if group.is_taken_up:
                    writer.write(group)
            if planned:
                writer.write(planned)
            writer.close_folders(self._entries())
        self._is_complete = True
        return self._transferred(progress, contents)

    def discard(self) -> None:
        """Removes the partial files. What has its name stays. Raises OSError if one is left."""
        if self._is_complete:
            return
        if left := self._remove_under_way():
            raise left
        try:
            progress = self._progress(self._read_through(_go_on))
        except FileNotFoundError:
            os.stat(self._folder)  # only if that is there, nothing was begun
            return
        except TransferError:  # nor with a wrong manifest or destination
            return
        attributes = Attributes(self._order.mode)
        with closing(Folders(progress.destination, self._own)) as folders:
            left = self._remove_partials(
                folders, progress.destination, self._entries_after(progress.done)
            )
            self._writer(folders, attributes, progress).close_unfinished_folders(self._entries())
        if left is not None:
            raise left

    def _remove_under_way(self) -> OSError | None:
        """Removes the partial files that `run` has begun last, without a look into the execution's
        folder: if the file system did not answer for a while, that may be gone. Returns as
        `_remove_partials`."""
        writer = self._group_writer
        if writer is None:
            return None
        entries = ((item.number, item.entry) for item in writer.under_way)
        with closing(Folders(writer.progress.destination, self._own)) as folders:
            return self._remove_partials(folders, writer.progress.destination, entries)

    def _remove_partials(
        self, folders: Folders, destination: Destination, entries: Iterable[tuple[int, Entry]]
    ) -> OSError | None:
        """Returns why one could not be removed."""
        left: OSError | None = None
        for number, entry in entries:
            parts = destination.parts(entry.path)
            if entry.kind is EntryKind.FILE:
                name = partial_name(self._execution_id, number)
                try:
                    _remove(folders, parts[:-1], name)
                except OSError as error:
                    path = show_path(destination.full((*parts[:-1], name)))
                    left = OSError(error.errno, error.strerror, path)
        return left

    def _progress(self, contents: "_Contents") -> WriteProgress:
        found = WriteProgress.read(self._folder)
        return found or WriteProgress(choose(self._order.to, several=contents.several))

    def _survey(self, folders: Folders, attributes: Attributes, progress: WriteProgress) -> None:
        survey = CopyCheck(
            destination=progress.destination,
            folders=folders,
            attributes=attributes,
            rules=self._rules,
            own=self._own,
            stop=self._stop,
            execution_id=self._execution_id,
            backup=self._order.backup,
            stamp=progress.stamp,
        )
        survey.run(self._entries_after(progress.done))

    def _groups(
        self, folders: Folders, attributes: Attributes, progress: WriteProgress
    ) -> Iterator[Group]:
        grouping = FileGrouping(
            destination=progress.destination,
            folders=folders,
            attributes=attributes,
            own=self._own,
            stop=self._stop,
            source=self._source,
            execution_id=self._execution_id,
        )
        return grouping.groups(self._entries_after(progress.done))

    def _writer(
        self, folders: Folders, attributes: Attributes, progress: WriteProgress
    ) -> GroupWriter:
        return GroupWriter(
            folders=folders,
            attributes=attributes,
            rules=self._rules,
            own=self._own,
            stop=self._stop,
            source=self._source,
            backup=self._order.backup,
            progress=progress,
            record_folder=self._folder,
            on_progress=self._show,
        )

    def _show(self, done_bytes: int, done_files: int) -> None:
        self.bytes, self.files = done_bytes, done_files

    def _entries(self) -> Iterator[Entry]:
        with (self._folder / MANIFEST).open("rb") as file:
            yield from read_entries(file)

    def _entries_after(self, done: int) -> Iterator[tuple[int, Entry]]:
        """The entries that are to be done, with their numbers."""
        for number, entry in enumerate(self._entries()):
            if number >= done:
                yield number, entry

    def _read_through(self, check: Callable[[], None]) -> "_Contents":
        """Raises TransferError: the manifest breaks a rule."""
        contents = _Contents()
        try:
            for entry in checked(self._entries(), contents.totals):
                check()
                contents.add(entry)
        except ManifestError as error:
            raise TransferError(f"What the manager says of the files is wrong: {error}") from error
        return contents

    def _transferred(self, progress: WriteProgress, contents: "_Contents") -> Transferred:
        manifest = self._order.files.sha256
        return Transferred(
            bytes=progress.bytes,
            files=progress.files,
            unchanged_files=progress.unchanged_files,
            received_bytes=progress.received_bytes,
            sha256=contents.last_sha256 if contents.totals.files == 1 else manifest,
            manifest_sha256=manifest,
        )


def _remove(folders: Folders, parts: Parts, name: bytes) -> None:
    """Removes a partial file, if it is there. Raises OSError."""
    try:
        folder = folders.find(parts)
    except TransferError:  # a link, or something else that the copy did not write to
        return
    if folder is not None:
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=folder, follow_symlinks=False)  # it may be a read-only disk
            os.unlink(name, dir_fd=folder)


def _go_on() -> None:
    """Checks nothing: what is discarded was told to stop before."""


@dataclass(slots=True)
class _Contents:
    """What a manifest has.

    Attributes:
        several: more than one file or folder lies at the top.
        last_sha256: of its last file.
    """

    totals: ManifestTotals = field(default_factory=ManifestTotals)
    several: bool = False
    last_sha256: bytes = b""
    _top: bytes = b""

    def add(self, entry: Entry) -> None:
        top = entry.path.partition(b"/")[0]
        self.several = self.several or (bool(self._top) and top != self._top)
        self._top = top
        self.last_sha256 = entry.sha256 or self.last_sha256

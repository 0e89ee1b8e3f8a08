"""The work of a copy: gets the manifest from the manager, then lets `write_files.py` write what it
names."""

import os
from pathlib import Path

from tui_manager_agent.files.hashing import new_sha256
from tui_manager_agent.files.own_files import OwnFiles
from tui_manager_agent.files.pull import Pull
from tui_manager_agent.files.work import Stop, TransferError
from tui_manager_agent.files.write_files import MANIFEST, WriteFiles
from tui_manager_agent.journal.transfer_records import CopyOrder, Transferred
from tui_manager_agent.policy.file_rules import FileRules
from tui_manager_agent.supervisor import record

_UNFINISHED = "manifest.part"
_BLOCK = 65536  # bytes


class CopyWork:
    """See `Work`.

    Args:
        folder: of the execution.
    """

    def __init__(
        self,
        order: CopyOrder,
        execution_id: str,
        folder: Path,
        pull: Pull,
        rules: FileRules,
        own: OwnFiles,
        stop: Stop,
    ) -> None:
        self._files = order.files
        self._folder = folder
        self._pull = pull
        self._stop = stop
        self._writing = WriteFiles(order, execution_id, folder, pull, rules, own, stop)

    @property
    def bytes(self) -> int:
        return self._writing.bytes

    @property
    def files(self) -> int:
        return self._writing.files

    def run(self) -> Transferred:
        if not (self._folder / MANIFEST).exists():
            self._pull_manifest()
        return self._writing.run()

    def discard(self) -> None:
        self._writing.discard()

    def _pull_manifest(self) -> None:
        """What an earlier agent has got of it stays in use. Raises as `Work.run`."""
        path = self._folder / _UNFINISHED
        descriptor = record.open_private(str(path), os.O_RDWR | os.O_CREAT)
        with os.fdopen(descriptor, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            self._pull.want_manifest(size, max(0, self._files.manifest_size - size))
            while size < self._files.manifest_size:
                piece = self._pull.read()
                data = bytes(piece) if isinstance(piece, int) else piece
                file.write(data)
                size += len(data)
            file.flush()
            try:
                self._check(path)
            except TransferError:
                path.unlink()
                raise
            os.fsync(file.fileno())
        path.rename(self._folder / MANIFEST)
        record.sync_folder(str(self._folder))

    def _check(self, path: Path) -> None:
        """Raises TransferError unless it is the manifest that was ordered."""
        sha256 = new_sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                self._stop.check()
                sha256.update(block)
        if sha256.digest() != self._files.sha256:
            raise TransferError(
                "The manager has sent another list of files than it had announced. Start the copy "
                "again."
            )

"""The work of a copy: gets the manifest from the manager, then lets `write_files.py` write what it
names."""

import os
from pathlib import Path

from tui_manager_agent.files.copy.piece_requests import PieceRequests
from tui_manager_agent.files.copy.write_files import MANIFEST, WriteFiles
from tui_manager_agent.files.hashing import new_sha256
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import StopSignal, TransferError
from tui_manager_agent.journal.transfer_records import CopyOrder, FileSet, Transferred
from tui_manager_agent.policy.file_rules import FileRules
from tui_manager_agent.supervisor import record

_UNFINISHED = "manifest.part"
_BLOCK = 65536  # bytes


class CopyWork:
    """See `TransferWork`.

    Args:
        folder: of the execution.
    """

    def __init__(
        self,
        order: CopyOrder,
        execution_id: str,
        folder: Path,
        pull: PieceRequests,
        rules: FileRules,
        own: ProtectedFiles,
        stop: StopSignal,
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
        pull_manifest(self._files, self._folder, self._pull, self._stop)
        return self._writing.run()

    def discard(self) -> None:
        self._writing.discard()


def pull_manifest(files: FileSet, folder: Path, pull: PieceRequests, stop: StopSignal) -> None:
    """Gets the manifest of a file set into the folder of an execution, unless it is there. What an
    earlier agent has got of it stays in use. Raises as `TransferWork.run`."""
    if (folder / MANIFEST).exists():
        return
    path = folder / _UNFINISHED
    descriptor = record.open_private(str(path), os.O_RDWR | os.O_CREAT)
    with os.fdopen(descriptor, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        pull.want_manifest(size, max(0, files.manifest_size - size))
        while size < files.manifest_size:
            piece = pull.read()
            data = bytes(piece) if isinstance(piece, int) else piece
            file.write(data)
            size += len(data)
        file.flush()
        try:
            _check(path, files.sha256, stop)
        except TransferError:
            path.unlink()
            raise
        os.fsync(file.fileno())
    path.rename(folder / MANIFEST)
    record.sync_folder(str(folder))


def _check(path: Path, sha256: bytes, stop: StopSignal) -> None:
    """Raises TransferError unless it is the manifest that was ordered."""
    hashed = new_sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            stop.check()
            hashed.update(block)
    if hashed.digest() != sha256:
        raise TransferError(
            "The manager has sent another list of files than it had announced. Start the copy "
            "again."
        )

"""The work of a fetch: finds the files, offers them to the manager, and answers what it asks for.

The manager checks the hash of each file that it gets. If one does not fit, the file has changed
since it was found, and all are found anew.
"""

from contextlib import closing
from pathlib import Path

from tui_manager_protos.rules.files.transfer_window import PART_LENGTH

from tui_manager_agent.files.fetch.find_files import FindFiles
from tui_manager_agent.files.fetch.found_files import FoundFiles, begin_set, load_set, remove_set
from tui_manager_agent.files.fetch.open_to_read import OpenedFile, OtherKindError, OwnFileError
from tui_manager_agent.files.protected_files import ProtectedFiles
from tui_manager_agent.files.transfer_work import (
    Piece,
    Request,
    Requests,
    StopSignal,
    Stored,
    TransferError,
)
from tui_manager_agent.journal.transfer_records import FetchOrder, Transferred
from tui_manager_agent.policy.file_rules import FileRules, show_path
from tui_manager_agent.policy.policy import RefusedError

_ATTEMPTS = 3


class ReadFiles:
    """A fetch. See `TransferWork`.

    Attributes:
        bytes, files: while files are found, those that were read; then those that were sent.
    """

    def __init__(
        self,
        order: FetchOrder,
        execution_id: str,
        folder: Path,
        requests: Requests,
        rules: FileRules,
        own: ProtectedFiles,
        stop: StopSignal,
    ) -> None:
        self.bytes = 0
        self.files = 0
        self._order = order
        self._folder = folder
        self._requests = requests
        self._rules = rules
        self._own = own
        self._stop = stop
        self._has_changed = False

    def run(self) -> Transferred:
        """Goes on with what an earlier agent has found, if that is whole. See `TransferWork`."""
        self._own.refresh()
        found = load_set(self._folder, self._stop.check)
        for _ in range(_ATTEMPTS):
            with closing(found or begin_set(self._folder)) as files:
                if found is None:
                    self._find(files)
                stored = self._serve(files)
                if not stored.problem:
                    return _describe(files)
            found = None
            if not (stored.retry or self._has_changed):
                raise TransferError(stored.problem)
        problem = stored.problem.rstrip(".")
        raise TransferError(
            f"{problem}. It was read {_ATTEMPTS} times. Fetch it while nothing writes to it."
        )

    def discard(self) -> None:
        """See `TransferWork`."""
        remove_set(self._folder)

    def _find(self, files: FoundFiles) -> None:
        self.bytes = self.files = 0
        FindFiles(self._order, files, self._rules, self._own, self._stop, self._count).run()

    def _count(self, size: int, files: int) -> None:
        self.bytes += size
        self.files += files

    def _serve(self, found: FoundFiles) -> Stored:
        """Offers the files, and answers until the manager says what has become of them."""
        self.bytes = self.files = 0
        self._has_changed = False
        self._requests.offer(found.files)
        with closing(_Data(found, self._rules, self._own, self._stop)) as data:
            while not isinstance(said := self._requests.next(), Stored):
                try:
                    self._answer(said, found, data)
                except _ChangedError as error:
                    self._has_changed = True
                    self._requests.refuse(said, str(error))
                except RefusedError as error:
                    self._requests.refuse(said, str(error))
                    raise
        return said

    def _answer(self, request: Request, found: FoundFiles, data: "_Data") -> None:
        offset, end = request.offset, request.offset + request.length
        size = found.files.manifest_size if request.is_manifest else found.files.size
        if end > size:
            self._requests.refuse(request, f"There are {size} bytes, and not {end}.")
            return
        read = found.read_manifest if request.is_manifest else data.read
        while offset < end and not request.is_over:
            piece = read(offset, end - offset)
            self._requests.answer(request, offset, piece)
            offset += piece if isinstance(piece, int) else len(piece)
            if not request.is_manifest:
                self.bytes, self.files = offset, found.distinct_files_before(offset)


class _ChangedError(Exception):
    """A file is not any more what was found."""


class _Data:
    """The data of a set, read from its files."""

    def __init__(
        self, found: FoundFiles, rules: FileRules, own: ProtectedFiles, stop: StopSignal
    ) -> None:
        self._found = found
        self._rules = rules
        self._own = own
        self._stop = stop
        self._begin = self._end = 0  # the offsets of the open file
        self._file: OpenedFile | _KeptFile | None = None
        self._path = b""

    def read(self, offset: int, length: int) -> Piece:
        """Up to `length` bytes from the offset on: of several files if they are small, or so many
        zeros. Raises _ChangedError, RefusedError, StoppedError."""
        pieces: list[bytes] = []
        limit = min(length, PART_LENGTH)
        size = 0
        while size < limit:
            self._stop.check()
            piece = self._read_file(offset + size, limit - size if pieces else length)
            if isinstance(piece, int):
                if not pieces:
                    return piece
                break
            pieces.append(piece)
            size += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_file(self, offset: int, length: int) -> Piece:
        """The same, of one file."""
        if self._file is None or not self._begin <= offset < self._end:
            self._file = self._open(offset)
        try:
            piece = self._file.read(offset - self._begin, min(length, self._end - offset))
        except OSError:
            piece = b""
        if not piece:
            raise self._changed()
        return piece

    def _open(self, offset: int) -> "OpenedFile | _KeptFile":
        self.close()
        entry = self._found.find(offset)
        self._begin, self._end = entry.offset, entry.offset + entry.size
        self._path = b"/" + entry.path
        if self._found.is_kept(entry):
            return _KeptFile(self._found, entry.offset)
        try:
            return OpenedFile(self._path, self._rules, self._own)
        except (OSError, OtherKindError, OwnFileError):
            raise self._changed() from None

    def _changed(self) -> _ChangedError:
        return _ChangedError(f"{show_path(self._path)} changed while it was read.")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _KeptFile:
    """A file without a size, whose bytes were kept."""

    def __init__(self, found: FoundFiles, begin: int) -> None:
        self._found = found
        self._begin = begin

    def read(self, offset: int, length: int) -> bytes:
        return self._found.read_kept(self._begin, offset, length)

    def close(self) -> None:
        """Does nothing: no file is open for it alone."""


def _describe(found: FoundFiles) -> Transferred:
    files = found.files
    return Transferred(
        bytes=files.bytes,
        files=files.files,
        unchanged_files=0,
        received_bytes=0,
        sha256=found.sha256,
        manifest_sha256=files.sha256,
        detail=found.detail,
    )

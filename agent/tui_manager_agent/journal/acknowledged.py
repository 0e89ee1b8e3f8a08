"""Executions that the manager has acknowledged: a log on disk, and an index of it in memory.

An id in the log is answered from the log and never run again, whatever the manager sends. It is
remembered for KEEP. If more than KEEP_AT_MOST come in that time (4.6 a minute, day and night), or
if the log grows past FILE_AT_MOST, the oldest are forgotten first. The manager does not send a
forgotten id again, because it sends only what it has no result of.

One id takes 16 bytes of memory, and about half a kilobyte of disk.
"""

import base64
import logging
import os
import shutil
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import record

KEEP = 30 * 24 * 3600  # seconds
KEEP_AT_MOST = 200_000
FILE_AT_MOST = 128 << 20  # bytes
_OFFSET_BITS = 40
_LOG = logging.getLogger(__name__)


class Acknowledged:
    """The log. Its lines are `id seconds result`, the oldest first."""

    def __init__(self, path: Path) -> None:
        """Opens or makes it. Lines that are too old or cut short go. Raises OSError."""
        self._path = path
        self._log = -1
        self._open()
        if first := self._first_young():
            self._forget_before(first)

    def close(self) -> None:
        os.close(self._log)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, execution_id: str) -> bool:
        try:
            return self.find(execution_id) is not None
        except (ValueError, OSError):
            return True

    def may_hold(self, execution_id: str) -> bool:
        """False if it was not acknowledged. True may be wrong: this looks for a hash of the id in
        memory, and not on the disk."""
        try:
            key = _key(execution_id.encode())
        except ValueError:
            return False
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key

    def find(self, execution_id: str) -> Result | None:
        """The result of an execution; None if it was not acknowledged.

        Raises OSError, and ValueError if its line cannot be read: it is known all the same.
        """
        try:
            key = _key(execution_id.encode())
        except ValueError:
            return None
        at = bisect_left(self._keys, key)
        while at < len(self._keys) and self._keys[at] == key:
            known, _, result = _parse(self._line_at(self._offsets[at]))
            if known == execution_id:
                return result
            at += 1
        return None

    def append(self, results: Mapping[str, Result]) -> None:
        """Remembers executions for good, all or none. Raises OSError."""
        self._make_room()
        offset = os.lseek(self._log, 0, os.SEEK_END)
        lines = [_line(execution_id, result) for execution_id, result in results.items()]
        try:
            record.write_all(self._log, b"".join(lines))
            os.fsync(self._log)
        except OSError:
            os.ftruncate(self._log, offset)
            raise
        for line in lines:
            key = _key(line)
            at = bisect_left(self._keys, key)
            self._keys.insert(at, key)
            self._offsets.insert(at, offset)
            offset += len(line)

    def _open(self) -> None:
        """Finds the lines of all ids. Cuts off a last line that a crash left unfinished."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        log = os.open(self._path, flags, 0o600)
        if self._log >= 0:
            os.close(self._log)
        self._log = log
        entries = []
        end = 0
        for offset, line in self._lines():
            end = offset + len(line)
            try:
                entries.append(_key(line) << _OFFSET_BITS | offset)
            except ValueError:
                _LOG.warning("journal line unreadable, skipped: length=%d", len(line))
        os.ftruncate(self._log, end)
        entries.sort()
        self._keys = array("Q", (entry >> _OFFSET_BITS for entry in entries))
        self._offsets = array("Q", (entry & (1 << _OFFSET_BITS) - 1 for entry in entries))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Each complete line, and where it begins."""
        offset = 0
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield offset, line
                    offset += len(line)

    def _line_at(self, offset: int) -> bytes:
        with open(self._log, "rb", closefd=False) as file:  # there may be no other descriptor
            file.seek(offset)
            return file.readline()

    def _first_young(self) -> int:
        """Where the first line begins that is not too old."""
        oldest = time.time() - KEEP
        end = 0
        for offset, line in self._lines():
            if _seconds(line) >= oldest:
                return offset
            end = offset + len(line)
        return end

    def _make_room(self) -> None:
        """Forgets the oldest fifth if there are too many, or a quarter if they are too large."""
        size = os.fstat(self._log).st_size
        too_many = len(self) - KEEP_AT_MOST if len(self) >= KEEP_AT_MOST * 5 // 4 else 0
        too_much = size - FILE_AT_MOST * 3 // 4 if size >= FILE_AT_MOST else 0
        if too_many or too_much:
            offsets = [*sorted(self._offsets), size]
            self._forget_before(offsets[max(too_many, bisect_left(offsets, too_much))])

    def _forget_before(self, first: int) -> None:
        """Rewrites the log from the line at `first` on. If the disk has no room, the log stays."""
        draft = self._path.with_name(f"{self._path.name}.draft")
        try:
            with (
                self._path.open("rb") as old,
                open(draft, "wb", opener=record.open_private) as new,
            ):
                old.seek(first)
                shutil.copyfileobj(old, new)
                new.flush()
                os.fsync(new.fileno())
            draft.rename(self._path)
            record.sync_folder(str(self._path.parent))
        except OSError as error:
            _LOG.warning("journal not shortened: error=%s", error)
            draft.unlink(missing_ok=True)
            return
        self._open()


_Entry = tuple[str, float, Result]  # id, wall-clock seconds, result


def _line(execution_id: str, result: Result) -> bytes:
    encoded = base64.b64encode(result.encode()).decode()
    return f"{execution_id} {time.time():.0f} {encoded}\n".encode()


def _parse(line: bytes) -> _Entry:
    """Raises ValueError."""
    execution_id, when, encoded = line.decode().strip().split(" ")
    entries = record.decode(base64.b64decode(encoded, validate=True))
    return execution_id, float(when), Result.decode(entries)


def _key(execution_id: bytes) -> int:
    """64 bits of a random UUID, the first thing in a line. Raises ValueError."""
    return int(execution_id[:8] + execution_id[9:13] + execution_id[14:18], 16)


def _seconds(line: bytes) -> float:
    """When it was written; 0 for an unreadable line."""
    try:
        return float(line.split(b" ")[1])
    except (ValueError, IndexError):
        return 0.0

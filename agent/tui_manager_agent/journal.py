"""The durable record of what one manager asked for: nothing in it ever runs twice.

One folder for each execution holds small files whose presence is the state, so a transition is one
rename, the supervisor and the agent meet in it without sharing a database, secrets vanish with the
order's file, and the owner of a host can read it with `ls`. What was acknowledged shrinks to a line
in a log, so that a repeat is still answered after its folder is gone.
"""

import base64
import logging
import os
import time
from pathlib import Path

from tui_manager_agent.spool import UNKNOWN, Spool
from tui_manager_agent.supervisor import record

KEEP = 30 * 24 * 3600  # seconds
KEEP_AT_MOST = 20_000  # acknowledged executions: about 3 MB of memory, 8 MB of disk
_LOG = logging.getLogger(__name__)


class Journal:
    """All executions of one manager, those in folders and those acknowledged."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes a journal. Raises OSError."""
        self._spools = folder / "executions"
        self._spools.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "acknowledged"
        self._places: dict[bytes, int] = {}  # id → where its line begins
        self._compact()
        self._log = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._log)

    def spool(self, execution_id: str) -> Spool:
        return Spool(self._spools / execution_id)

    def held(self) -> list[str]:
        """Ids of the executions that have a folder, in the order in which they came or ended.

        Leftovers of older days are cleared away.
        """
        held = []
        for folder in sorted(self._spools.iterdir(), key=_since):
            spool = Spool(folder)
            known = folder.name.encode() in self._places
            if known or not _was_journalled(spool) or self.has_outlived(spool):
                spool.remove()
            else:
                held.append(folder.name)
        return held

    def has_outlived(self, spool: Spool) -> bool:
        """Whether something that ended has been unknown to the manager for longer than KEEP."""
        try:
            marked = (spool.folder / UNKNOWN).stat().st_mtime
        except OSError:
            return False
        return spool.has(record.RESULT) and marked < time.time() - KEEP

    def acknowledge(self, execution_id: str, result: dict[str, str]) -> None:
        """The manager has everything: keeps a line, removes the folder. Raises OSError."""
        spool = self.spool(execution_id)
        if execution_id.encode() not in self._places:
            try:
                self._append(execution_id, result)
            except OSError:
                spool.drop_output()  # the disk is full: make the room that a line takes
                self._append(execution_id, result)
        spool.remove()

    def acknowledged(self, execution_id: str) -> dict[str, str] | None:
        """The result of an execution that was acknowledged; None if there was none such.

        Raises OSError, and ValueError when its line cannot be read: it is known all the same.
        """
        place = self._places.get(execution_id.encode())
        if place is None:
            return None
        with self._path.open("rb") as file:
            file.seek(place)
            return _parse(file.readline())[2]

    def _append(self, execution_id: str, result: dict[str, str]) -> None:
        if len(self._places) >= 2 * KEEP_AT_MOST:
            os.close(self._log)
            self._compact()
            self._log = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        place = os.lseek(self._log, 0, os.SEEK_END)
        try:
            record.write_all(self._log, _line(execution_id, result))
            os.fsync(self._log)
        except OSError:
            os.ftruncate(self._log, place)
            raise
        self._places[execution_id.encode()] = place

    def _compact(self) -> None:
        """Rewrites the log without what is old, too much, or cut short by a crash."""
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        oldest = time.time() - KEEP
        entries = [(e, line) for line in lines if (e := _parse_whole(line)) and e[1] >= oldest]
        entries = entries[-KEEP_AT_MOST:]
        self._places.clear()
        kept = []
        place = 0
        for (execution_id, _, _), line in entries:
            self._places[execution_id.encode()] = place
            kept.append(line + b"\n")
            place += len(line) + 1
        record.write(str(self._path.parent), self._path.name, b"".join(kept))


def _since(folder: Path) -> int:
    """When it ended, or what else happened in the folder last; wall-clock ns."""
    try:
        return (folder / record.RESULT).stat().st_mtime_ns
    except OSError:
        return folder.stat().st_ctime_ns


def _was_journalled(spool: Spool) -> bool:
    """False for what a crash or a full disk left before there was an order."""
    names = (record.ACCEPTED, record.STARTING, record.CLAIM, record.RESULT)
    return any(spool.has(name) for name in names)


_Entry = tuple[str, float, dict[str, str]]  # id, wall-clock seconds, result


def _line(execution_id: str, result: dict[str, str]) -> bytes:
    encoded = base64.b64encode(record.encode(result)).decode()
    return f"{execution_id} {time.time():.0f} {encoded}\n".encode()


def _parse(line: bytes) -> _Entry:
    execution_id, when, encoded = line.decode().strip().split(" ")
    return execution_id, float(when), record.decode(base64.b64decode(encoded, validate=True))


def _parse_whole(line: bytes) -> _Entry | None:
    """None for a line that a crash cut short."""
    try:
        return _parse(line)
    except ValueError:
        _LOG.warning("journal line unreadable, left out: length=%d", len(line))
        return None

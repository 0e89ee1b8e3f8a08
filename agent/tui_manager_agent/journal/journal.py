"""The durable record of what one manager asked for: nothing in it ever runs twice.

One folder for each execution holds small files whose presence is the state. So a change of the
state is one rename, the supervisor and the agent need no common database, secrets are removed with
the file of the order, and the owner of a host sees the state with `ls`. When an execution is
acknowledged, a line in a log replaces its folder (`acknowledged.py` says for how long), so that a
repeat is still answered.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from tui_manager_agent.journal.acknowledged import KEEP, Acknowledged
from tui_manager_agent.journal.execution_folder import UNKNOWN, ExecutionFolder
from tui_manager_agent.journal.order_and_result import Result
from tui_manager_agent.supervisor import record


class Journal:
    """All executions of one manager, those in folders and those acknowledged."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes a journal. Raises OSError."""
        self._spools = folder / "executions"
        for private in (folder.parent, folder, self._spools):  # `parents` would ignore the mode
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = Acknowledged(folder / "acknowledged")

    def close(self) -> None:
        self._log.close()

    def spool(self, execution_id: str) -> ExecutionFolder:
        return ExecutionFolder(self._spools / execution_id)

    def held_ids(self) -> list[str]:
        """The executions that have a folder, in the order in which they came or ended.

        Deletes folders that are of no use any more.
        """
        held = []
        for folder in sorted(self._spools.iterdir(), key=_changed_at):
            spool = ExecutionFolder(folder)
            if folder.name in self._log or not _was_journalled(spool) or self.is_expired(spool):
                spool.remove()
            else:
                held.append(folder.name)
        return held

    def is_expired(self, spool: ExecutionFolder) -> bool:
        """Whether it ended and the manager has not known it for longer than KEEP."""
        try:
            marked = (spool.folder / UNKNOWN).stat().st_mtime
        except OSError:
            return False
        return spool.has(record.RESULT) and marked < time.time() - KEEP

    def compact(self, results: Mapping[str, Result]) -> None:
        """The manager has everything of these: keeps a line of each, deletes their folders.

        Raises OSError. Then all are as they were, except their output.
        """
        spools = [self.spool(execution_id) for execution_id in results]
        new = {id_: result for id_, result in results.items() if id_ not in self._log}
        try:
            self._log.append(new)
        except OSError:
            for spool in spools:
                spool.delete_output()  # the disk is full: make room for the lines
            self._log.append(new)
        for spool in spools:
            spool.remove()

    def may_know(self, execution_id: str) -> bool:
        """Whether `acknowledged` may find it; this reads nothing from the disk."""
        return self._log.may_hold(execution_id)

    def acknowledged(self, execution_id: str) -> Result | None:
        """The result of an execution that was acknowledged; None if it was not.

        Raises OSError, and ValueError if its line cannot be read: it is known all the same.
        """
        return self._log.find(execution_id)


def _changed_at(folder: Path) -> int:
    """When it ended, or when its folder changed last; wall-clock ns."""
    try:
        return (folder / record.RESULT).stat().st_mtime_ns
    except OSError:
        return folder.stat().st_ctime_ns


def _was_journalled(spool: ExecutionFolder) -> bool:
    """False for what a crash or a full disk left before there was an order."""
    names = (record.STARTING, record.CLAIM, record.RESULT)
    try:
        if any(_exists(spool.folder / name) for name in names):
            return True
        return _exists(spool.folder / record.ACCEPTED) and spool.has_whole_order()
    except OSError:  # it cannot be found out now
        return True


def _exists(path: Path) -> bool:
    """Raises OSError if that cannot be found out now. A file of another user does not count."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return True

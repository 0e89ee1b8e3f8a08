"""The durable record of what one manager asked for: nothing in it ever runs twice.

One folder for each execution holds small files whose presence is the state, so a transition is one
rename, the supervisor and the agent meet in it without sharing a database, secrets vanish with the
order's file, and the owner of a host can read it with `ls`. What was acknowledged shrinks to a line
in a log (`acknowledged.py` says for how long), so that a repeat is still answered after its folder
is gone.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from tui_manager_agent.journal.acknowledged import KEEP, Acknowledged
from tui_manager_agent.journal.spool import UNKNOWN, Spool
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

    def spool(self, execution_id: str) -> Spool:
        return Spool(self._spools / execution_id)

    def held(self) -> list[str]:
        """Ids of the executions that have a folder, in the order in which they came or ended.

        Leftovers of older days are cleared away.
        """
        held = []
        for folder in sorted(self._spools.iterdir(), key=_since):
            spool = Spool(folder)
            if folder.name in self._log or not _was_journalled(spool) or self.has_outlived(spool):
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

    def acknowledge(self, results: Mapping[str, dict[str, str]]) -> None:
        """The manager has everything of these: keeps a line of each, removes their folders.

        Raises OSError; then all are as they were, but for their output.
        """
        spools = [self.spool(execution_id) for execution_id in results]
        new = {word: result for word, result in results.items() if word not in self._log}
        try:
            self._log.append(new)
        except OSError:
            for spool in spools:
                spool.drop_output()  # the disk is full: make the room that the lines take
            self._log.append(new)
        for spool in spools:
            spool.remove()

    def may_know(self, execution_id: str) -> bool:
        """Whether `acknowledged` is worth asking; this takes no trip to the disk."""
        return self._log.may_hold(execution_id)

    def acknowledged(self, execution_id: str) -> dict[str, str] | None:
        """The result of an execution that was acknowledged; None if there was none such.

        Raises OSError, and ValueError when its line cannot be read: it is known all the same.
        """
        return self._log.find(execution_id)


def _since(folder: Path) -> int:
    """When it ended, or what else happened in the folder last; wall-clock ns."""
    try:
        return (folder / record.RESULT).stat().st_mtime_ns
    except OSError:
        return folder.stat().st_ctime_ns


def _was_journalled(spool: Spool) -> bool:
    """False for what a crash or a full disk left before there was an order."""
    names = (record.STARTING, record.CLAIM, record.RESULT)
    try:
        if any(_is_there(spool.folder / name) for name in names):
            return True
        return _is_there(spool.folder / record.ACCEPTED) and bool(spool.order())
    except OSError:  # nobody can tell now
        return True


def _is_there(path: Path) -> bool:
    """Raises OSError when nobody can tell now; what is another user's never was this agent's."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return True

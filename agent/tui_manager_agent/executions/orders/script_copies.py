"""The copies of scripts that other users can read: where they are, and what removes those that a
dead supervisor left.

They are below the runtime folder, because other users cannot enter the agent's own folders, and
because a restart of the host empties it. Each belongs to the user who may read it; the folder
belongs to root, and others cannot list it. `supervisor/script_and_stdin.py` makes them there, and
removes them after the end.
"""

import asyncio
import logging
import os
from collections.abc import Iterable

from tui_manager_agent.executions.held_executions import HeldExecutions
from tui_manager_agent.journal.disk_thread import DiskThread

CLEAN_EVERY = 60.0  # seconds
_FOLDER = "tui-manager-agent-scripts"
_LOG = logging.getLogger(__name__)


class ScriptCopies:
    """The copies of one agent that runs as root."""

    def __init__(self, journal_id: str, runtime_folder: str = "") -> None:
        """`journal_id` keeps the agents of one host apart."""
        runtime = runtime_folder or ("/run" if os.path.isdir("/run") else "/var/run")
        self.folder = f"{runtime}/{_FOLDER}"
        self._prefix = f"{journal_id}."

    def path(self, execution_id: str) -> str:
        """Where the copy for an execution belongs."""
        return f"{self.folder}/{self._prefix}{execution_id}"

    async def remove_regularly(self, held: HeldExecutions, disk: DiskThread) -> None:
        """Removes copies that no supervisor removed. Works until it is cancelled."""
        while True:
            # First the names: whatever has one of them is held by now, or has ended.
            found = await disk.run(self._list)
            in_use = {execution.id for execution in held if not execution.ended}
            if left := found - in_use:
                await disk.run(self._remove, left)
            await asyncio.sleep(CLEAN_EVERY)

    def _list(self) -> set[str]:
        """The executions that have a copy."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return set()  # there was no script for another user since the host was booted
        return {name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)}

    def _remove(self, executions: Iterable[str]) -> None:
        for execution_id in executions:
            try:
                os.unlink(self.path(execution_id))
            except FileNotFoundError:
                pass  # its supervisor was faster
            except OSError as error:
                _LOG.error("script not removed: execution_id=%s error=%s", execution_id, error)

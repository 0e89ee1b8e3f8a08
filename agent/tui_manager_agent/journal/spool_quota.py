"""How much disk the output of ended executions may take until the manager has acknowledged it,
together with the scripts and inputs of the other orders.

If the manager stays away, the output would grow for ever. Past the limit the oldest output is
deleted first. Its result stays, and the manager gets the missing bytes as a counted gap. The limit
itself is `SPOOL_LIMIT` in `settings.py`.
"""

import logging

from tui_manager_agent.journal.execution_folder import ExecutionFolder

_LOG = logging.getLogger(__name__)


class SpoolQuota:
    """The spools of ended executions, the oldest first. The newest keeps its output, whatever its
    size."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes, of all spooled output together."""
        self._limit = limit
        self._kept: dict[str, tuple[ExecutionFolder, int]] = {}
        self._needed: dict[str, int] = {}
        self._total = 0

    def add(self, spool: ExecutionFolder) -> None:
        """Counts the output of an execution that ended. Deletes older output if it is too much."""
        self.remove(spool)
        size = spool.output_size()
        self._kept[spool.folder.name] = spool, size
        self._total += size
        self._shrink()

    def add_needed(self, spool: ExecutionFolder, size: int) -> None:
        """Counts the bytes of the script and the input of an order, which stay until the execution
        ends."""
        self._needed[spool.folder.name] = size
        self._total += size
        self._shrink()

    def remove(self, spool: ExecutionFolder) -> None:
        """Stops counting it: its folder is deleted, or will be."""
        _, size = self._kept.pop(spool.folder.name, (None, 0))
        self._total -= size + self._needed.pop(spool.folder.name, 0)

    def _shrink(self) -> None:
        while self._total > self._limit and len(self._kept) > 1:
            self._delete_oldest_output()

    def _delete_oldest_output(self) -> None:
        spool, size = self._kept[next(iter(self._kept))]
        self.remove(spool)
        if not size:
            return
        execution_id = spool.folder.name
        try:
            spool.delete_output()
        except OSError as error:
            _LOG.error("output not deleted: execution_id=%s error=%s", execution_id, error)
        else:
            _LOG.warning(
                "no room for so much output, the oldest deleted: execution_id=%s bytes=%d",
                execution_id,
                size,
            )

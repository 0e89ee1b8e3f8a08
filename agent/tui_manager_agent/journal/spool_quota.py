"""The output of ended executions that nobody has acknowledged, and how much disk it may take.

A manager that stays away would let it grow for ever. Past the limit the oldest output goes first;
its result stays, and the manager hears of the missing bytes as a counted gap.
"""

import logging

from tui_manager_agent.executions.execution import Execution

_LOG = logging.getLogger(__name__)


class Shelf:
    """What has ended, the oldest first. What ended last stays, however large it is."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes, of all spooled output together."""
        self._limit = limit
        self._kept: dict[str, tuple[Execution, int]] = {}
        self._total = 0

    def put(self, execution: Execution) -> None:
        """It ended; older output makes room for it."""
        self.take(execution.id)
        size = execution.spool.output_size()
        self._kept[execution.id] = execution, size
        self._total += size
        while self._total > self._limit and len(self._kept) > 1:
            self._drop_the_oldest()

    def take(self, execution_id: str) -> None:
        """Its folder is gone, or will be."""
        _, size = self._kept.pop(execution_id, (None, 0))
        self._total -= size

    def _drop_the_oldest(self) -> None:
        execution, size = self._kept[next(iter(self._kept))]
        self.take(execution.id)
        if not size:
            return
        try:
            execution.spool.drop_output()
        except OSError as error:
            _LOG.error("output not dropped: execution_id=%s error=%s", execution.id, error)
        else:
            _LOG.warning(
                "no room for so much output, the oldest dropped: execution_id=%s bytes=%d",
                execution.id,
                size,
            )

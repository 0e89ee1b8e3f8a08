"""Logs that an execution starts, is canceled, or has ended. The line of the end has the reason,
also of a command that this agent or the owner's policy has refused. A file of its own, so that a
reader of the log finds these lines; errors are logged where they happen."""

import logging

from tui_manager_agent.executions.execution import Execution

_LOG = logging.getLogger(__name__)


def log_start(execution: Execution) -> None:
    _LOG.info("starting: execution_id=%s", execution.id)


def log_cancel(execution: Execution) -> None:
    _LOG.info("canceling: execution_id=%s", execution.id)


def log_end(execution: Execution) -> None:
    """Nothing is logged of an execution whose result is not known."""
    if result := execution.result:
        fields = (execution.id, result.status, result.reason)
        _LOG.info("ended: execution_id=%s status=%s reason=%s", *fields)

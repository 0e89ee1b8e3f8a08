"""The log lines on what agents reported. A file of its own, because they are written after the
transaction, and `apply_reports` works inside it."""

import logging
from collections.abc import Mapping

from tui_manager.domain.status import TaskStatus
from tui_manager.service.core.audit_and_log_limits import LOG_LINES_MAX, warn_of_each
from tui_manager.service.reports.apply_reports import ReportOutcome

log = logging.getLogger(__name__)


def log_outcome(host: str, outcome: ReportOutcome) -> None:
    """Logs what began and ended on a host, and what could not be stored."""
    for task_id, execution_id in outcome.started:
        ids = {"task": task_id, "host": host, "execution": execution_id}
        log.info("command started", extra=ids)
    for what, level, results in (
        ("result", logging.INFO, outcome.results),
        ("second, different result ignored", logging.WARNING, outcome.conflicts[:LOG_LINES_MAX]),
    ):
        for task_id, result in results:
            ids = {"task": task_id, "host": host, "execution": result.execution_id}
            end = {"status": result.status, "reason": result.reason, "exit": result.exit_code}
            log.log(level, what, extra={**ids, **end})
    warn_of_each(log, "report of an unknown execution", host, outcome.unknown)
    warn_of_each(log, "fetched files that the manager does not have", host, outcome.not_brought)


def log_tasks(changed: Mapping[int, TaskStatus | None]) -> None:
    """Logs each task that has a new status."""
    for task_id, status in changed.items():
        if status:
            log.info("task is now", extra={"task": task_id, "status": status})

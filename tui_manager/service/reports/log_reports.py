"""The log lines on what agents reported. A file of its own, because they are written after the
transaction, and `apply_reports` works inside it."""

import logging
from collections.abc import Mapping

from tui_manager.domain.status import TaskStatus
from tui_manager.service.core.audit_and_log_limits import LOG_LINES_MAX, warn_of_each
from tui_manager.service.core.command_log import CommandLog, fields_of
from tui_manager.service.reports.apply_reports import ReportOutcome

log = logging.getLogger(__name__)


def log_outcome(command_log: CommandLog, host: str, outcome: ReportOutcome) -> None:
    """Logs what began and ended on a host, and what could not be stored."""
    for task_id, execution_id in outcome.started:
        command_log.started(task_id, host, execution_id)
    for task_id, result in outcome.results:
        command_log.ended(task_id, host, result)
    for task_id, result in outcome.conflicts[:LOG_LINES_MAX]:
        log.warning("second, different result ignored", extra=fields_of(task_id, host, result))
    warn_of_each(log, "report of an unknown execution", host, outcome.unknown)
    warn_of_each(log, "fetched files that the manager does not have", host, outcome.not_brought)


def log_tasks(changed: Mapping[int, TaskStatus | None]) -> None:
    """Logs each task that has a new status."""
    for task_id, status in changed.items():
        if status:
            log.info("task is now", extra={"task": task_id, "status": status})

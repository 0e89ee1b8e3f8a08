"""How a task of the fake operator goes through its batches: the next one begins when the one before
has ended, after a hold if there is one. It knows no delay and no limit of concurrency."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

from tests.support.fake_operator.tasks.fake_rows import FakeTask
from tui_manager.domain.status import CommandHostStatus, Reason
from tui_manager.domain.task_spec.rollout_spec import ALL_AT_ONCE, HoldRule
from tui_manager.domain.tasks.assign_batches import batch_sizes, failure_budget
from tui_manager.domain.tasks.task import CommandHost, Hold, RolloutProgress

_FAULTS = (CommandHostStatus.FAILED, CommandHostStatus.TIMEOUT)


def advance(task: FakeTask, now: datetime) -> None:
    """Begins the next batch, holds before it, or skips what is left, as far as that is due."""
    if task.spec.rollout == ALL_AT_ONCE or not task.rows:
        return
    while not task.row.paused and not task.row.canceling and _step(task, now):
        pass
    task.row = replace(task.row, rollout=_progress(task))


def _step(task: FakeTask, now: datetime) -> bool:
    """One step; False if none is due."""
    progress, rollout = _progress(task), task.spec.rollout
    if task.row.hold is not None or not progress.hosts_waiting:
        return False
    if progress.max_failures is not None and progress.hosts_failed > progress.max_failures:
        _skip_waiting(task, now)
        return True
    if any(not row.status.ended for row in task.rows.values() if row.batch <= task.batch):
        return False
    holds = rollout.hold is HoldRule.EACH or (rollout.hold is HoldRule.FIRST and task.batch == 1)
    if holds and task.released < task.batch:
        hold = Hold(task.batch, progress.batches, now + rollout.hold_timeout)
        task.row, task.released = replace(task.row, hold=hold), task.batch
        return False
    task.batch += 1
    for execution_id, row in task.rows.items():
        if row.batch == task.batch:
            task.rows[execution_id] = replace(row, sent_at=now)
    return True


def _skip_waiting(task: FakeTask, now: datetime) -> None:
    for execution_id, row in task.rows.items():
        if row.batch > task.batch:
            task.rows[execution_id] = replace(
                row,
                status=CommandHostStatus.SKIPPED,
                reason=Reason.BUDGET_SPENT,
                finished_at=now,
            )


def _progress(task: FakeTask) -> RolloutProgress:
    by_host: defaultdict[str, list[CommandHost]] = defaultdict(list)
    for row in task.rows.values():
        by_host[row.host].append(row)
    open_hosts = [
        rows[0].batch for rows in by_host.values() if not all(row.status.ended for row in rows)
    ]
    failed = sum(
        any(row.status in _FAULTS and row.reason is not Reason.UNDELIVERABLE for row in rows)
        for rows in by_host.values()
    )
    return RolloutProgress(
        batch=task.batch,
        batches=len(batch_sizes(task.spec.rollout, len(by_host))),
        hosts_waiting=sum(batch > task.batch for batch in open_hosts),
        hosts_under_way=sum(batch <= task.batch for batch in open_hosts),
        hosts_failed=failed,
        max_failures=failure_budget(task.spec.rollout, len(by_host)),
        max_concurrency=0,
    )

"""How much work there is in all tasks, for the first line of the screen and for metrics."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.domain.tasks.task import Task
from tui_manager.storage.engine.statements import from_datetime, load_queries
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.tasks import transfer_step_columns
from tui_manager.storage.tables.tasks.tasks import tasks_of

_SQL = load_queries("work_totals.sql")


@dataclass(frozen=True, slots=True)
class UnendedWork:
    """What has not ended.

    Attributes:
        tasks: how many, by status.
        pending, running: commands on a host.
    """

    tasks: Mapping[TaskStatus, int] = field(default_factory=dict)
    pending: int = 0
    running: int = 0


def unended_work(tx: Transaction) -> UnendedWork:
    """How many tasks have not ended, and how many commands of these."""
    rows = {TaskStatus(row["status"]): row for row in tx.execute(_SQL["unended_work"])}
    return UnendedWork(
        tasks={status: row["tasks"] for status, row in rows.items()},
        pending=sum(row["pending"] for row in rows.values()),
        running=sum(row["running"] for row in rows.values()),
    )


def count_failed(tx: Transaction, since: datetime) -> int:
    """How many tasks have ended as failed since then."""
    values = {"since": from_datetime(since)}
    count: int = tx.execute(_SQL["count_failed"], values).fetchone()["failed"]
    return count


def held(tx: Transaction, limit: int) -> list[Task]:
    """The newest running tasks that wait after a batch for an operator."""
    return tasks_of(tx.execute(_SQL["held"], {"limit": limit}).fetchall())


def newest_updates(tx: Transaction, limit: int) -> list[UpdateSpec]:
    """What the newest tasks have brought that have updated the agent of a host; the newest
    first."""
    rows = tx.execute(_SQL["newest_updates"], {"limit": limit})
    return [
        update for row in rows if (update := transfer_step_columns.update_of(row["update_step"]))
    ]


def count_running(tx: Transaction) -> int:
    """How many tasks are running."""
    count: int = tx.execute(_SQL["count_running"]).fetchone()["running"]
    return count

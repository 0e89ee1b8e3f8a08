"""Tasks that have ended, to grow old; and what is left of them."""

from collections.abc import Sequence
from typing import Any

from tests.support.managers.manager_parts import Parts, result, totals
from tui_manager.domain.hosts.agent_messages import Output
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.storage.engine.transaction import Transaction

DAY = 24 * 3600
TABLES = ("tasks", "commands", "secrets", "command_hosts", "output_chunks")


async def ended(parts: Parts, host_id: str, *texts: str, size: int = 3) -> tuple[int, list[str]]:
    """(task_id, execution_ids) of a task that has ended on a host, with output of each command."""
    before = len(parts.dispatcher.sent)
    task_id = await parts.started("@all", *texts)
    runs = []
    while len(parts.dispatcher.sent) > before:
        ((_, run),) = parts.dispatcher.sent[before:]
        before += 1
        runs.append(run.execution_id)
        for offset in range(0, size, 3):
            await parts.report(host_id, Output(run.execution_id, Stream.STDOUT, offset, b"abc"))
        await parts.report(host_id, result(run.execution_id, totals=totals(size)))
        await parts.send()
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED
    return task_id, runs


async def listed(parts: Parts, **window: Any) -> list[int]:
    page = await parts.tasks.list_tasks(Window(limit=1000, **window))
    assert page.matching == len(page.rows)
    return [task.task_id for task in page.rows]


async def left_over(parts: Parts, tables: Sequence[str] = TABLES) -> dict[str, int]:
    def count(tx: Transaction) -> dict[str, int]:
        return {
            table: tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
        }

    return await parts.database.read(count)

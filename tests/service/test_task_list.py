"""The list of tasks: by host, status, creator and time, and in several orders."""

from tests.support.manager_parts import Parts
from tui_manager.storage.engine.connection import Transaction
from tui_manager.storage.tables import hosts
from tui_manager.storage.views import task_list


async def _newest_of(parts: Parts, host_id: str, limit: int) -> list[int]:
    def read(tx: Transaction) -> list[int]:
        row = hosts.by_host_id(tx, host_id)
        assert row is not None
        return [task.task_id for task in task_list.tasks_of_host(tx, row.row_id, limit)]

    return await parts.database.read(read)


async def test_the_newest_tasks_of_a_host_are_those_that_ran_there(parts: Parts) -> None:
    web01, web02 = await parts.connect("web01"), await parts.connect("web02")
    for target in ("web01", "web02", "@all", "web02", "web01"):
        await parts.started(target, "first", "second")
    assert await _newest_of(parts, web01.host_id, 20) == [5, 3, 1]
    assert await _newest_of(parts, web02.host_id, 2) == [4, 3]
    await parts.database.write(
        lambda tx: tx.execute("UPDATE tasks SET pruned_at = 1 WHERE id = 3").close()
    )
    assert await _newest_of(parts, web01.host_id, 2) == [5, 1]

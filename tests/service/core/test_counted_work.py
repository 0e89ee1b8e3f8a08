"""What is counted for metrics is the same on both engines. The rest is in tests/metrics."""

from datetime import timedelta

from tests.support.managers.manager_parts import Parts, failed, spec
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.storage.engine.metric_counters import Act
from tui_manager.storage.views import work_totals
from tui_manager.storage.views.work_totals import UnendedWork


async def test_work_is_counted_as_it_is_stored(parts: Parts) -> None:
    assert await parts.database.read(work_totals.unended_work) == UnendedWork()
    host = await parts.connect("web01")
    await parts.tasks.create_task(spec("web01"))
    await parts.started("web01", "true", "true")
    await parts.started("web01")
    first, second = (run.execution_id for _, run in parts.dispatcher.sent)
    await parts.report(host.host_id, Started(first, timedelta(0)))
    assert await parts.database.read(work_totals.unended_work) == UnendedWork(
        {TaskStatus.PENDING: 1, TaskStatus.RUNNING: 2}, pending=2, running=1
    )
    await parts.report(host.host_id, failed(first))
    await parts.report(host.host_id, failed(second))
    counted, ended = parts.statistics.counted, Act.COMMAND_HOST_ENDED
    assert counted[(ended, CommandHostStatus.FAILED, Reason.EXIT_CODE)] == 2
    assert counted[(ended, CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)] == 1
    assert counted[(Act.TASK_ENDED, TaskStatus.FAILED)] == 2
    assert counted[(Act.COMMAND_HOST_STARTED,)] == 1
    assert (await parts.database.read(work_totals.unended_work)).running == 0

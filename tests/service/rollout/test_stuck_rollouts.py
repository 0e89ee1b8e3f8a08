"""A rollout of which something wrong is stored stands still alone."""

import logging

import pytest

from tests.support.managers.rollouts import Fleet, rollout
from tui_manager.domain.status import TaskStatus
from tui_manager.operator.inprocess.alerts import HostCounts, attention


async def test_a_rollout_that_contradicts_itself_stops_no_other(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """The first one has a host too many that waits, and is looked at first."""
    parts = fleet.parts
    wrong = await fleet.start("h001", rollout=rollout(batches="1"))
    right = await parts.started("h002,h003", rollout=rollout(batches="1"))
    await parts.database.write(
        lambda tx: tx.execute("UPDATE rollout_batches SET waiting = 1 WHERE task_id = ?", (wrong,))
    )
    await fleet.take()
    assert fleet.busy() == ["h001", "h002"]
    for _ in range(2):
        await parts.rollout_loop.run_once()
    await fleet.report("h002")
    await parts.send()
    assert await parts.tasks.get_task_status(right) is TaskStatus.RUNNING
    assert parts.dispatcher.sent[-1][0] == fleet.sessions["h003"].host_id
    stuck = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.__dict__["task"] for record in stuck] == [wrong]
    (alert,) = attention(parts.core, HostCounts())
    assert alert.task_id == wrong
    assert alert.text.startswith(f"Task {wrong} begins no further host")
    await parts.tasks.cancel_task(wrong)
    await parts.rollout_loop.run_once()
    assert attention(parts.core, HostCounts()) == ()

"""A restored database meets agents that hold newer executions."""

from pathlib import Path

import pytest

from tests.support.databases.engines import copy_database
from tests.support.managers.manager_parts import Parts, greeting, manager_parts, result
from tui_manager.domain.hosts.agent_messages import Held, HeldState
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.storage.maintenance.check import contradictions


async def _sent_after_a_backup(folder: Path, *texts: str) -> tuple[str, str, int]:
    """(host_id, execution_id, task_id): the backup in `folder` knows the task, not the sending."""
    before = folder / "before"
    before.mkdir()
    async with manager_parts(before) as parts:
        host = await parts.connect("web01")
        parts.dispatcher.rooms[host.host_id] = 0
        task_id = await parts.started("web01", *texts)
        copy_database(before, folder)
        del parts.dispatcher.rooms[host.host_id]
        parts.hosts.session_ready(host.host_id)
        ((_, run),) = await parts.send()
    return host.host_id, run.execution_id, task_id


async def _look(parts: Parts, task_id: int) -> tuple[CommandHostStatus, Reason]:
    assert await parts.database.read(contradictions) == []
    row = (await parts.rows(task_id))[0]
    return row.status, row.reason


@pytest.mark.parametrize("state", [HeldState.ACCEPTED, HeldState.RUNNING])
async def test_a_command_that_the_agent_holds_is_not_sent_again_and_can_be_lost(
    tmp_path: Path, state: HeldState
) -> None:
    host_id, execution_id, task_id = await _sent_after_a_backup(tmp_path)
    async with manager_parts(tmp_path) as parts:
        held = (Held(execution_id, state),)
        back = await parts.hosts.open_session(greeting("web01", host_id=host_id, held=held), None)
        parts.hosts.session_ready(host_id)
        assert await parts.send() == []
        await parts.hosts.close_session(host_id, back.generation, "test")
        parts.clock.turn(301)
        await parts.silence.run_once()
        assert await _look(parts, task_id) == (CommandHostStatus.FAILED, Reason.AGENT_LOST)


async def test_a_result_that_the_database_did_not_expect_is_stored(tmp_path: Path) -> None:
    host_id, execution_id, task_id = await _sent_after_a_backup(tmp_path, "first", "second")
    async with manager_parts(tmp_path) as parts:
        held = (Held(execution_id, HeldState.ENDED, has_result=True),)
        await parts.hosts.open_session(greeting("web01", host_id=host_id, held=held), None)
        await parts.report(host_id, result(execution_id))
        assert await _look(parts, task_id) == (CommandHostStatus.COMPLETED, Reason.NONE)
        assert [run.command.text for _, run in await parts.send()] == ["second"]
        assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING

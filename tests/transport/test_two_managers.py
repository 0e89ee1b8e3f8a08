"""Two whole managers on one database: agents of the one, operators of the other."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import dial
from tests.support.databases.postgresql import postgresql_database
from tests.support.waiting import wait_until
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.settings import Settings

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def managers(tmp_path: Path) -> AsyncIterator[tuple[RunningManager, RunningManager]]:
    with postgresql_database() as url:
        async with contextlib.AsyncExitStack() as stack:
            first, second = [
                await stack.enter_async_context(
                    run_manager(
                        Settings(
                            state_dir=tmp_path / name,
                            database=url,
                            name=name,
                            listen="127.0.0.1:0",
                            insecure=True,
                            free_disk=0,
                            heartbeat=timedelta(seconds=1),
                        )
                    )
                )
                for name in ("first", "second")
            ]
            yield first, second


async def _hosts(manager: RunningManager) -> list[Host]:
    return list((await manager.operator.list_hosts(Window(sort="name"))).rows)


async def _online(manager: RunningManager, *names: str) -> list[Host]:
    """The hosts, once the manager shows that these are online."""
    return await wait_until(
        lambda: _hosts(manager),
        lambda hosts: {host.name for host in hosts if host.online} == {*names},
    )


async def test_managers_have_the_names_of_their_settings(
    managers: tuple[RunningManager, RunningManager],
) -> None:
    for manager in managers:
        found = await wait_until(manager.operator.list_managers, lambda listed: len(listed) == 2)
        assert [one.name for one in found] == ["first", "second"]


async def test_an_operator_works_with_the_hosts_of_another_manager(
    managers: tuple[RunningManager, RunningManager],
) -> None:
    first, second = managers
    operator = first.operator
    async with dial(second.address) as stream:
        await stream.hello("web01")
        await _online(first, "web01")
        task_id = await operator.create_task(TaskSpec("@all", (CommandSpec("sleep 60"),)))
        await operator.start_task(task_id)
        run = (await stream.read_until("run_command")).run_command
        output = pb.Output(
            execution_id=run.execution_id, stream=pb.STREAM_STDOUT, offset=0, data=b"hello\n"
        )
        await stream.report(started=[pb.Started(execution_id=run.execution_id)], output=[output])
        chunks = await wait_until(
            lambda: operator.read_output(run.execution_id, Stream.STDOUT), lambda found: found
        )
        assert [chunk.data for chunk in chunks] == [b"hello\n"]
        await operator.cancel_task(task_id)
        assert (
            await stream.read_until("cancel_command")
        ).cancel_command.execution_id == run.execution_id
        result = pb.Result(
            execution_id=run.execution_id,
            status=pb.RESULT_STATUS_CANCELED,
            totals=[pb.StreamTotal(stream=pb.STREAM_STDOUT, stored=6)],
        )
        await stream.report(results=[result])
        for manager in managers:
            status = partial(manager.operator.get_task_status, task_id)
            await wait_until(status, lambda found: found is TaskStatus.CANCELED)
    await _online(first)


async def test_a_host_that_goes_to_another_manager_is_there_alone(
    managers: tuple[RunningManager, RunningManager],
) -> None:
    first, second = managers
    async with dial(first.address) as old, dial(second.address) as new:
        welcome = (await old.hello("web01", instance_id="one")).welcome
        await _online(second, "web01")
        await new.hello("web01", host_id=welcome.host_id, instance_id="one")
        end = (await old.read_until("disconnect")).disconnect
        assert end.reason == pb.DISCONNECT_REASON_REPLACED
        task_id = await first.operator.create_task(TaskSpec("web01", (CommandSpec("true"),)))
        await first.operator.start_task(task_id)
        assert (await new.read_until("run_command")).run_command
        for manager in managers:
            await _online(manager, "web01")

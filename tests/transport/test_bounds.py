"""An agent that says absurd things: they are cut, clamped or refused; what is stored is sane."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tui_manager_protos.v1 import agent_pb2 as pb

from tests.support.agents.agent_stream import AgentStream, dial
from tests.support.waiting import wait_until
from tui_manager.domain.hosts.host import Host
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import CommandHost
from tui_manager.run_manager import RunningManager, run_manager
from tui_manager.settings import Settings
from tui_manager.state_files import DATABASE
from tui_manager.storage.maintenance.check import check_database

HUGE = (1 << 64) - 1
LONG = Duration(seconds=315_576_000_000)


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[RunningManager]:
    settings = Settings(
        state_dir=tmp_path, listen="127.0.0.1:0", insecure=True, free_disk=0, output_limit=1024
    )
    async with run_manager(settings) as running:
        yield running
    assert check_database(tmp_path / DATABASE).findings == ()


async def _sent(manager: RunningManager, agent: AgentStream) -> tuple[int, str]:
    await agent.hello("web01")
    task_id = await manager.operator.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await manager.operator.start_task(task_id)
    return task_id, (await agent.read()).run_command.execution_id


async def _row(manager: RunningManager, task_id: int) -> CommandHost:
    return (await manager.operator.list_command_hosts(task_id, Window())).rows[0]


async def _host(manager: RunningManager) -> Host:
    return (await manager.operator.list_hosts(Window())).rows[0]


async def test_more_output_than_the_limit_ends_the_session(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        task_id, execution_id = await _sent(manager, agent)
        await agent.report(
            output=[pb.Output(execution_id=execution_id, stream=pb.STREAM_STDOUT, data=b"x" * 1500)]
        )
        last = (await agent.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR
        assert "limit" in last.detail
    row = await _row(manager, task_id)
    assert (row.stdout_bytes, row.truncated_bytes) == (1024, 476)
    assert any(
        "violated the protocol: More output" in said.text
        for said in (await manager.operator.manager_status()).attention
    )


@pytest.mark.parametrize(
    ("age", "length", "began", "ended"),
    [
        (LONG, LONG, 20, 10),
        (Duration(seconds=-5), Duration(seconds=-5), 0, 0),
        (Duration(nanos=-1), Duration(nanos=-1), 0, 0),
    ],
)
async def test_times_are_clamped(
    manager: RunningManager, age: Duration, length: Duration, began: int, ended: int
) -> None:
    """`began` and `ended` in years before now."""
    async with dial(manager.address) as agent:
        task_id, execution_id = await _sent(manager, agent)
        result = pb.Result(
            execution_id=execution_id,
            status=pb.RESULT_STATUS_COMPLETED,
            exit_code=0,
            age=age,
            duration=length,
            cpu=LONG,
            memory_peak=HUGE,
            detail="é" * 5000,
            totals=[pb.StreamTotal(stream=pb.STREAM_STDERR, dropped=HUGE)],
        )
        await agent.report(
            started=[pb.Started(execution_id=execution_id, age=age)], results=[result]
        )
        await agent.read_until("acknowledge")
    row = await _row(manager, task_id)
    assert row.status is CommandHostStatus.COMPLETED
    assert row.sent_at
    assert row.started_at
    assert row.finished_at
    for moment, years in ((row.started_at, began), (row.finished_at, ended)):
        off = row.sent_at - moment - timedelta(days=365.2 * years)
        assert abs(off) < timedelta(days=10)
    assert len(row.detail) == 4000
    assert row.detail.endswith("…")
    assert row.truncated_bytes == 1 << 60


async def test_vitals_are_made_sane(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01", clock=Timestamp(seconds=1 << 60))
        await agent.report(
            vitals=pb.Vitals(
                cpu_percent=float("nan"),
                load_1m=float("-inf"),
                memory_used=HUGE,
                memory_total=HUGE,
                uptime=LONG,
                clock=Timestamp(seconds=-(1 << 60)),
                disks=[pb.Disk(mount="/" * 900, used=HUGE, total=HUGE)] * 500,
            )
        )

        async def renew_if_due() -> Host:
            return await _host(manager)

        host = await wait_until(renew_if_due, lambda host: host.vitals)
    vitals = host.vitals
    assert vitals
    assert (vitals.cpu_percent, vitals.load_1m, vitals.memory_percent) == (0.0, 0.0, 100.0)
    assert vitals.skew == timedelta(days=-3652)
    assert vitals.uptime == timedelta(days=3652)
    assert len(vitals.disks) == 64
    assert len(vitals.disks[0].mount) == 128


async def test_what_hello_says_of_the_system_is_cut(manager: RunningManager) -> None:
    long = "x" * 100_000
    async with dial(manager.address) as agent:
        said = dict.fromkeys(("os", "arch", "agent_version", "build", "installed_by"), long)
        await agent.hello("web01", **said)
        host = await _host(manager)
    kept = (host.os, host.arch, host.agent_version, host.agent_build, host.installed_by)
    assert [len(text) for text in kept] == [128] * 5
    assert host.os.endswith("…")


@pytest.mark.parametrize(
    "given",
    [
        {"journal_id": "x" * 129},
        {"boot_id": "x" * 129},
        {"instance_id": "x" * 129},
        {"machine_id": "x" * 129},
        {"host_id": "x" * 129},
        {"labels": {"k" * 64: "v"}},
        {"labels": {"k": "v" * 129}},
        {"labels": {f"k{number}": "" for number in range(65)}},
        {"hostname": "x" * 65},
    ],
)
async def test_a_hello_out_of_bounds_is_refused(
    manager: RunningManager, given: dict[str, object]
) -> None:
    async with dial(manager.address) as agent:
        last = (await agent.hello("web01", **given)).disconnect
        assert last.reason == pb.DISCONNECT_REASON_INVALID_HELLO
        assert len(last.detail) < 1000


async def test_an_id_that_is_too_long_breaks_the_protocol(manager: RunningManager) -> None:
    async with dial(manager.address) as agent:
        await agent.hello("web01")
        await agent.report(started=[pb.Started(execution_id="x" * 129)])
        last = (await agent.read_until("disconnect")).disconnect
        assert last.reason == pb.DISCONNECT_REASON_PROTOCOL_ERROR

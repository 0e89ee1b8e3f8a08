"""The stream itself: resuming, acknowledging, heartbeats, and its sudden end."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from tui_manager_agent.executions.outbox import Outbox
from tui_manager_agent.link.link import Link, _finish
from tui_manager_agent.link.stream_endings import Ending
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.executions.test_restart import begun, folder_of
from tests.agent.fake_enrollment import unused_port
from tests.agent.fake_manager import FakeManager


async def test_a_manager_that_comes_back_gets_the_rest(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"seq 1 50000; cat {gate}; seq 50001 100000; exit 4")
    await begun(manager, execution_id, b"\n50000\n")
    await manager.stop()
    gate.open()
    await manager.start()
    assert (await manager.result(execution_id)).exit_code == 4
    whole = "".join(f"{number}\n" for number in range(1, 100_001)).encode()
    assert manager.stored(execution_id).stdout == whole
    assert len(manager.hellos) == 2
    assert manager.hellos[0].instance_id == manager.hellos[1].instance_id


async def test_what_was_not_acknowledged_is_sent_again(
    manager: FakeManager, agent: AgentProcess
) -> None:
    manager.acknowledges = False
    execution_id = manager.run("echo output; exit 5")
    await manager.result(execution_id)
    manager.executions.clear()  # it lost what it had not committed
    manager.acknowledges = True
    manager.hang_up()
    assert (await manager.result(execution_id)).exit_code == 5
    assert manager.stored(execution_id).stdout == b"output\n"
    held = manager.hellos[1].executions[0]
    assert (held.state, held.has_result) == (wire.EXECUTION_STATE_ENDED, True)
    assert [offset.offset for offset in held.offsets] == [7, 0]


async def test_what_is_stored_is_forgotten(manager: FakeManager, agent: AgentProcess) -> None:
    manager.acknowledges = False
    execution_id = manager.run("exit 5")
    await manager.result(execution_id)
    manager.verdicts[execution_id] = wire.RESUME_ACTION_STORED
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 3)
    assert not manager.hellos[2].executions
    assert len(manager.stored(execution_id).results) == 1


async def test_unknown_work_is_left_to_finish_and_kept_to_itself(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; echo end")
    await begun(manager, execution_id)
    manager.verdicts[execution_id] = wire.RESUME_ACTION_UNKNOWN
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    gate.open()
    await manager.result(manager.run("true"))
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 3)
    assert not manager.stored(execution_id).results
    assert folder_of(agent, manager, execution_id).exists()
    manager.verdicts.clear()  # the right database is back
    manager.hang_up()
    assert (await manager.result(execution_id)).exit_code == 0
    assert manager.stored(execution_id).stdout == b"ready\nend\n"


async def test_what_is_called_unknown_during_a_session_is_kept_to_itself_from_then_on(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; echo end")
    await begun(manager, execution_id)
    settings = wire.Settings()
    settings.heartbeat.FromTimedelta(timedelta(milliseconds=20))  # lets the wait below look again
    manager.send(settings=settings)
    unknown = wire.Resume(execution_id=execution_id, action=wire.RESUME_ACTION_UNKNOWN)
    manager.send(resume=unknown)
    await manager.result(manager.run("true"))
    gate.open()
    result_file = folder_of(agent, manager, execution_id) / record.RESULT
    await manager.wait_for(result_file.exists)
    await manager.result(manager.run("true"))
    assert not manager.stored(execution_id).results
    assert manager.stored(execution_id).stdout == b"ready\n"


async def test_nothing_is_said_of_an_execution_before_its_resume(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}")
    await begun(manager, execution_id)
    manager.holds_back = {execution_id}
    manager.hang_up()
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    reports = len(manager.reports)
    gate.open()
    await manager.result(manager.run("true"))
    said = [r for report in manager.reports[reports:] for r in report.results]
    assert execution_id not in [result.execution_id for result in said]
    resume = wire.Resume(execution_id=execution_id, action=wire.RESUME_ACTION_GO_ON)
    resume.offsets.extend(manager.stored(execution_id).offsets())
    manager.send(resume=resume)
    assert (await manager.result(execution_id)).exit_code == 0


async def test_a_repeat_after_the_acknowledgement_is_answered_with_a_gap(
    manager: FakeManager, agent: AgentProcess
) -> None:
    execution_id = manager.run("echo output; exit 6")
    await manager.result(execution_id)
    settings = wire.Settings()
    settings.heartbeat.FromTimedelta(timedelta(milliseconds=20))
    manager.send(settings=settings)  # once it beats faster it has heard the acknowledgement too
    heard = len(manager.reports)
    await manager.wait_for(lambda: len(manager.reports) > heard + 3)
    await agent.terminate()  # which puts away what was acknowledged
    manager.executions.clear()  # a restored database sends it again
    await agent.start(manager)
    await manager.wait_for(lambda: len(manager.hellos) == 2)
    manager.run("echo never", execution_id=execution_id)
    result = await manager.result(execution_id)
    assert result.exit_code == 6
    assert manager.stored(execution_id).gaps == len("output\n")


async def test_heartbeats_carry_vitals(manager: FakeManager, agent: AgentProcess) -> None:
    settings = wire.Settings()
    settings.heartbeat.FromTimedelta(timedelta(milliseconds=20))
    manager.send(settings=settings)
    await manager.wait_for(lambda: len(manager.reports) > 5)
    vitals = manager.reports[-1].vitals
    assert 0 <= vitals.cpu_percent <= 100
    assert 0 < vitals.memory_used < vitals.memory_total
    assert vitals.cores > 0
    assert vitals.uptime.seconds > 0


async def test_vitals_count_who_runs_and_who_waits(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    settings = wire.Settings()
    settings.heartbeat.FromTimedelta(timedelta(milliseconds=20))
    manager.send(settings=settings)
    for _ in range(7):
        manager.run(f"cat {gate}")
    await manager.wait_for(
        lambda: (manager.reports[-1].vitals.running, manager.reports[-1].vitals.queued) == (5, 2)
    )


async def test_a_line_is_sent_while_the_command_runs(
    manager: FakeManager, agent: AgentProcess, gate: Gate
) -> None:
    execution_id = manager.run(f"echo ready; cat {gate}; echo 2; cat {gate}")
    await begun(manager, execution_id)
    gate.open()
    await begun(manager, execution_id, b"2\n")
    assert not manager.stored(execution_id).results
    gate.open()
    await manager.result(execution_id)


@pytest.mark.parametrize("size", [100_000, 16 * 1024 * 1024 + 5])
async def test_floods_arrive_whole(manager: FakeManager, agent: AgentProcess, size: int) -> None:
    execution_id = manager.run(f"yes | head -c {size}")
    result = await manager.result(execution_id)
    kept = min(size, 16 * 1024 * 1024)
    assert manager.stored(execution_id).stdout == (b"y\n" * size)[:kept]
    assert result.totals[0].stored == kept
    assert result.totals[0].dropped == size - kept
    assert manager.stored(execution_id).most_under_way <= 1024 * 1024


async def test_a_disconnect_that_is_not_final_is_retried(
    manager: FakeManager, agent: AgentProcess
) -> None:
    def more_hellos(before: int) -> bool:
        return len(manager.hellos) > before

    for reason in (wire.DISCONNECT_REASON_REPLACED, wire.DISCONNECT_REASON_PROTOCOL_ERROR):
        before = len(manager.hellos)
        manager.send(disconnect=wire.Disconnect(reason=reason))
        manager.hang_up()
        await manager.wait_for(partial(more_hellos, before))
    assert (await manager.result(manager.run("true"))).exit_code == 0


async def test_a_signal_that_comes_while_a_stream_ends_is_not_lost() -> None:
    begun, ending, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ending.set()
            await end.wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    finishing = asyncio.create_task(_finish(writing))
    await ending.wait()
    finishing.cancel()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await finishing


async def test_what_comes_in_one_batch_is_heard_in_its_order(
    manager: FakeManager, agent: AgentProcess
) -> None:
    first, second = manager.run("true"), manager.run("true")
    await manager.result(second)
    tombstone = "00000000-0000-4000-8000-000000000000"
    kill = wire.CancelCommand(execution_id=tombstone, mode=wire.CANCEL_MODE_KILL)
    run = wire.RunCommand(execution_id=tombstone, command="true")
    run.timeout.FromSeconds(60)
    said = [wire.ManagerMessage(cancel_command=kill), wire.ManagerMessage(run_command=run)]
    manager.send(batch=wire.Batch(messages=said))
    assert (await manager.result(tombstone)).status == wire.RESULT_STATUS_CANCELED
    assert (await manager.result(first)).status == wire.RESULT_STATUS_COMPLETED


async def test_a_closed_port_is_told_from_a_manager_that_does_not_answer() -> None:
    """By a text of gRPC, which an update may change."""
    with unused_port() as kept:
        address = f"127.0.0.1:{kept.getsockname()[1]}"
        link = Link(address, Outbox(), wire.Vitals, lambda _welcome: {}, credentials=None)
        end = await link.run(wire.Hello())
    assert (end.ending, end.nothing_listens) == (Ending.UNREACHABLE, True)

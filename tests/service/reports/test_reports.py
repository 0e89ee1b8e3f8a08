"""Reports of agents: repeats, late results, conflicts, and offsets of output."""

from dataclasses import replace
from datetime import timedelta

from tests.support.managers.manager_parts import Parts, counters_differ, failed, result, totals
from tui_manager.domain.hosts.agent_messages import Held, HeldState, Output, Started
from tui_manager.domain.hosts.vitals import Vitals
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.storage.tables.tasks.output import OutputOf


async def _running(parts: Parts) -> tuple[str, str, int]:
    """(host_id, execution_id, task_id) of a command that has started."""
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    return host.host_id, run.execution_id, task_id


def _piece(execution_id: str, offset: int, data: bytes, gap: int = 0) -> Output:
    return Output(execution_id, Stream.STDOUT, offset, data, gap)


async def _stdout(parts: Parts, execution_id: str, offset: int = 0) -> bytes:
    chunks = await parts.tasks.output.read(execution_id, Stream.STDOUT, offset, 1 << 30)
    return b"".join(chunk.data or b"\0" * chunk.gap for chunk in chunks)


async def test_repeats_change_nothing_and_are_acknowledged(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    report = (
        Started(execution_id, timedelta(0)),
        _piece(execution_id, 0, b"abc"),
        result(execution_id, totals=totals(3)),
    )
    first = await parts.report(host_id, *report)
    row = await parts.row(execution_id, task_id)
    parts.clock.turn(60)
    again = await parts.report(host_id, *report)
    assert await parts.row(execution_id, task_id) == row
    assert first.acknowledged == again.acknowledged
    assert (again.acknowledged[0].result, again.acknowledged[0].offsets[Stream.STDOUT]) == (True, 3)
    assert await _stdout(parts, execution_id) == b"abc"
    assert (again.conflicts, again.results, again.output) == ([], [], set())


async def test_output_is_stored_at_its_offsets_in_any_order_of_arrival(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    for offset, data in ((0, b"abc"), (0, b"ab"), (1, b"bcde"), (5, b"f")):
        outcome = await parts.report(host_id, _piece(execution_id, offset, data))
    assert outcome.acknowledged[0].offsets[Stream.STDOUT] == 6
    assert await _stdout(parts, execution_id) == b"abcdef"
    assert await _stdout(parts, execution_id, 4) == b"ef"
    assert await _stdout(parts, execution_id, 6) == b""
    assert (await parts.row(execution_id, task_id)).stdout_bytes == 6


async def test_output_behind_a_hole_is_not_stored_and_not_acknowledged(parts: Parts) -> None:
    host_id, execution_id, _ = await _running(parts)
    await parts.report(host_id, _piece(execution_id, 0, b"abc"))
    outcome = await parts.report(host_id, _piece(execution_id, 4, b"e"))
    assert outcome.holes == {execution_id}
    assert outcome.acknowledged[0].offsets[Stream.STDOUT] == 3
    assert await _stdout(parts, execution_id) == b"abc"


async def test_lost_output_is_a_counted_gap(parts: Parts) -> None:
    host_id, execution_id, _ = await _running(parts)
    await parts.report(host_id, _piece(execution_id, 0, b"", 4), _piece(execution_id, 4, b"e"))
    assert await _stdout(parts, execution_id) == b"\0\0\0\0e"
    assert await _stdout(parts, execution_id, 2) == b"\0\0e"


async def test_a_result_is_acknowledged_once_its_output_is_complete(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    outcome = await parts.report(host_id, result(execution_id, totals=totals(3)))
    assert not outcome.acknowledged[0].result
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.COMPLETED
    outcome = await parts.report(host_id, _piece(execution_id, 0, b"abc"))
    assert outcome.acknowledged[0].result


async def test_a_second_different_result_is_counted_and_the_first_stays(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    await parts.report(host_id, result(execution_id))
    row = await parts.row(execution_id, task_id)
    outcome = await parts.report(host_id, failed(execution_id))
    assert await parts.row(execution_id, task_id) == row
    assert outcome.acknowledged[0].result
    assert parts.statistics.counters.conflicting_results == 1


async def test_a_host_may_report_only_its_own_executions(parts: Parts) -> None:
    _, execution_id, task_id = await _running(parts)
    other = await parts.connect("web02")
    outcome = await parts.report(
        other.host_id, _piece(execution_id, 0, b"lies"), result(execution_id)
    )
    assert (outcome.foreign, outcome.unknown, outcome.acknowledged) == ({execution_id}, set(), [])
    assert (await parts.row(execution_id, task_id)).status is CommandHostStatus.RUNNING
    assert await _stdout(parts, execution_id) == b""


async def test_a_result_implies_the_start(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    outcome = await parts.report(host.host_id, result(run.execution_id))
    (acknowledged,) = outcome.acknowledged
    assert acknowledged.result
    row = await parts.row(run.execution_id, task_id)
    assert row.started_at == parts.clock.instant - timedelta(seconds=1)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.COMPLETED


async def test_all_fields_of_a_result_are_stored(parts: Parts) -> None:
    host_id, execution_id, task_id = await _running(parts)
    said = result(
        execution_id,
        CommandHostStatus.TIMEOUT,
        Reason.TIMEOUT,
        signal=9,
        detail="pid 7 of root survives",
        kill_incomplete=True,
        age=timedelta(seconds=2),
        totals={Stream.STDERR: replace(totals()[Stream.STDERR], dropped=5)},
    )
    await parts.report(host_id, said)
    row = await parts.row(execution_id, task_id)
    assert (row.status, row.reason, row.signal) == (
        CommandHostStatus.TIMEOUT,
        Reason.TIMEOUT,
        9,
    )
    assert (row.detail, row.kill_incomplete, row.truncated_bytes) == (said.detail, True, 5)
    assert row.finished_at == parts.clock.instant - timedelta(seconds=2)


async def test_output_is_followed_in_the_order_of_storing(parts: Parts) -> None:
    hosts = [await parts.connect(name) for name in ("web01", "web02")]
    task_id = await parts.started("@all")
    runs = dict(parts.dispatcher.sent)
    for number in range(3):
        for host in hosts:
            execution_id = runs[host.host_id].execution_id
            await parts.report(host.host_id, _piece(execution_id, 2 * number, b"%d\n" % number))
    chunks = await parts.tasks.output.follow(OutputOf(task_id), 0, 1 << 20)
    assert [(chunk.host, chunk.data) for chunk in chunks] == [
        (name, b"%d\n" % number) for number in range(3) for name in ("web01", "web02")
    ]
    after = chunks[3].position
    chunks = await parts.tasks.output.follow(OutputOf(task_id, hosts[0].host_id), after, 1 << 20)
    assert [chunk.data for chunk in chunks] == [b"2\n"]
    chunks = await parts.tasks.output.follow(OutputOf(task_id), -3, 1 << 20)
    assert [(chunk.host, chunk.data) for chunk in chunks] == [
        ("web02", b"1\n"),
        ("web01", b"2\n"),
        ("web02", b"2\n"),
    ]
    assert len(await parts.tasks.output.follow(OutputOf(task_id), 0, 3)) == 2
    assert await parts.database.read(counters_differ) == []


async def running(parts: Parts) -> int:
    """How many commands run on the one host, as lists show it."""
    (host,) = parts.list_hosts(Window()).rows
    return host.running


async def test_the_number_of_running_commands_of_a_host_does_not_wait_for_its_vitals(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")
    parts.hosts.record_vitals(host.host_id, host.generation, Vitals(running=0))
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    assert await running(parts) == 1
    await parts.report(host.host_id, result(run.execution_id))
    assert await running(parts) == 0


async def test_vitals_that_come_with_a_start_or_an_end_do_not_count_it_twice(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    parts.hosts.record_vitals(host.host_id, host.generation, Vitals(running=1))
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    assert await running(parts) == 1
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    assert await running(parts) == 1
    parts.hosts.record_vitals(host.host_id, host.generation, Vitals(running=0))
    await parts.report(host.host_id, result(run.execution_id))
    assert await running(parts) == 0
    parts.hosts.record_vitals(host.host_id, host.generation, Vitals(running=1))
    assert await running(parts) == 0


async def test_a_returning_host_says_which_commands_run(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.hosts.close_session(host.host_id, host.generation, "test")
    held = (Held(run.execution_id, HeldState.RUNNING), Held("unknown", HeldState.RUNNING))
    back = await parts.connect("web01", host_id=host.host_id, held=held)
    parts.hosts.record_vitals(back.host_id, back.generation, Vitals(running=2))
    assert await running(parts) == 1
    await parts.report(back.host_id, result(run.execution_id))
    assert await running(parts) == 0

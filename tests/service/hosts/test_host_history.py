"""What one host is shown with: its vitals of the last hour, what ran there, and who admitted it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.support.managers.manager_parts import Parts, failed, result
from tui_manager.domain.hosts.agent_messages import Started
from tui_manager.domain.hosts.host import TASKS_SHOWN
from tui_manager.domain.hosts.vitals import HISTORY_MINUTES, Vitals, VitalsPoint
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure
from tui_manager.service.core.hosts.vitals_history import VitalsHistory


async def history(parts: Parts, name: str = "web01") -> tuple[VitalsPoint, ...]:
    return (await parts.host_management.get_host(name)).vitals_history


def measured(cpu: float, memory: int = 40) -> Vitals:
    return Vitals(cpu_percent=cpu, memory_used=memory, memory_total=100)


async def test_the_vitals_of_a_minute_are_one_point_of_their_mean(parts: Parts) -> None:
    host = await parts.connect("web01")
    assert await history(parts) == ()
    parts.clock.turn(-parts.clock.seconds % 60)  # to the begin of a minute
    began = parts.clock.instant
    for cpu in (10.0, 20.0):
        parts.hosts.record_vitals(host.host_id, host.generation, measured(cpu))
        parts.clock.turn(20)
    parts.clock.turn(20)
    parts.hosts.record_vitals(host.host_id, host.generation, measured(70.5, 91))
    assert await history(parts) == (
        VitalsPoint(began, 15.0, 40.0),
        VitalsPoint(began + timedelta(minutes=1), 70.5, 91.0),
    )


async def test_vitals_survive_that_the_host_comes_back_with_a_gap(parts: Parts) -> None:
    host = await parts.connect("web01")
    parts.hosts.record_vitals(host.host_id, host.generation, measured(10))
    await parts.hosts.close_session(host.host_id, host.generation, "gone")
    assert [point.cpu_percent for point in await history(parts)] == [10]
    parts.clock.turn(180)
    again = await parts.connect("web01")
    parts.hosts.record_vitals(again.host_id, again.generation, measured(30))
    first, second = await history(parts)
    assert (first.cpu_percent, second.cpu_percent) == (10, 30)
    assert second.at - first.at == timedelta(minutes=3)


@pytest.mark.parametrize("pause", [1, 2, HISTORY_MINUTES - 1, HISTORY_MINUTES, 200])
def test_a_history_holds_the_last_hour_only(parts: Parts, pause: int) -> None:
    kept, now = VitalsHistory(), parts.clock.instant
    for minute in range(2 * HISTORY_MINUTES):
        kept.add(measured(minute % 100), minute * 60.0)
    end = (2 * HISTORY_MINUTES - 1 + pause) * 60.0
    ages = [(now - point.at) // timedelta(minutes=1) for point in kept.points(now, end)]
    assert ages == list(range(HISTORY_MINUTES - 1, pause - 1, -1))
    kept.add(measured(50), end)
    assert len(kept.points(now, end)) == len(ages) + 1


async def test_a_host_shows_its_own_outcome_of_each_task(parts: Parts) -> None:
    web01, web02 = [await parts.connect(name) for name in ("web01", "web02")]
    task_id = await parts.started("@all", "true", name="deploy")
    sent = {host: run.execution_id for host, run in parts.dispatcher.sent}
    await parts.report(web01.host_id, failed(sent[web01.host_id], 4))
    (run,) = (await parts.host_management.get_host("web01")).runs
    assert (run.task, run.steps, run.row.task_id, run.row.host) == ("deploy", 1, task_id, "web01")
    assert (run.row.status, run.row.exit_code) == (Status.FAILED, 4)
    (other,) = (await parts.host_management.get_host("web02")).runs
    assert other.row.status is Status.PENDING
    await parts.report(web02.host_id, result(sent[web02.host_id]))
    (other,) = (await parts.host_management.get_host("web02")).runs
    assert other.row.status is Status.COMPLETED


async def test_of_several_steps_the_one_that_says_how_it_went_is_shown(parts: Parts) -> None:
    host = await parts.connect("web01")
    steps = [CommandSpec("a"), CommandSpec("b", on_failure=OnFailure.STOP), CommandSpec("c")]
    await parts.started("web01", *steps)

    async def shown() -> tuple[int, Status]:
        (run,) = (await parts.host_management.get_host("web01")).runs
        assert run.steps == 3
        return run.row.command, run.row.status

    seen = [await shown()]
    for code in (0, 7):
        await parts.send()
        sent = parts.dispatcher.sent[-1][1].execution_id
        await parts.report(host.host_id, failed(sent, code) if code else result(sent))
        seen.append(await shown())
    assert seen == [(0, Status.PENDING), (1, Status.PENDING), (1, Status.FAILED)]


async def test_a_run_takes_from_its_first_command_to_its_last(parts: Parts) -> None:
    host = await parts.connect("web01")
    await parts.started("web01", CommandSpec("a"), CommandSpec("b"), CommandSpec("c"))

    async def times() -> tuple[datetime | None, datetime | None]:
        (run,) = (await parts.host_management.get_host("web01")).runs
        return run.started_at, run.finished_at

    assert await times() == (None, None)
    began = parts.clock.instant
    for code in (0, 7):
        await parts.send()
        sent = parts.dispatcher.sent[-1][1].execution_id
        await parts.report(host.host_id, Started(sent, timedelta(0)))
        assert await times() == (began, None)
        parts.clock.turn(60)
        ended = failed(sent, code) if code else result(sent)
        await parts.report(host.host_id, replace(ended, duration=timedelta(minutes=1)))
    assert await times() == (began, began + timedelta(minutes=2))


async def test_what_has_not_ended_is_shown_however_old_it_is(parts: Parts) -> None:
    host = await parts.connect("web01")
    oldest = await parts.started("web01")
    tasks = [await parts.started("web01") for _ in range(TASKS_SHOWN + 2)]
    runs = (await parts.host_management.get_host("web01")).runs
    assert [run.row.task_id for run in runs] == [*tasks[::-1], oldest]
    sent = [run.execution_id for _, run in parts.dispatcher.sent]
    for execution_id in sent[1:]:
        await parts.report(host.host_id, result(execution_id))
    runs = (await parts.host_management.get_host("web01")).runs
    assert [run.row.task_id for run in runs] == [*tasks[: -TASKS_SHOWN - 1 : -1], oldest]


async def test_a_host_says_who_admitted_it_last(parts: Parts) -> None:
    enrolled = await parts.enroll("web01")
    assert (await parts.host_management.get_host("web01")).admitted_at is None
    parts.clock.turn(60)
    await parts.admission.approve(["web01"], False, "ana@pts/3")
    detail = await parts.host_management.get_host(enrolled.host_id)
    assert (detail.admitted_at, detail.admitted_by) == (parts.clock.instant, "ana@pts/3")
    await parts.enroll("web02", auto_approve=True, key="b")
    assert (await parts.host_management.get_host("web02")).admitted_by.startswith("join token ")

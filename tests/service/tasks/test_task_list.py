"""The list of tasks: by host, status, creator and time, and in several orders."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, failed, result, spec
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.hosts.agent_messages import Result
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.lists.task_filter_and_sort import OTHER_TASKS, RUNNING_TASKS, TaskFilter
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, OnFailure, TaskSpec
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.tables.hosts import hosts
from tui_manager.storage.views import filtered_scan, task_list

ANY = Window()


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


async def _history(parts: Parts) -> dict[str, str]:
    """Five tasks, a minute apart: failed, completed, running, canceled, pending. Host ids by name.

    Tasks 1 and 3 ran on web01, 2 on web02, 4 on both.
    """
    hosts = {name: (await parts.connect(name)).host_id for name in ("web01", "web02")}
    for number, target in enumerate(("web01", "web02", "web01", "@all"), start=1):
        by = "ann@pts/1" if number % 2 else "bob"
        await parts.tasks.create_task(replace(spec(target), created_by=by))
        await parts.tasks.start_task(number)
        parts.clock.turn(60)
    await parts.tasks.create_task(replace(spec("@all"), created_by="anna@pts/1"))
    await parts.send()
    first, second = [(await parts.rows(number))[0].execution_id for number in (1, 2)]
    parts.clock.turn(60)
    await parts.report(hosts["web02"], result(second))  # task 2, after 240 s
    parts.clock.turn(60)
    await parts.report(hosts["web01"], failed(first))  # task 1, after 360 s
    await parts.tasks.cancel_task(4)
    return hosts


async def _listed(parts: Parts, window: Window = ANY, **wanted: Any) -> list[int]:
    page = await parts.tasks.list_tasks(window, TaskFilter(**wanted))
    assert page.matching == len(page.rows)
    return [task.task_id for task in page.rows]


async def test_the_running_tasks_and_the_others_are_two_lists(parts: Parts) -> None:
    await _history(parts)
    for wanted, listed in ((RUNNING_TASKS, [4, 3]), (OTHER_TASKS, [5, 2, 1])):
        for window in (ANY, Window(offset=1), Window(offset=2, limit=1), Window(offset=9)):
            page = await parts.tasks.list_tasks(window, wanted)
            shown = [task.task_id for task in page.rows]
            assert shown == listed[window.offset : window.offset + window.limit]
            assert (page.matching, page.total, page.partial) == (len(listed), 5, False)
        page = await parts.tasks.list_tasks(Window(text="@all"), wanted)
        assert [task.task_id for task in page.rows] == [
            known for known in listed if known in (4, 5)
        ]


async def test_running_tasks_are_sorted_by_their_start(parts: Parts) -> None:
    for target in ("@all", "web01", "web02"):
        await parts.tasks.create_task(spec(target))
    await parts.connect("web01")
    await parts.connect("web02")
    for number in (2, 3, 1):
        await parts.tasks.start_task(number)
        parts.clock.turn(1)
    window = Window(sort="started", descending=True)
    for wanted in (RUNNING_TASKS, TaskFilter(statuses=(TaskStatus.RUNNING, TaskStatus.FAILED))):
        page = await parts.tasks.list_tasks(window, wanted)
        assert [task.task_id for task in page.rows] == [1, 3, 2]
        assert page.matching == 3


async def test_hosts_are_counted_and_not_the_commands_on_them(parts: Parts) -> None:
    hosts = [await parts.connect(name) for name in ("web01", "web02", "web03")]
    commands = [
        CommandSpec("one", on_failure=OnFailure.CONTINUE),
        CommandSpec("two", on_failure=OnFailure.CONTINUE),
        CommandSpec("three"),
    ]
    task_id = await parts.tasks.create_task(TaskSpec("@all", tuple(commands)))
    await parts.tasks.start_task(task_id)

    async def counted() -> tuple[int, int]:
        (task,) = (await parts.tasks.list_tasks(ANY)).rows
        assert (await parts.tasks.get_task(task_id)).task == task
        return task.hosts_ended, task.hosts_failed

    async def end(on: list[int], how: Callable[[str], Result]) -> None:
        await parts.send()
        for number in on:
            rows = [row for row in await parts.rows(task_id) if row.host == f"web0{number}"]
            row = next(row for row in rows if not row.status.ended)
            await parts.report(hosts[number - 1].host_id, how(row.execution_id))

    assert await counted() == (0, 0)
    await end([1, 2], failed)
    assert await counted() == (0, 2)
    await end([1], failed)  # the second failure of the same host
    assert await counted() == (0, 2)
    await end([1, 2], result)
    assert await counted() == (1, 2)
    await end([2, 3], result)
    await end([3], result)
    await end([3], failed)
    assert await counted() == (3, 3)


async def test_a_filter_keeps_what_fits_all_of_it(parts: Parts) -> None:
    began = parts.clock.instant
    await _history(parts)
    minutes = [began + timedelta(minutes=n) for n in range(5)]
    running, ended = (TaskStatus.RUNNING,), (TaskStatus.COMPLETED, TaskStatus.FAILED)
    assert await _listed(parts) == [5, 4, 3, 2, 1]
    assert await _listed(parts, statuses=ended) == [2, 1]
    assert await _listed(parts, statuses=running) == [4, 3]  # the cancel is not proven yet
    assert await _listed(parts, statuses=running, created_by="bob") == [4]
    assert await _listed(parts, created_by="ann") == [3, 1]
    assert await _listed(parts, created_by="ann@pts/1") == [3, 1]
    assert await _listed(parts, created_by="ann@pts/2") == []
    assert await _listed(parts, since=minutes[2]) == [5, 4, 3]
    assert await _listed(parts, since=minutes[2] + timedelta(microseconds=1)) == [5, 4]
    assert await _listed(parts, Window(text="@all"), created_by="anna") == [5]
    assert await _listed(parts, Window(faults_only=True), created_by="ann") == [1]


async def test_tasks_are_found_by_a_host_that_is_gone_or_named_anew(parts: Parts) -> None:
    hosts = await _history(parts)
    assert await _listed(parts, host="web01") == [4, 3, 1]
    assert await _listed(parts, host=hosts["web02"]) == [4, 2]
    assert await _listed(parts, host="web01", statuses=(TaskStatus.FAILED,)) == [1]
    await parts.admission.revoke(["web02"], "ann")
    again = await parts.connect("web02", instance_id="another", machine_id="m-2")
    await parts.tasks.create_task(spec("web02"))
    await parts.tasks.start_task(6)
    assert again.host_id != hosts["web02"]
    assert await _listed(parts, host="web02") == [6, 4, 2]
    assert await _listed(parts, Window(sort="created"), host="web02") == [2, 4, 6]
    with pytest.raises(InvalidInputError, match="No host has the name or host_id 'web03'") as error:
        await _listed(parts, host="web03")
    assert error.value.field == "host"


@pytest.mark.parametrize("rows_a_step", [1, 2, 1000])
async def test_tasks_are_sorted_and_move_when_they_change(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, rows_a_step: int
) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", rows_a_step)
    hosts = await _history(parts)

    async def by(sort: str) -> list[int]:
        window = Window(sort=sort, descending=True)
        while (page := await parts.tasks.list_tasks(window)).partial:
            pass
        reverse = replace(window, descending=False)
        while (other := await parts.tasks.list_tasks(reverse)).partial:
            pass
        assert [task.task_id for task in other.rows][::-1] == [task.task_id for task in page.rows]
        return [task.task_id for task in page.rows]

    assert await by("created") == [5, 4, 3, 2, 1]
    assert await by("started") == [4, 3, 2, 1, 5]
    assert await by("finished") == [1, 2, 5, 4, 3]
    assert await by("duration") == [3, 4, 1, 2, 5]
    await parts.tasks.start_task(5)
    third = [row.execution_id for row in await parts.rows(3)]
    await parts.report(hosts["web01"], result(third[0]))
    assert await by("started") == [5, 4, 3, 2, 1]
    assert await by("finished") == [3, 1, 2, 5, 4]
    assert await by("duration") == [4, 5, 1, 3, 2]
    for _ in range(2):
        await parts.tasks.create_task(spec("@all"))
    assert await by("started") == [5, 4, 3, 2, 1, 7, 6]


async def test_several_hosts_of_one_name_are_read_step_by_step(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", 2)
    for number in range(1, 4):
        await parts.connect("web01", instance_id=f"i-{number}", machine_id=f"m-{number}")
        for _ in range(number):
            await parts.started("web01")
        await parts.admission.revoke(["web01"], "ann")
    window, found = Window(), []
    while (page := await parts.tasks.list_tasks(window, TaskFilter(host="web01"))).partial:
        found.append([task.task_id for task in page.rows])
    assert found == [[6, 5], [6, 5, 4, 3, 2]]
    assert [task.task_id for task in page.rows] == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("rows_a_step", [1, 2, 1000])
@pytest.mark.parametrize("since_max", [2, 1000])
async def test_a_filter_finds_the_same_in_steps(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, rows_a_step: int, since_max: int
) -> None:
    monkeypatch.setattr(filtered_scan, "ROWS_A_STEP", rows_a_step)
    monkeypatch.setattr(task_list, "_SINCE_MAX", since_max)
    began = parts.clock.instant
    await _history(parts)

    async def whole(**wanted: Any) -> list[int]:
        while (page := await parts.tasks.list_tasks(Window(), TaskFilter(**wanted))).partial:
            pass
        return [task.task_id for task in page.rows]

    running, failed_, pending = TaskStatus.RUNNING, TaskStatus.FAILED, TaskStatus.PENDING
    assert await whole(statuses=(failed_, running, failed_)) == [4, 3, 1]
    assert await whole(since=began + timedelta(minutes=3)) == [5, 4]
    assert await whole(since=began, statuses=(running, pending)) == [5, 4, 3]
    later = parts.clock.instant + timedelta(hours=1)
    assert await whole(since=later, statuses=(pending,)) == []
    parts.clock.turn(3600)
    await parts.tasks.create_task(spec("@all"))
    assert await whole(since=later, statuses=(pending,)) == [6]
    await parts.tasks.start_task(6)
    assert await whole(since=later, statuses=(pending,)) == []
    assert await whole(statuses=(pending, running)) == [6, 5, 4, 3]

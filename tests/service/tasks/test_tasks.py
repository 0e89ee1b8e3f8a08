"""Creating, starting, following and cancelling tasks."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import (
    Parts,
    counters_differ,
    failed,
    result,
    spec,
    totals,
)
from tui_manager.domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from tui_manager.domain.hosts.agent_messages import Output, Started
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.transport.messages.convert_messages import from_run


async def test_a_task_runs_from_pending_to_completed(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01", "uptime"))
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.PENDING
    await parts.tasks.start_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING
    ((sent_to, run),) = await parts.send()
    assert (sent_to, run.command.text) == (host.host_id, "uptime")
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    (row,) = await parts.rows(task_id)
    assert row.status is CommandHostStatus.RUNNING
    parts.clock.turn(5)
    await parts.report(
        host.host_id,
        Output(run.execution_id, Stream.STDOUT, 0, b"up 3 days\n"),
        result(run.execution_id, duration=timedelta(seconds=4), totals=totals(10)),
    )
    (row,) = await parts.rows(task_id)
    assert (row.status, row.reason, row.exit_code) == (CommandHostStatus.COMPLETED, "", 0)
    assert row.finished_at == parts.clock.instant
    assert row.started_at == parts.clock.instant - timedelta(seconds=4)
    progress = await parts.tasks.get_task_progress(task_id)
    assert (progress.status, progress.fraction) == (TaskStatus.COMPLETED, 1.0)
    commands = (await parts.tasks.get_task(task_id)).commands
    assert progress.commands == tuple(command.counts for command in commands)
    assert progress.elapsed == timedelta(seconds=5)


async def test_a_command_is_sent_with_its_user(parts: Parts) -> None:
    await parts.connect("web01")
    command = CommandSpec("id", run_as_user="deploy")
    task_id = await parts.tasks.create_task(TaskSpec(target="web01", commands=(command,)))
    assert (await parts.tasks.get_task(task_id)).commands[0].spec == command
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    assert run.command.run_as_user == "deploy"
    assert from_run(run).run_command.run_as_user == "deploy"


@pytest.mark.parametrize("name", ["a b", "a/b", "a:b", "-a", "a\0", "a\n", "a\x1b", "u" * 129])
async def test_an_invalid_user_name_makes_no_task(parts: Parts, name: str) -> None:
    command = CommandSpec("id", run_as_user=name)
    with pytest.raises(InvalidInputError, match="is not a user's name"):
        await parts.tasks.create_task(TaskSpec(target="web01", commands=(command,)))


async def test_sent_at_is_committed_before_the_command_leaves(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.tasks.start_task(task_id)
    seen = []

    async def look(host_id: str, run: object) -> None:
        (row,) = await parts.rows(task_id)
        seen.append(row.sent_at)

    parts.dispatcher.send_command_to_agent = look  # type: ignore[method-assign]
    await parts.send()
    assert seen == [parts.clock.instant]


async def test_a_host_that_is_offline_at_the_start_fails_alone(parts: Parts) -> None:
    await parts.connect("web01")
    gone = await parts.connect("web02")
    await parts.hosts.close_session(gone.host_id, gone.generation, "test")
    task_id = await parts.started("web[01-02]", "first", "second")
    states = [(row.host, row.command, row.status, row.reason) for row in await parts.rows(task_id)]
    assert states == [
        ("web01", 0, CommandHostStatus.PENDING, Reason.NONE),
        ("web02", 0, CommandHostStatus.FAILED, Reason.UNDELIVERABLE),
        ("web01", 1, CommandHostStatus.PENDING, Reason.NONE),
        ("web02", 1, CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED),
    ]
    assert [run.command.text for _, run in parts.dispatcher.sent] == ["first"]


async def test_a_task_whose_hosts_are_all_offline_has_failed_at_once(parts: Parts) -> None:
    gone = await parts.connect("web01")
    await parts.hosts.close_session(gone.host_id, gone.generation, "test")
    task_id = await parts.started("web01")
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED


async def test_a_command_that_cannot_be_sent_does_not_affect_the_others(
    parts: Parts,
) -> None:
    broken, other = await parts.connect("web01"), await parts.connect("web02")
    parts.dispatcher.broken.add(broken.host_id)
    task_id = await parts.started("web[01-02]", "first", "second")
    first = [row for row in await parts.rows(task_id) if row.command == 0]
    assert [(row.host, row.status, row.sent_at is None) for row in first] == [
        ("web01", CommandHostStatus.PENDING, True),
        ("web02", CommandHostStatus.PENDING, False),
    ]
    await parts.report(other.host_id, result(first[1].execution_id))
    await parts.hosts.close_session(broken.host_id, broken.generation, "test")
    parts.clock.turn(301)
    await parts.silence.run_once()
    first = [row for row in await parts.rows(task_id) if row.command == 0]
    assert [(row.status, row.reason) for row in first] == [
        (CommandHostStatus.FAILED, Reason.UNDELIVERABLE),
        (CommandHostStatus.COMPLETED, Reason.NONE),
    ]


async def test_a_command_that_was_not_sent_goes_to_the_next_session(parts: Parts) -> None:
    broken = await parts.connect("web01")
    parts.dispatcher.broken.add(broken.host_id)
    task_id = await parts.started("web01")
    parts.dispatcher.broken.clear()
    await parts.connect("web01", host_id=broken.host_id)
    parts.hosts.session_ready(broken.host_id)
    ((sent_to, run),) = await parts.send()
    (row,) = await parts.rows(task_id)
    assert (sent_to, run.execution_id) == (broken.host_id, row.execution_id)


async def test_a_command_is_sent_only_on_the_session_for_which_it_was_claimed(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.tasks.start_task(task_id)
    again = parts.connect("web01", host_id=host.host_id, journal_id="another")
    await asyncio.gather(again, parts.dispatch.send_next())
    assert parts.dispatcher.sent == []
    parts.hosts.session_ready(host.host_id)
    ((_, run),) = await parts.send()
    assert run.execution_id == (await parts.rows(task_id))[0].execution_id


async def test_a_command_that_is_cancelled_before_the_newer_session_gets_it_is_canceled(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.tasks.start_task(task_id)
    again = parts.connect("web01", host_id=host.host_id)
    await asyncio.gather(again, parts.dispatch.send_next(), parts.tasks.cancel_task(task_id))
    assert await parts.send() == []
    assert [row.reason for row in await parts.rows(task_id)] == [Reason.CANCELED]
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_the_next_command_is_sent_when_the_one_before_has_completed(
    parts: Parts,
) -> None:
    one, two = await parts.connect("web01"), await parts.connect("web02")
    task_id = await parts.started("web[01-02]", "first", "second")
    runs = dict(parts.dispatcher.sent)
    await parts.report(one.host_id, result(runs[one.host_id].execution_id))
    await parts.report(two.host_id, failed(runs[two.host_id].execution_id, 7))
    ((sent_to, run),) = await parts.send()
    assert (sent_to, run.command.text) == (one.host_id, "second")
    rows = await parts.rows(task_id)
    assert (rows[3].status, rows[3].reason) == (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
    await parts.report(one.host_id, result(run.execution_id))
    detail = await parts.tasks.get_task(task_id)
    assert detail.task.status is TaskStatus.FAILED
    assert [command.status for command in detail.commands] == [
        CommandHostStatus.FAILED,
        CommandHostStatus.FAILED,
    ]


async def test_a_full_session_leaves_work_unsent_for_later(parts: Parts) -> None:
    host = await parts.connect("web01")
    parts.dispatcher.rooms[host.host_id] = 2
    tasks = [await parts.tasks.create_task(spec("web01", f"c{n}")) for n in range(3)]
    for task_id in tasks:
        await parts.tasks.start_task(task_id)
    assert [run.command.text for _, run in await parts.send()] == ["c0", "c1"]
    assert (await parts.rows(tasks[2]))[0].sent_at is None
    parts.hosts.session_ready(host.host_id)
    assert [run.command.text for _, run in await parts.send()] == ["c2"]


async def test_a_host_holds_no_more_than_its_capacity_and_the_queue(parts: Parts) -> None:
    host = await parts.connect("web01", capacity=1)
    tasks = [await parts.tasks.create_task(spec("web01", f"c{n}")) for n in range(70)]
    for task_id in tasks:
        await parts.tasks.start_task(task_id)
    parts.dispatcher.rooms[host.host_id] = 1000
    first, *rest = await parts.send()
    assert len(rest) == 64
    await parts.report(host.host_id, result(first[1].execution_id))
    assert [run.command.text for _, run in await parts.send()] == ["c65"]


async def test_cancel_of_a_pending_task_ends_it(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(spec("@all"))
    await parts.tasks.cancel_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    with pytest.raises(IllegalMoveError, match="canceled already"):
        await parts.tasks.start_task(task_id)


async def test_cancel_ends_unsent_commands_and_tells_the_agents_of_the_others(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01", "first", "second")
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, Started(run.execution_id, timedelta(0)))
    await parts.tasks.cancel_task(task_id)
    assert parts.dispatcher.cancels == [(host.host_id, run.execution_id)]
    first, second = await parts.rows(task_id)
    assert (first.status, first.canceling) == (CommandHostStatus.RUNNING, True)
    assert second.status is CommandHostStatus.CANCELED
    task = (await parts.tasks.get_task(task_id)).task
    assert (task.status, task.canceling) == (TaskStatus.RUNNING, True)
    proof = result(run.execution_id, CommandHostStatus.CANCELED, Reason.CANCELED, signal=15)
    await parts.report(host.host_id, proof)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED
    assert await parts.send() == []


async def test_a_cancel_that_comes_too_late_stays_canceled_with_the_true_rows(
    parts: Parts,
) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    ((_, run),) = parts.dispatcher.sent
    await parts.tasks.cancel_task(task_id)
    await parts.report(host.host_id, result(run.execution_id))
    assert (await parts.rows(task_id))[0].status is CommandHostStatus.COMPLETED
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.CANCELED


async def test_illegal_moves_raise_and_change_nothing(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.started("web01")
    with pytest.raises(IllegalMoveError, match="it is running already"):
        await parts.tasks.start_task(task_id)
    ((_, run),) = parts.dispatcher.sent
    await parts.report(host.host_id, result(run.execution_id))
    for move in (parts.tasks.start_task, parts.tasks.cancel_task):
        with pytest.raises(IllegalMoveError, match="it is completed already"):
            await move(task_id)
        with pytest.raises(NotFoundError, match="no task 99"):
            await move(99)
    with pytest.raises(NotFoundError, match="no task 99"):
        await parts.tasks.get_task(99)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (TaskSpec("", (CommandSpec("true"),)), "target"),
        (TaskSpec("web[01", (CommandSpec("true"),)), "target"),
        (TaskSpec("web01", ()), "command"),
        (TaskSpec("web01", (CommandSpec(" \n"),)), "command"),
        (TaskSpec("web01", (CommandSpec("a\0b"),)), "command"),
        (TaskSpec("web01", (CommandSpec("x" * 200_000),)), "command"),
        (TaskSpec("web01", (CommandSpec("echo \udcff"),)), "command"),
        (TaskSpec("web01", (CommandSpec("true", cwd="/\udcff"),)), "cwd"),
        (TaskSpec("web01", (CommandSpec("true", environment={"A": "\udcff"}),)), "env"),
        (TaskSpec("web01", (CommandSpec("true", timeout=timedelta(seconds=-1)),)), "timeout"),
        (TaskSpec("web01", (CommandSpec("true", timeout=timedelta(days=8)),)), "timeout"),
        (TaskSpec("web01", (CommandSpec("true", parameters={"1A": "x"}),)), "param"),
        (TaskSpec("web01", (CommandSpec("true", environment={"A": "\0"}),)), "env"),
        (
            TaskSpec(
                "web01",
                (CommandSpec("true", environment={f"A{n}": "x" * 130_000 for n in range(9)}),),
            ),
            "env",
        ),
        (TaskSpec("web01", (CommandSpec("true"),), name="n" * 201), "name"),
    ],
)
async def test_bad_input_is_refused_by_its_field(parts: Parts, given: TaskSpec, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await parts.tasks.create_task(given)
    assert caught.value.field == field
    assert (await parts.tasks.list_tasks(Window())).total == 0


async def test_a_task_whose_target_matches_no_host_stays_pending(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(spec("web01"))
    with pytest.raises(InvalidInputError, match="web01"):
        await parts.tasks.start_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.PENDING
    await parts.connect("web01")
    await parts.tasks.start_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.RUNNING


async def test_the_target_is_frozen_at_the_start(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.started("@all")
    await parts.connect("web02")
    await parts.send()
    assert [row.host for row in await parts.rows(task_id)] == ["web01"]


@pytest.mark.sqlite("the disk of a server is not known")
async def test_no_task_starts_on_a_full_disk(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    object.__setattr__(parts.limits, "free_disk", 1 << 62)
    with pytest.raises(StorageError, match="MiB are free"):
        await parts.tasks.start_task(task_id)
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.PENDING


async def test_parameters_and_environment_reach_the_command_as_variables(parts: Parts) -> None:
    await parts.connect("web01")
    command = CommandSpec(
        "echo $A", parameters={"A": "'; rm -rf /"}, environment={"B": "2"}, cwd="/tmp"
    )
    task_id = await parts.tasks.create_task(TaskSpec("web01", (command,)))
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    assert run.environment == {"A": "'; rm -rf /", "B": "2"}
    assert run.command == command
    (shown,) = (await parts.tasks.get_task(task_id)).commands
    assert shown.spec == command


async def test_tasks_are_listed_newest_first_and_filtered(parts: Parts) -> None:
    ids = [await parts.tasks.create_task(spec("@all", f"echo {word}")) for word in ("a_c", "abc")]
    page = await parts.tasks.list_tasks(Window())
    assert [task.task_id for task in page.rows] == ids[::-1]
    page = await parts.tasks.list_tasks(Window(text="a_c"))
    assert ([task.task_id for task in page.rows], page.matching, page.total) == ([ids[0]], 1, 2)
    page = await parts.tasks.list_tasks(Window(text=f"#{ids[1]}"))
    assert [task.task_id for task in page.rows] == [ids[1]]


async def test_command_hosts_are_listed_in_the_order_of_attention(parts: Parts) -> None:
    hosts = [await parts.connect(f"web{n:02}") for n in range(1, 5)]
    task_id = await parts.started("@all")
    runs = {host_id: run.execution_id for host_id, run in parts.dispatcher.sent}
    await parts.report(hosts[0].host_id, result(runs[hosts[0].host_id]))
    await parts.report(hosts[2].host_id, failed(runs[hosts[2].host_id]))
    await parts.report(hosts[3].host_id, Started(runs[hosts[3].host_id], timedelta(0)))
    page = await parts.tasks.list_command_hosts(task_id, Window())
    assert [row.host for row in page.rows] == ["web03", "web04", "web02", "web01"]
    page = await parts.tasks.list_command_hosts(task_id, Window(faults_only=True))
    assert [row.host for row in page.rows] == ["web03"]
    page = await parts.tasks.list_command_hosts(task_id, Window(text="exit_code", limit=1))
    assert (page.rows[0].host, page.matching, page.total) == ("web03", 1, 4)
    page = await parts.tasks.list_command_hosts(task_id, Window(text="web", offset=9))
    assert (list(page.rows), page.matching) == ([], 4)
    assert await parts.database.read(counters_differ) == []


async def test_an_act_is_completed_also_if_its_caller_is_cancelled(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    starting = asyncio.ensure_future(parts.tasks.start_task(task_id))
    await asyncio.sleep(0)  # it waits for its commit now
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    ((_, run),) = await parts.send()
    canceling = asyncio.ensure_future(parts.tasks.cancel_task(task_id))
    await asyncio.sleep(0)
    canceling.cancel()
    await asyncio.wait([canceling])
    assert parts.dispatcher.cancels == [(host.host_id, run.execution_id)]


async def test_a_manager_that_stops_leaves_unsent_commands_to_the_next_one(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01", "first", "second"))
    await parts.tasks.start_task(task_id)
    parts.dispatch.close()
    await parts.dispatch.send_next()
    assert parts.dispatcher.sent == []
    states = [(row.status, row.sent_at) for row in await parts.rows(task_id)]
    assert states == [(CommandHostStatus.PENDING, None)] * 2


@pytest.mark.each_engine
async def test_a_start_may_run_while_hosts_register(parts: Parts) -> None:
    await parts.connect("web00")
    tasks = [await parts.tasks.create_task(spec("@all")) for _ in range(20)]
    await asyncio.gather(
        *(parts.connect(f"db{number}") for number in range(100)),
        *(parts.tasks.start_task(task_id) for task_id in tasks),
    )
    assert {await parts.tasks.get_task_status(task_id) for task_id in tasks} == {TaskStatus.RUNNING}


async def test_the_audit_of_a_start_names_the_hosts(parts: Parts) -> None:
    for number in range(1, 4):
        await parts.connect(f"web{number:02}")
    await parts.connect("db1")
    await parts.started("web*,db1")
    (entry,) = await parts.audited("start_task")
    assert entry.detail == {"target": "web*,db1", "hosts": "4", "names": "db1,web[01-03]"}


async def test_very_many_names_are_cut_in_the_audit(parts: Parts) -> None:
    for letter in "abcdefghijklmnopqrst":
        await parts.connect(letter * 60)
    await parts.started("@all")
    (entry,) = await parts.audited("start_task")
    assert len(entry.detail["names"]) == 1000
    assert entry.detail["names"].endswith("…")

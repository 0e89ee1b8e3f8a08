"""Tasks that repeat another one on its hosts of some classes."""

from datetime import timedelta

import pytest

from tests.support.managers.manager_parts import Parts, failed, result, spec
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason, TaskStatus
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import CommandSpec, Offline, TaskSpec
from tui_manager.domain.tasks.host_class import HostClass
from tui_manager.storage.tables.hosts import host_changes
from tui_manager.storage.views.host_classes import task_hosts

UNKNOWN, FAILED, UNREACHED, COMPLETED = HostClass
REQUEST = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
# What becomes of each host, except for web04, which is offline, and web05, which is lost.
ENDS = {
    "web01": (Status.COMPLETED, Reason.NONE),
    "web02": (Status.FAILED, Reason.EXIT_CODE),
    "web03": (Status.TIMEOUT, Reason.TIMEOUT),
    "web06": (Status.FAILED, Reason.INTERRUPTED),
    "web07": (Status.FAILED, Reason.REJECTED),
}
CLASSES = {
    "web01": COMPLETED,
    "web02": FAILED,
    "web03": FAILED,
    "web04": UNREACHED,
    "web05": UNKNOWN,
    "web06": UNKNOWN,
    "web07": FAILED,
}


@pytest.fixture
async def ended(parts: Parts) -> int:
    """A task of two commands that has hosts of all classes."""
    sessions = {name: await parts.connect(name) for name in CLASSES}
    away, lost = sessions["web04"], sessions["web05"]
    await parts.hosts.close_session(away.host_id, away.generation, "test")
    task_id = await parts.started("web*", "first", "second")
    for row in await parts.rows(task_id):
        if row.command == 0 and row.host in ENDS:
            status, reason = ENDS[row.host]
            code = 3 if reason is Reason.EXIT_CODE else None
            ran = None if reason is Reason.REJECTED else timedelta(seconds=1)
            end = result(row.execution_id, status, reason, duration=ran)
            await parts.report(row.host_id, failed(row.execution_id, code) if code else end)
    await parts.send()
    second = next(r for r in await parts.rows(task_id) if (r.host, r.command) == ("web01", 1))
    await parts.report(second.host_id, result(second.execution_id))
    await parts.hosts.close_session(lost.host_id, lost.generation, "test")
    parts.clock.turn(301)
    await parts.silence.run_once()
    assert await parts.tasks.get_task_status(task_id) is TaskStatus.FAILED
    return task_id


async def hosts_of(parts: Parts, task_id: int) -> list[str]:
    """The hosts on which a task runs its first command."""
    return [row.host for row in await parts.rows(task_id) if row.command == 0]


async def test_a_task_has_hosts_of_all_classes(parts: Parts, ended: int) -> None:
    found = await parts.database.read(lambda tx: task_hosts(tx, ended))
    assert {host.name: host.host_class for host in found} == CLASSES


@pytest.mark.parametrize(
    "classes",
    [(), (FAILED,), (UNREACHED,), (UNKNOWN,), (UNKNOWN, FAILED), (COMPLETED,), tuple(HostClass)],
)
async def test_a_rerun_runs_on_exactly_the_hosts_of_its_classes(
    parts: Parts, ended: int, classes: tuple[HostClass, ...]
) -> None:
    again, gone = await parts.tasks.rerun_task(ended, classes, actor="ben@pts/2")
    assert gone == ()
    assert await parts.tasks.get_task_status(again) is TaskStatus.PENDING
    await parts.tasks.start_task(again)
    wanted = classes or (FAILED, UNREACHED)
    expected = [name for name, one in CLASSES.items() if one in wanted]
    assert await hosts_of(parts, again) == expected
    detail = await parts.tasks.get_task(again)
    order = [one for one in HostClass if one in wanted]
    assert detail.task.target == ",".join(f"task:{ended}:{one}" for one in order)
    assert [command.spec.text for command in detail.commands] == ["first", "second"]


async def test_both_tasks_name_each_other(parts: Parts, ended: int) -> None:
    first, _ = await parts.tasks.rerun_task(ended)
    second, _ = await parts.tasks.rerun_task(ended, (UNKNOWN,))
    assert (await parts.tasks.get_task(ended)).reruns == (second, first)
    assert (await parts.tasks.get_task(first)).task.rerun_of == ended
    assert (await parts.tasks.get_task(ended)).task.rerun_of == 0
    entries = await parts.audited("create_task")
    assert [entry.detail.get("rerun_of") for entry in entries] == [None, str(ended), str(ended)]


async def test_a_rerun_has_everything_of_the_task(parts: Parts) -> None:
    await parts.connect("web01", features=frozenset(Feature))
    command = CommandSpec(
        "deploy",
        timedelta(minutes=5),
        {"VERSION": "7"},
        {"LANG": "C"},
        "/srv",
        "deploy",
        ResourceLimits(1 << 30, 50, 150),
    )
    asked = TaskSpec(
        "web01", (command,), "Deploy", "version 7", "ana@pts/3", Offline.WAIT, timedelta(hours=2),
        RolloutSpec("1,rest", max_failures="10%"), include_maintenance=True,
        parameters=(Parameter("VERSION", ParameterType.INTEGER, pattern="[0-9]", help="which"),),
    )  # fmt: skip
    task_id = await parts.tasks.create_task(asked)
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    await parts.report(run_host := (await parts.rows(task_id))[0].host_id, failed(run.execution_id))
    again, _ = await parts.tasks.rerun_task(task_id, actor="ben@pts/2")
    new = await parts.tasks.get_task(again)
    assert new.commands[0].spec == command
    assert (new.task.name, new.task.description) == ("Deploy", "version 7")
    assert (new.task.offline, new.task.delivery_timeout) == (Offline.WAIT, timedelta(hours=2))
    assert (new.rollout, new.include_maintenance) == (asked.rollout, True)
    assert new.parameters == asked.parameters
    assert new.task.created_by == "ben@pts/2"
    await parts.tasks.start_task(again)
    assert (await parts.send())[0][0] == run_host


async def test_hosts_that_are_gone_are_named_and_left_out(parts: Parts, ended: int) -> None:
    await parts.admission.revoke(["web02"], "ana")
    again, gone = await parts.tasks.rerun_task(ended, (FAILED,))
    assert gone == ("web02",)
    assert await parts.tasks.start_task(again) == ("web02",)
    assert await hosts_of(parts, again) == ["web03", "web07"]
    await parts.admission.revoke(["web03", "web07"], "ana")
    with pytest.raises(IllegalMoveError, match=r"not in the fleet any more: web\[02-03,07\]"):
        await parts.tasks.rerun_task(ended, (FAILED,))


async def test_hosts_are_known_by_their_identity_and_not_by_their_names(
    parts: Parts, ended: int
) -> None:
    """One has another name now; another one has gone, and a new host has its name."""
    await parts.host_management.rename("web03", "www3", "ana")
    await parts.admission.revoke(["web02"], "ana")
    await parts.connect("web02", **{"machine_id": "another", "journal_id": "another"})
    again, gone = await parts.tasks.rerun_task(ended, (FAILED,))
    assert gone == ("web02",)
    await parts.tasks.start_task(again)
    assert await hosts_of(parts, again) == ["web07", "www3"]


async def test_hosts_in_maintenance_are_left_out(parts: Parts, ended: int) -> None:
    rows = {row.host: row.host_id for row in await parts.rows(ended)}
    maintenance = Maintenance("new disk", None, "ana@pts/1")

    async def rest(name: str) -> None:
        row = await parts.database.write(
            lambda tx: host_changes.set_maintenance(tx, rows[name], maintenance)
        )
        parts.directory.put(row, parts.clock.instant, parts.clock.seconds)

    await rest("web05")
    again, gone = await parts.tasks.rerun_task(ended, (UNKNOWN,))
    assert gone == ()
    assert await parts.tasks.start_task(again) == ("web05",)
    await rest("web06")
    with pytest.raises(IllegalMoveError, match=r"are in maintenance: web\[05-06\]"):
        await parts.tasks.rerun_task(ended, (UNKNOWN,))


async def test_only_a_task_that_has_ended_can_be_run_again(parts: Parts) -> None:
    host = await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    with pytest.raises(IllegalMoveError, match=f"Task {task_id} is pending"):
        await parts.tasks.rerun_task(task_id)
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    with pytest.raises(IllegalMoveError, match=f"Task {task_id} is running"):
        await parts.tasks.rerun_task(task_id)
    await parts.report(host.host_id, result(run.execution_id))
    with pytest.raises(IllegalMoveError, match=r"no host that is failed or .* 1 completed"):
        await parts.tasks.rerun_task(task_id)
    with pytest.raises(NotFoundError, match="There is no task 999"):
        await parts.tasks.rerun_task(999)
    assert (await parts.tasks.get_task(task_id)).reruns == ()


async def test_a_task_that_was_canceled_before_its_start_has_no_hosts(parts: Parts) -> None:
    await parts.connect("web01")
    task_id = await parts.tasks.create_task(spec("web01"))
    await parts.tasks.cancel_task(task_id)
    with pytest.raises(IllegalMoveError, match="It was never started"):
        await parts.tasks.rerun_task(task_id, tuple(HostClass))


async def test_the_same_request_makes_one_task(parts: Parts, ended: int) -> None:
    first = await parts.tasks.rerun_task(ended, request_id=REQUEST)
    await parts.admission.revoke(["web02", "web03", "web04", "web07"], "ana")
    again = await parts.tasks.rerun_task(ended, request_id=REQUEST)
    assert again == (first.task_id, ("web02", "web03", "web04", "web07"))
    with pytest.raises(IllegalMoveError, match="request id"):
        await parts.tasks.rerun_task(ended, (UNKNOWN,), request_id=REQUEST)
    assert (await parts.tasks.get_task(ended)).reruns == (first.task_id,)


async def test_secrets_must_be_given_again(parts: Parts) -> None:
    host = await parts.connect("web01")
    commands = (
        CommandSpec("login", secrets={"TOKEN": "old", "KEY": "old"}),
        CommandSpec("work", secrets={"KEY": "old"}),
        CommandSpec("end"),
    )
    task_id = await parts.tasks.create_task(TaskSpec("web01", commands))
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, failed(run.execution_id))
    with pytest.raises(InvalidInputError, match="give them again: KEY, TOKEN") as caught:
        await parts.tasks.rerun_task(task_id)
    assert caught.value.field == "secret"
    with pytest.raises(InvalidInputError, match="give them again: TOKEN"):
        await parts.tasks.rerun_task(task_id, (), {"KEY": "new"})
    with pytest.raises(InvalidInputError, match="has no secret OTHER: its secrets are KEY, TOKEN"):
        await parts.tasks.rerun_task(task_id, (), {"KEY": "x", "TOKEN": "y", "OTHER": "z"})
    with pytest.raises(InvalidInputError, match="The secret KEY is empty"):
        await parts.tasks.rerun_task(task_id, (), {"KEY": "", "TOKEN": "y"})
    again, _ = await parts.tasks.rerun_task(task_id, (), {"KEY": "k2", "TOKEN": "t2"})
    await parts.tasks.start_task(again)
    for expected in ({"TOKEN": "t2", "KEY": "k2"}, {"KEY": "k2"}, {}):
        ((_, run),) = await parts.send()
        assert {name: run.environment[name] for name in expected} == expected
        assert set(run.secrets) == set(expected)
        await parts.report(host.host_id, result(run.execution_id))


async def test_a_late_result_changes_the_class_before_the_rerun_starts(
    parts: Parts, ended: int
) -> None:
    """The hosts are those of the classes when the re-run starts."""
    again, _ = await parts.tasks.rerun_task(ended, (UNKNOWN,))
    lost = next(r for r in await parts.rows(ended) if (r.host, r.command) == ("web05", 0))
    await parts.report(lost.host_id, failed(lost.execution_id))
    await parts.tasks.start_task(again)
    assert await hosts_of(parts, again) == ["web06"]


async def test_a_rerun_runs_on_exactly_the_hosts_that_are_named(parts: Parts, ended: int) -> None:
    """Whatever their classes are."""
    ids = {row.host: row.host_id for row in await parts.rows(ended)}
    rerun = await parts.tasks.rerun_task(ended, host_ids=[ids["web01"], ids["web02"]])
    detail = await parts.tasks.get_task(rerun.task_id)
    assert (detail.task.target, detail.task.rerun_of) == ("web[01-02]", ended)
    await parts.tasks.start_task(rerun.task_id)
    assert await hosts_of(parts, rerun.task_id) == ["web01", "web02"]


async def test_named_hosts_of_a_rerun_are_hosts_of_the_task(parts: Parts, ended: int) -> None:
    other = await parts.connect("db01")
    with pytest.raises(InvalidInputError, match="has no host with the id") as got:
        await parts.tasks.rerun_task(ended, host_ids=[other.host_id])
    assert got.value.field == "host_ids"
    with pytest.raises(InvalidInputError, match="either classes of hosts, or hosts"):
        await parts.tasks.rerun_task(ended, (FAILED,), host_ids=[other.host_id])


async def test_named_hosts_that_are_gone_are_named_and_left_out(parts: Parts, ended: int) -> None:
    ids = {row.host: row.host_id for row in await parts.rows(ended)}
    await parts.admission.revoke([ids["web02"]], "ana")
    rerun = await parts.tasks.rerun_task(ended, host_ids=[ids["web01"], ids["web02"]])
    assert rerun.gone == ("web02",)
    assert (await parts.tasks.get_task(rerun.task_id)).task.target == "web01"
    with pytest.raises(IllegalMoveError, match="not in the fleet any more: web02"):
        await parts.tasks.rerun_task(ended, host_ids=[ids["web02"]])


async def test_a_request_for_named_hosts_makes_one_task(parts: Parts, ended: int) -> None:
    ids = [row.host_id for row in await parts.rows(ended) if row.host == "web02"][:1]
    first = await parts.tasks.rerun_task(ended, request_id=REQUEST, host_ids=ids)
    assert await parts.tasks.rerun_task(ended, request_id=REQUEST, host_ids=ids) == first

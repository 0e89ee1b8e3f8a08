"""What a script reads of a manager, and the tasks that it makes."""

from datetime import timedelta
from typing import Any

import pytest

from tests.cli.fake import FakeOperator
from tui_manager.client import (
    Admission,
    InvalidInputError,
    Manager,
    NotFoundError,
    TaskOptions,
    new_request_id,
)
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.schedules.schedule import ScheduleSpec, TemplateUse
from tui_manager.domain.task_spec.rollout_spec import HoldRule
from tui_manager.domain.task_spec.task_spec import Offline, TaskSpec

TEMPLATE = """
target = "role=web"
[params.service]
pattern = "[a-z]+"
[params.wait]
type = "integer"
default = 3
[params.key]
type = "secret"
"""
STEP = """
[[steps]]
run = "systemctl restart $service"
"""
TEMPLATE += STEP


@pytest.fixture
def operator() -> FakeOperator:
    """A manager with three hosts."""
    return FakeOperator("web01", "web02", "web03")


@pytest.fixture
def manager(operator: FakeOperator) -> Manager:
    """The same as a script sees it."""
    return Manager(operator)


async def test_hosts_by_target(operator: FakeOperator, manager: Manager) -> None:
    operator.add_host("db01", labels={"role": "db"})
    operator.add_host("web04", labels={"role": "web"}, admission=Admission.PENDING)
    names = [host.name async for host in manager.hosts("role=web")]
    assert names == ["web01", "web02", "web03"]
    assert {host.name async for host in manager.hosts()} == {*names, "db01", "web04"}
    with pytest.raises(InvalidInputError) as caught:
        _ = [host async for host in manager.hosts("role=mail")]
    assert caught.value.field == "target"
    assert (await manager.host("db01")).host.labels == {"role": "db"}
    assert (await manager.preview("role=db")).hosts == ("db01",)


async def test_every_option_reaches_the_task(operator: FakeOperator, manager: Manager) -> None:
    task = await manager.run(
        "@all",
        "uptime",
        name="all of it",
        description="why",
        stdin="yes\n",
        env={"LANG": "C"},
        params={"n": 3, "on": True, "rate": 0.5, "who": "ana"},
        secrets={"KEY": "hunter2"},
        timeout=timedelta(minutes=5),
        user="deploy",
        cwd="/srv",
        memory_max="512M",
        tasks_max=10,
        cpu_max="50%",
        offline="wait",
        delivery_timeout="10m",
        include_maintenance=True,
        batches="1,rest",
        order="random",
        delay=30,
        max_concurrency="10%",
        max_failures=0,
        strict=True,
        hold="first",
        hold_timeout="1h",
    )
    spec = operator.tasks[task.task_id].spec
    (step,) = spec.commands
    assert (spec.name, spec.description, step.text) == ("all of it", "why", "uptime")
    assert step.stdin is not None
    assert step.stdin.data == b"yes\n"
    assert (step.environment, step.timeout) == ({"LANG": "C"}, timedelta(minutes=5))
    assert step.parameters == {"n": "3", "on": "true", "rate": "0.5", "who": "ana"}
    assert (step.run_as_user, step.cwd, list(step.secrets)) == ("deploy", "/srv", ["KEY"])
    assert (step.limits.memory_max, step.limits.tasks_max, step.limits.cpu_max) == (
        512 << 20,
        10,
        50,
    )
    assert (spec.offline, spec.delivery_timeout) == (Offline.WAIT, timedelta(minutes=10))
    assert spec.include_maintenance
    assert spec.rollout.batches == "1,rest"
    assert (spec.rollout.order, spec.rollout.delay) == ("random", timedelta(seconds=30))
    assert (spec.rollout.max_concurrency, spec.rollout.max_failures) == ("10%", "0")
    assert (spec.rollout.strict, spec.rollout.hold) == (True, HoldRule.FIRST)
    assert spec.rollout.hold_timeout == timedelta(hours=1)


def test_no_option_is_forgotten() -> None:
    from tui_manager.domain.task_spec.step_and_task_options import ALL_OPTIONS

    assert set(TaskOptions.__annotations__) == set(ALL_OPTIONS)
    described = TaskOptions.__doc__ or ""
    assert [name for name in ALL_OPTIONS if f" {name}: " not in described] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": "soon"}, "timeout = 'soon': expected a number of seconds"),
        ({"timeout": True}, "timeout = True: expected a text or a whole number"),
        ({"timeout": timedelta(days=8)}, "A timeout must be from 1 s to 7 d"),
        ({"timeout": 0}, "A timeout must be from 1 s to 7 d"),
        ({"strict": "yes"}, "strict = 'yes': expected True or False"),
        ({"batches": timedelta(1)}, "batches = datetime.timedelta(days=1): expected a text"),
        ({"delay": "5s"}, "delay needs batches."),
        ({"delivery_timeout": 60}, "delivery_timeout needs offline = wait."),
        ({"offline": "maybe"}, "offline = 'maybe': expected fail or wait"),
        ({"colour": "red"}, "There is no option colour; there are timeout, "),
    ],
)
async def test_options_that_are_wrong(
    operator: FakeOperator, manager: Manager, options: TaskOptions, said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await manager.run("@all", "true", **options)
    assert str(caught.value).startswith(said)
    assert caught.value.field == next(iter(options))
    assert not operator.tasks


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arguments": "--fast"}, "arguments = '--fast': expected a list of texts."),
        ({"arguments": [5]}, "arguments = [5]: expected a list of texts."),
        ({"env": {"A": 5}}, "A: expected a text, and not one of type int."),
        ({"secrets": {"KEY": b"hunter2"}}, "KEY: expected a text, and not one of type bytes."),
        ({"params": {"WAIT": None}}, "WAIT = None: expected a text or a number."),
    ],
)
async def test_values_of_a_wrong_type(
    operator: FakeOperator, manager: Manager, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await manager.run("@all", script="#!/bin/sh\n", **given)
    assert str(caught.value) == said
    assert not operator.tasks


async def test_a_target_that_matches_nothing_makes_no_task(
    operator: FakeOperator, manager: Manager
) -> None:
    for target in ("role=mail", ""):
        with pytest.raises(InvalidInputError):
            await manager.run(target, "true")
    assert not operator.tasks


async def test_a_script_with_arguments(operator: FakeOperator, manager: Manager) -> None:
    await manager.run("web01", script="#!/bin/sh\necho $1\n", arguments=["a b"])
    (step,) = operator.tasks[1].spec.commands
    assert (step.text, step.arguments) == ("", ("a b",))
    assert step.script is not None
    assert step.script.data == b"#!/bin/sh\necho $1\n"


async def test_a_repeat_with_the_same_request_id_starts_one_task(
    operator: FakeOperator, manager: Manager
) -> None:
    request_id = new_request_id()
    first = await manager.run("@all", "true", request_id=request_id)
    again = await manager.run("@all", "true", request_id=request_id)
    assert first.task_id == again.task_id
    assert list(operator.tasks) == [1]


async def test_hosts_that_are_left_out_are_named(operator: FakeOperator, manager: Manager) -> None:
    operator.change_host("web02", maintenance=Maintenance("disk", None, "ana"))
    task = await manager.run("@all", "true")
    assert task.left_out == ("web02",)


async def test_a_template_with_parameters(operator: FakeOperator, manager: Manager) -> None:
    await operator.save_template("restart", TEMPLATE)
    await operator.save_template("restart", TEMPLATE.replace("restart $", "try-restart $"))
    task = await manager.run_template(
        "restart",
        version=1,
        target="web01",
        params={"service": "nginx", "wait": 7},
        secrets={"key": "hunter2"},
        max_failures=0,
    )
    spec = operator.tasks[task.task_id].spec
    assert str(spec.template) == "restart@1"
    assert (spec.target, spec.rollout.max_failures) == ("web01", "0")
    assert spec.commands[0].text == "systemctl restart $service"
    assert spec.commands[0].parameters == {"service": "nginx", "wait": "7"}
    assert list(spec.commands[0].secrets) == ["key"]
    newest = await manager.run_template("restart", params={"service": "a"}, secrets={"key": "b"})
    spec = operator.tasks[newest.task_id].spec
    assert (str(spec.template), spec.target) == ("restart@2", "role=web")
    assert [template.name async for template in manager.templates()] == ["restart"]
    assert [template.name async for template in manager.templates("mail")] == []
    assert (await manager.template("restart", 1)).version == 1


async def test_a_template_that_cannot_run(operator: FakeOperator, manager: Manager) -> None:
    await operator.save_template("restart", TEMPLATE)
    with pytest.raises(NotFoundError):
        await manager.run_template("stop")
    with pytest.raises(NotFoundError):
        await manager.run_template("restart", version=9)
    for params in ({}, {"service": "NGINX"}, {"service": "a", "colour": "red"}):
        with pytest.raises(InvalidInputError):
            await manager.run_template("restart", params=params, secrets={"key": "b"})
    assert not operator.tasks


async def test_a_schedule_is_started_now(operator: FakeOperator, manager: Manager) -> None:
    await operator.save_template("restart", TEMPLATE.replace('[params.key]\ntype = "secret"\n', ""))
    use = TemplateUse("restart", parameters={"service": "nginx"})
    await operator.add_schedule(ScheduleSpec("nightly", "0 3 * * *", "UTC", template=use))
    assert [schedule.spec.name async for schedule in manager.schedules()] == ["nightly"]
    task = await manager.run_schedule("nightly")
    assert task.task_id == 1


async def test_tasks_by_filter(operator: FakeOperator, manager: Manager) -> None:
    for number in range(5):
        await manager.run("web01", f"echo {number}")
    operator.end_on("web01", task_id=2)
    assert [task.task_id async for task in manager.tasks()] == [5, 4, 3, 2, 1]
    assert [task.task_id async for task in manager.tasks("status=completed")] == [2]
    assert (await manager.status()).hosts_total == 3


async def test_a_task_that_is_not_started(operator: FakeOperator, manager: Manager) -> None:
    spec: TaskSpec = operator.tasks[(await manager.run("web01", "true")).task_id].spec
    task = await manager.create(spec)
    assert await task.status() == "pending"
    await task.start()
    assert await task.status() == "running"

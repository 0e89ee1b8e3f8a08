"""Commands that need a feature of the agent are sent to agents with it and rejected for others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, spec
from tests.support.managers.manager_parts import result as ended
from tui_manager.domain.hosts import agent_features
from tui_manager.domain.hosts.agent_features import Feature
from tui_manager.domain.hosts.agent_messages import Run
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.status import CommandHostStatus, Reason, TaskStatus
from tui_manager.domain.task_spec.copy_and_fetch import CopySpec, FetchSpec, FileSet, UpdateSpec
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.script_and_stdin import Content, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.transport.messages.convert_messages import from_run

LIMITS = ResourceLimits(memory_max=512 << 20, tasks_max=100, cpu_max=50)
ALL = ("cgroup", "memory-max", "tasks-max", "cpu-max")
SCRIPT = CommandSpec("", script=content_of(b"#!/bin/sh\n\xff"), arguments=("two words", ""))


def limited(target: str, *texts: str, limits: ResourceLimits = LIMITS, **given: Any) -> TaskSpec:
    """A task whose first command is limited."""
    task = spec(target, *texts, **given)
    first, *others = task.commands
    return replace(task, commands=(replace(first, limits=limits), *others))


async def start(parts: Parts, task: TaskSpec) -> int:
    task_id = await parts.tasks.create_task(task)
    await parts.tasks.start_task(task_id)
    return task_id


async def test_an_agent_with_the_feature_gets_the_limits(parts: Parts) -> None:
    await parts.connect("web01", features=ALL)
    await start(parts, limited("@all"))
    ((_, run),) = await parts.send()
    assert run.command.limits == LIMITS
    message = from_run(run).run_command
    assert (message.memory_max, message.tasks_max, message.cpu_max) == (512 << 20, 100, 50)


async def test_a_command_that_is_sent_again_has_its_limits(parts: Parts) -> None:
    """What is sent comes from the database: also when it is sent again."""
    await parts.connect("web01", features=ALL)
    task_id = await start(parts, limited("@all"))
    await parts.send()
    (command,) = (await parts.tasks.get_task(task_id)).commands
    assert command.spec.limits == LIMITS
    again = await parts.connect("web01", features=ALL)  # its journal never saw the command
    parts.hosts.session_ready(again.host_id)
    ((_, run),) = await parts.send()
    assert run.command.limits == LIMITS


@pytest.mark.parametrize("offered", [(), ("cgroup",), ("cgroup", "tasks-max", "cpu-max")])
async def test_an_agent_without_the_feature_is_sent_nothing(
    parts: Parts, offered: tuple[str, ...]
) -> None:
    """An old agent says nothing of features, and would run the command without its limits."""
    host = await parts.connect("web01", features=offered)
    task_id = await start(parts, limited("@all", "first", "second"))
    assert await parts.send() == []
    first, second = await parts.rows(task_id)
    assert (first.status, first.reason) == (CommandHostStatus.FAILED, Reason.REJECTED)
    assert first.detail.startswith("this host's agent cannot limit memory")
    assert "memory-max" in first.detail
    assert ("tasks-max" in first.detail) == ("tasks-max" not in offered)
    assert (second.status, second.reason) == (CommandHostStatus.SKIPPED, Reason.EARLIER_FAILED)
    assert first.sent_at is None
    assert (await parts.tasks.get_task(task_id)).task.status is TaskStatus.FAILED
    await start(parts, spec("@all", "unlimited"))
    ((sent_to, run),) = await parts.send()
    assert (sent_to, run.command.text) == (host.host_id, "unlimited")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (SCRIPT, "cannot run scripts: it does not offer script."),
        (
            CommandSpec("cat", stdin=content_of(b"x")),
            "cannot give a command its stdin: it does not offer stdin.",
        ),
    ],
)
async def test_an_agent_that_takes_no_scripts_or_stdin_is_sent_nothing(
    parts: Parts, command: CommandSpec, words: str
) -> None:
    await parts.connect("web01", features=ALL)
    task_id = await start(parts, replace(spec("@all"), commands=(command,)))
    assert await parts.send() == []
    (row,) = await parts.rows(task_id)
    assert (row.status, row.reason) == (CommandHostStatus.FAILED, Reason.REJECTED)
    assert words in row.detail


def run_of(command: CommandSpec) -> Run:
    return Run(
        execution_id="e",
        command=command,
        environment={},
        secrets=(),
        kill_grace=timedelta(seconds=1),
        output_limit=1,
    )


def test_a_script_and_stdin_reach_the_wire() -> None:
    message = from_run(run_of(replace(SCRIPT, stdin=content_of(b"")))).run_command
    assert message.command == ""
    assert message.script == b"#!/bin/sh\n\xff"
    assert message.arguments == ["two words", ""]
    assert message.HasField("stdin")
    plain = from_run(run_of(CommandSpec("true"))).run_command
    assert not plain.HasField("script")
    assert not plain.HasField("stdin")


def test_bytes_that_were_left_in_the_database_are_not_sent_as_none() -> None:
    with pytest.raises(ValueError, match="were not read from the database"):
        from_run(run_of(replace(SCRIPT, script=Content(1, "ab"))))


async def test_the_features_of_each_host_decide(parts: Parts) -> None:
    able = await parts.connect("web01", features=ALL)
    await parts.connect("web02")
    task_id = await start(parts, limited("@all"))
    ((host_id, run),) = await parts.send()
    assert host_id == able.host_id
    await parts.report(host_id, ended(run.execution_id))
    reasons = {row.host: row.reason for row in await parts.rows(task_id)}
    assert reasons == {"web01": Reason.NONE, "web02": Reason.REJECTED}


async def test_the_newest_session_says_what_a_host_can(parts: Parts) -> None:
    await parts.connect("web01", features=ALL)
    host = await parts.connect("web01")
    await start(parts, limited("@all"))
    assert await parts.send() == []
    shown = parts.list_hosts(Window()).rows
    assert [one.features for one in shown] == [frozenset()]
    await parts.connect("web01", features=(*ALL, "of-a-later-version"))
    shown = parts.list_hosts(Window()).rows
    assert [one.features for one in shown] == [frozenset(ALL)]
    await parts.hosts.close_session(host.host_id, host.generation + 1, "it left")
    shown = parts.list_hosts(Window()).rows
    assert [one.features for one in shown] == [frozenset()]


def test_each_feature_is_needed_by_what_uses_it() -> None:
    """`cgroup` is for people: no command needs it. Without `host-variables` a command lacks some
    variables."""
    spec = CommandSpec("true")
    needed = set()
    limited = [
        replace(spec, limits=ResourceLimits(**{name: 1 << 20}))
        for name in ("memory_max", "tasks_max", "cpu_max")
    ]
    copy = CommandSpec("", copy=CopySpec(FileSet("ab" * 32, 1, 1, 1, 1), "/to"))
    fetch = CommandSpec("", fetch=FetchSpec(("/from",)))
    for using in (*limited, SCRIPT, replace(spec, stdin=content_of(b"")), copy, fetch):
        (missing,) = [one for one in Feature if agent_features.refusal(using, set(Feature) - {one})]
        needed.add(missing)
        assert missing in agent_features.refusal(using, ())
    update = CommandSpec(
        "", update=UpdateSpec(FileSet("ab" * 32, 1, 1, 1, 1), "1", "0" * 12, "", "")
    )
    (missing,) = [one for one in Feature if agent_features.refusal(update, set(Feature) - {one})]
    needed.add(missing)
    assert needed == set(Feature) - {Feature.CGROUP, Feature.HOST_VARIABLES}
    assert agent_features.refusal(spec, ()) == ""


def test_an_unknown_feature_is_ignored() -> None:
    assert agent_features.known(["cpu-max", "x" * 1000, "", "CPU_MAX"]) == {Feature.CPU_MAX}

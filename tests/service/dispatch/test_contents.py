"""Scripts and inputs of steps: stored with their task, shown without their bytes, copied to a task
that repeats it, removed with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.managers.manager_parts import Parts, failed, result
from tests.support.managers.old_history import DAY
from tui_manager.domain.errors import IllegalMoveError, InvalidInputError
from tui_manager.domain.ids import new_request_id
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, Content, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.storage.engine.transaction import Transaction
from tui_manager.storage.maintenance import pruning
from tui_manager.storage.tables.tasks.command_contents import (
    contents_of_execution,
    contents_of_task,
)

FEATURES = ("script", "stdin")
SCRIPT = content_of(b'#!/bin/sh\necho "$1" \xff\n')
STDIN = content_of(bytes(range(256)))
EMPTY = content_of(b"")


def task(*commands: CommandSpec, target: str = "@all") -> TaskSpec:
    return TaskSpec(target, commands, created_by="ana@pts/3")


STEPS = (
    CommandSpec("", script=SCRIPT, arguments=("a b", ""), stdin=STDIN, name="first.sh"),
    CommandSpec("true"),
    CommandSpec("cat", stdin=EMPTY),
)


async def contents(parts: Parts, task_id: int) -> dict[int, dict[str, bytes | None]]:
    """The stored bytes of a task."""
    found = await parts.database.read(lambda tx: contents_of_task(tx, task_id))
    return {
        index: {kind: content.data for kind, content in of_step.items()}
        for index, of_step in found.items()
    }


async def count(parts: Parts) -> int:
    def work(tx: Transaction) -> int:
        number: int = tx.execute("SELECT count(*) FROM command_contents").fetchone()[0]
        return number

    return await parts.database.read(work)


async def test_contents_are_stored_and_shown_without_their_bytes(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(task(*STEPS))
    assert await contents(parts, task_id) == {
        0: {"script": SCRIPT.data, "stdin": STDIN.data},
        2: {"stdin": b""},
    }
    detail = await parts.tasks.get_task(task_id)
    assert [command.spec for command in detail.commands] == list(STEPS)
    shown = [one for command in detail.commands for one in command.spec.contents.values()]
    assert [(one.size, one.sha256, one.data) for one in shown] == [
        (one.size, one.sha256, None) for one in (SCRIPT, STDIN, EMPTY)
    ]
    assert detail.task.name == "first.sh"
    (listed,) = (await parts.tasks.list_tasks(Window())).rows
    assert listed == detail.task


async def test_contents_can_be_put_into_what_is_shown(parts: Parts) -> None:
    task_id = await parts.tasks.create_task(task(*STEPS))
    found = await parts.database.read(lambda tx: contents_of_task(tx, task_id))
    commands = [
        command.spec.with_contents(found.get(command.index, {}))
        for command in (await parts.tasks.get_task(task_id)).commands
    ]
    TaskSpec("@all", tuple(commands)).check()
    assert [one.contents for one in commands] == [one.contents for one in STEPS]


async def test_a_task_whose_bytes_are_elsewhere_is_not_created(parts: Parts) -> None:
    without = CommandSpec("", script=Content(9, "0" * 64))
    with pytest.raises(InvalidInputError, match="bytes of the script are missing"):
        await parts.tasks.create_task(task(without))


@pytest.mark.parametrize(
    "other",
    [
        {"script": content_of(b"#!/bin/sh\necho other\n")},
        {"stdin": content_of(b"other")},
        {"stdin": None},
        {"arguments": ("a", "b")},
    ],
    ids=lambda other: ",".join(other),
)
async def test_a_request_id_of_other_contents_is_refused(
    parts: Parts, other: Mapping[str, Any]
) -> None:
    request = new_request_id()
    task_id = await parts.tasks.create_task(task(*STEPS), request)
    assert await parts.tasks.create_task(task(*STEPS), request) == task_id
    with pytest.raises(IllegalMoveError, match=f"has made task {task_id}, which is another one"):
        await parts.tasks.create_task(task(replace(STEPS[0], **other), *STEPS[1:]), request)
    assert await count(parts) == 3


async def test_a_task_that_is_run_again_has_the_same_contents(parts: Parts) -> None:
    host = await parts.connect("web01", features=FEATURES)
    task_id = await parts.tasks.create_task(task(*STEPS))
    await parts.tasks.start_task(task_id)
    ((_, run),) = await parts.send()
    await parts.report(host.host_id, failed(run.execution_id))
    request = new_request_id()
    again, _ = await parts.tasks.rerun_task(task_id, request_id=request)
    assert (await parts.tasks.rerun_task(task_id, request_id=request))[0] == again
    assert await contents(parts, again) == await contents(parts, task_id)
    detail = await parts.tasks.get_task(again)
    assert [command.spec for command in detail.commands] == list(STEPS)
    await parts.tasks.start_task(again)
    ((_, run),) = await parts.send()
    found = await parts.database.read(lambda tx: contents_of_execution(tx, run.execution_id))
    assert {kind: content.data for kind, content in found.items()} == {
        "script": SCRIPT.data,
        "stdin": STDIN.data,
    }


async def test_contents_are_pruned_with_their_task_a_few_at_a_time(parts: Parts) -> None:
    host = await parts.connect("web01", features=FEATURES)
    large = content_of(b"#!/bin/sh\n".ljust(CONTENT_LENGTH, b"#"))
    old = await parts.tasks.create_task(task(*[CommandSpec("", script=large)] * 10))
    await parts.tasks.cancel_task(old)
    parts.clock.turn(31 * DAY)
    kept = await parts.tasks.create_task(task(STEPS[1], STEPS[0]))
    await parts.tasks.start_task(kept)
    for _ in range(2):
        ((_, run),) = await parts.send()
        await parts.report(host.host_id, result(run.execution_id))
    await parts.database.write(lambda tx: pruning.mark(tx, parts.core.clock.stamp() - 1, 0))
    left = []
    while await parts.database.write(pruning.clear):
        left.append(await count(parts))
    steps = pruning.BYTES // CONTENT_LENGTH
    assert left == list(range(12 - steps, 2, -steps))  # and in the last one what is left of them
    assert await contents(parts, kept) == {1: {"script": SCRIPT.data, "stdin": STDIN.data}}

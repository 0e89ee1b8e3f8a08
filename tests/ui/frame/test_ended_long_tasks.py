"""Which tasks are told to have ended after a long time, and in which words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.operator.recording import AT, TASK
from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.errors import UnreachableError
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.frame.ended_long_tasks import EndedLongTasks, duration_of, end_text

LONG = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
ENDED = replace(
    TASK, task_id=62, name="restart", status=TaskStatus.COMPLETED, host_count=14,
    started_at=AT, finished_at=AT + 52 * SECOND,
)  # fmt: skip


async def start(fleet: FakeOperator) -> int:
    task_id = await fleet.create_task(TaskSpec("web01", (CommandSpec("true"),)))
    await fleet.start_task(task_id)
    return task_id


def finish(fleet: FakeOperator, *task_ids: int, after: timedelta) -> None:
    fleet.clock += after
    for task_id in task_ids:
        fleet.finish(fleet.execution(task_id, "web01"))


async def found(ended: EndedLongTasks, fleet: FakeOperator) -> list[int]:
    return [task.task_id for task in await ended.find(fleet)]


@pytest.mark.parametrize(("after", "is_long"), [(LONG, False), (LONG + SECOND, True)])
async def test_a_task_that_ran_for_longer_is_found_once(
    fleet: FakeOperator, after: timedelta, is_long: bool
) -> None:
    ended, task_id = EndedLongTasks(LONG), await start(fleet)
    assert await found(ended, fleet) == []
    assert await found(ended, fleet) == [], "it still runs"
    finish(fleet, task_id, after=after)
    assert await found(ended, fleet) == [task_id] * is_long
    assert await found(ended, fleet) == []


async def test_a_task_that_was_never_seen_to_run_is_not_found(fleet: FakeOperator) -> None:
    ended, before = EndedLongTasks(LONG), await start(fleet)
    finish(fleet, before, after=2 * LONG)
    assert await found(ended, fleet) == []
    between = await start(fleet)
    finish(fleet, between, after=2 * LONG)
    assert await found(ended, fleet) == []


async def test_a_task_that_is_no_longer_among_the_newest_has_not_ended(
    fleet: FakeOperator,
) -> None:
    ended, oldest = EndedLongTasks(LONG), await start(fleet)
    assert await found(ended, fleet) == []
    for _ in range(100):
        await start(fleet)
    fleet.clock += 2 * LONG
    assert await found(ended, fleet) == []
    assert not (await fleet.get_task(oldest)).task.status.ended


async def test_only_some_of_those_that_end_at_once_are_looked_up(fleet: FakeOperator) -> None:
    ended, task_ids = EndedLongTasks(LONG), [await start(fleet) for _ in range(25)]
    assert await found(ended, fleet) == []
    finish(fleet, *task_ids, after=2 * LONG)
    fleet.calls.clear()
    assert await found(ended, fleet) == task_ids[:20]
    assert fleet.calls == ["list_tasks", *["get_task"] * 20]
    assert await found(ended, fleet) == []


async def does_not_answer(_task_id: int) -> None:
    raise UnreachableError("The manager does not answer.")


async def test_a_call_that_fails_forgets_no_running_task(
    fleet: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, task_id = EndedLongTasks(LONG), await start(fleet)
    assert await found(ended, fleet) == []
    finish(fleet, task_id, after=2 * LONG)
    fleet.failure = UnreachableError("The manager does not answer.")
    with pytest.raises(UnreachableError):
        await ended.find(fleet)
    fleet.failure = None
    with monkeypatch.context() as gone:
        gone.setattr(fleet, "get_task", does_not_answer)
        with pytest.raises(UnreachableError):
            await ended.find(fleet)
    assert await found(ended, fleet) == [task_id]


async def test_a_pruned_task_hides_no_other(fleet: FakeOperator) -> None:
    ended, task_ids = EndedLongTasks(LONG), [await start(fleet) for _ in range(3)]
    assert await found(ended, fleet) == []
    finish(fleet, *task_ids, after=2 * LONG)
    del fleet.tasks[task_ids[1]]
    assert await found(ended, fleet) == [task_ids[0], task_ids[2]]


def test_a_task_without_a_start_or_an_end_ran_for_no_time() -> None:
    assert duration_of(ENDED) == 52 * SECOND
    assert duration_of(replace(ENDED, started_at=None)) == timedelta(0)
    assert duration_of(replace(ENDED, finished_at=None)) == timedelta(0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "#62 restart completed after 0:52 on 14 hosts."),
        ({"host_count": 1}, "#62 restart completed after 0:52 on 1 host."),
        (
            {"status": TaskStatus.FAILED, "hosts_failed": 2},
            "#62 restart failed after 0:52: 2 of 14 hosts failed.",
        ),
        ({"status": TaskStatus.FAILED}, "#62 restart failed after 0:52 on 14 hosts."),
        ({"status": TaskStatus.CANCELED}, "#62 restart canceled after 0:52 on 14 hosts."),
        ({"name": "a\x1b]0;title\x07b"}, "#62 ab completed after 0:52 on 14 hosts."),
    ],
)
def test_what_is_said(changes: dict[str, object], text: str) -> None:
    assert end_text(replace(ENDED, **changes)) == text  # type: ignore[arg-type]


def test_a_long_name_is_shortened() -> None:
    text = end_text(replace(ENDED, name="x" * 61))
    assert text == f"#62 {'x' * 59}… completed after 0:52 on 14 hosts."

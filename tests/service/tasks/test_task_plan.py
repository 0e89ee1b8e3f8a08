"""What a task would do, without doing it."""

import pytest

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.lists.list_window import Window
from tui_manager.domain.task_spec.rollout_spec import RolloutSpec
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task_plan import PlannedHost


def spec(target: str, rollout: RolloutSpec) -> TaskSpec:
    return TaskSpec(target, (CommandSpec("true"),), rollout=rollout)


async def test_a_plan_says_which_hosts_are_offline_and_stores_nothing(parts: Parts) -> None:
    web01, _, _ = [await parts.connect(name) for name in ("web01", "web02", "db01")]
    await parts.hosts.close_session(web01.host_id, web01.generation, "gone")
    plan = await parts.tasks.plan_task(spec("web*", RolloutSpec("1,rest")))
    assert plan.hosts == (PlannedHost("web01", 1, False), PlannedHost("web02", 2, True))
    assert (await parts.tasks.list_tasks(Window())).rows == []
    assert (await parts.tasks.lists.audit(Window(text="task"))).rows == []
    assert await parts.send() == []


async def test_a_plan_of_a_wrong_task_is_refused(parts: Parts) -> None:
    await parts.connect("web01")
    for target, rollout, field in (
        ("web01", RolloutSpec("0"), "batches"),
        ("db*", RolloutSpec("1"), "target"),
        ("web01", RolloutSpec("1", strict=True), "strict"),
    ):
        with pytest.raises(InvalidInputError) as raised:
            await parts.tasks.plan_task(spec(target, rollout))
        assert raised.value.field == field

"""The footer shows what can be done to the chosen tasks, in words that say what would happen."""

from dataclasses import replace

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, shown
from tui_manager.domain.status import TaskStatus
from tui_manager.ui.tasks.task_key_labels import is_useful, task_label

ACTIONS = ("rerun_task", "cancel_task", "pause_task", "start_task")


async def test_what_is_of_use_follows_the_status(fleet: FakeOperator) -> None:
    task = fleet.tasks[5].row
    of_use = {
        status: [
            action
            for action in ACTIONS
            if is_useful(action, [replace(task, status=status, cancel_requested_at=None)])
        ]
        for status in TaskStatus
    }
    assert of_use == {
        TaskStatus.PENDING: ["cancel_task", "start_task"],
        TaskStatus.RUNNING: ["cancel_task", "pause_task"],
        TaskStatus.COMPLETED: ["rerun_task"],
        TaskStatus.FAILED: ["rerun_task"],
        TaskStatus.CANCELED: ["rerun_task"],
    }
    canceling = replace(task, cancel_requested_at=task.created_at)
    assert [action for action in ACTIONS if is_useful(action, [canceling])] == []
    assert not any(is_useful(action, []) for action in ACTIONS)
    ended = fleet.tasks[2].row
    assert is_useful("rerun_task", [ended])
    assert not is_useful("rerun_task", [ended, ended])


async def test_the_label_says_what_would_happen(fleet: FakeOperator) -> None:
    task = fleet.tasks[5].row
    assert task_label("pause_task", [task]) == ""
    paused = replace(task, paused=True)
    assert task_label("pause_task", [paused]) == "Resume"
    assert task_label("pause_task", [paused, task]) == ""
    failed = replace(task, status=TaskStatus.FAILED, hosts_failed=1200)
    assert task_label("rerun_task", [failed]) == "Run again on 1,200 failed"
    assert task_label("rerun_task", [failed, failed]) == ""


async def test_the_footer_follows_the_selected_task(fleet: FakeOperator, running: Running) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "3", "home")
        assert "c Cancel   s Start " in shown(pilot).splitlines()[-1]
        await press(pilot, "down")
        assert "c Cancel   p Pause " in shown(pilot).splitlines()[-1]
        await press(pilot, "p")
        assert "p Resume " in shown(pilot).splitlines()[-1]
        await press(pilot, "end")
        footer = shown(pilot).splitlines()[-1]
        assert "r Run again " in footer
        assert "Cancel" not in footer

"""A filter that has not seen all rows yet goes on by itself, and says so."""

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.lists.list_window import Page, Window
from tui_manager.domain.lists.task_filter_and_sort import ALL_TASKS, TaskFilter
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Task


class SlowFilter(FakeOperator):
    """Of a filtered list of tasks it has looked at one task more with each question."""

    looked = 0

    async def list_tasks(self, window: Window, wanted: TaskFilter = ALL_TASKS) -> Page[Task]:
        page = await super().list_tasks(window, wanted)
        if not window.text:
            return page
        self.looked += 1
        rows = page.rows[: self.looked - 1]
        return Page(rows, len(rows), page.total, partial=self.looked <= page.matching)


async def test_a_filter_goes_on_until_all_is_found(running: Running) -> None:
    fleet = SlowFilter()
    for name in ("apple", "pear", "apple", "apple"):
        await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), name))
    async with running(fleet) as pilot:
        await press(pilot, "3", "slash", "a")

        async def look() -> str:
            return shown(pilot)

        await wait_until(look, lambda screen: "4 of 4" in screen)
        looked = fleet.looked
        await settle(pilot)
        assert fleet.looked == looked


async def test_while_it_looks_nothing_is_said_to_be_missing(running: Running) -> None:
    fleet = SlowFilter()
    fleet.looked = -1000
    await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),), "apple"))
    async with running(fleet) as pilot:
        await press(pilot, "3", "slash", "a")
        screen = shown(pilot)
        assert "0+ of 1" in screen
        assert "None of" not in screen

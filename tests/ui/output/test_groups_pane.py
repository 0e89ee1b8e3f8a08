"""The pane of groups: it grows while results arrive, masks, and shows problems only."""

import re
import threading
from collections.abc import Sequence

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.output.output_groups import Comparison, compare
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.ui.output import group_lines
from tui_manager.ui.output.groups_pane import GroupsPane


def heads(text: str) -> list[str]:
    return [" ".join(head.split()) for head in re.findall(r"[▾▸] ((?:✘ )?\d+ hosts? .*?) *│", text)]


async def test_groups_grow_are_masked_and_show_problems_only(running: Running) -> None:
    fleet = FakeOperator()
    for number in range(1, 7):
        fleet.add_host(f"web{number:02}")
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    runs = [fleet.execution(task, f"web{number:02}") for number in range(1, 7)]
    async with running(fleet) as pilot:
        await press(pilot, "enter", "equals_sign")
        assert "0 groups" in shown(pilot)
        for number, run in enumerate(runs[:4]):
            fleet.emit(run, b"took %d ms\n" % (number // 2))
            fleet.finish(run)
        await settle(pilot)
        assert heads(shown(pilot)) == ["2 hosts exit 0 web[01-02]", "2 hosts exit 0 web[03-04]"]
        assert "│ took 0 ms" in shown(pilot)
        fleet.emit(runs[4], b"cannot\n", Stream.STDERR)
        fleet.finish(runs[4], 7)
        await press(pilot, "M")
        assert heads(shown(pilot)) == ["4 hosts exit 0 web[01-04]", "✘ 1 host exit 7 ┃ web05"]
        assert "numbers masked" in shown(pilot)
        await press(pilot, "exclamation_mark")
        assert heads(shown(pilot)) == ["✘ 1 host exit 7 ┃ web05"]
        assert "┃ cannot" in shown(pilot)
        fleet.finish(runs[5])
        await press(pilot, "exclamation_mark", "M", *["up"] * 4, "down", "d")
        await pilot.app.workers.wait_for_complete()
        await settle(pilot)
        assert len(heads(shown(pilot))) == 4
        assert "- took 0 ms" in shown(pilot)
        assert "+ took 1 ms" in shown(pilot)


async def test_a_comparison_is_made_once_and_keys_are_handled_meanwhile(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = FakeOperator()
    for name in ("web01", "web02"):
        fleet.add_host(name)
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    for name in ("web01", "web02"):
        fleet.emit(fleet.execution(task, name), f"from {name}\n".encode())
    threads, go_on = list[int](), threading.Event()

    def made(*texts: Sequence[str]) -> Comparison:
        threads.append(threading.get_ident())
        assert go_on.wait(60)
        return compare(*texts)

    monkeypatch.setattr(group_lines, "compare", made)
    async with running(fleet) as pilot:
        await press(pilot, "enter", "equals_sign", "down", "d")
        assert "comparing…" in shown(pilot)
        go_on.set()
        await pilot.app.workers.wait_for_complete()
        await settle(pilot)
        assert "+ from web02" in shown(pilot)
        await pilot.resize_terminal(100, 30)
        await settle(pilot)
        await press(pilot, "d", "d")
        await pilot.app.workers.wait_for_complete()
        assert len(threads) == 1
        assert threads[0] != threading.get_ident()


async def test_a_click_opens_a_group(running: Running) -> None:
    fleet = FakeOperator()
    for name in ("web01", "web02", "web03"):
        fleet.add_host(name)
    task = await fleet.create_task(TaskSpec("@all", (CommandSpec("true"),)))
    await fleet.start_task(task)
    for name in ("web01", "web02", "web03"):
        fleet.emit(fleet.execution(task, name), f"from {name}\n".encode())
    async with running(fleet) as pilot:
        await press(pilot, "enter", "equals_sign")
        assert "from web01" in shown(pilot)
        pane = pilot.app.screen.query_one(GroupsPane)
        await pilot.click(pane, offset=(5, 4))  # below the frame: web01, its text, web02, web03
        await settle(pilot)
        assert pane.chosen == 2
        assert "from web03" in shown(pilot)
        await pilot.click(pane, offset=(5, 20))  # below the last group
        await settle(pilot)
        assert pane.chosen == 2

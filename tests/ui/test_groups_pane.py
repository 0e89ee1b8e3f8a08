"""The pane of groups: it grows while results arrive, masks, and shows problems only."""

import re

from tests.support.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec import CommandSpec, TaskSpec


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
        assert len(heads(shown(pilot))) == 4
        assert "- took 0 ms" in shown(pilot)
        assert "+ took 1 ms" in shown(pilot)

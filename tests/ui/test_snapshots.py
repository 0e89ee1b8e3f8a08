"""What the screens look like, from a seeded fleet and a fixed clock."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator import FakeOperator
from tests.ui.conftest import settle
from tui_manager.ui.app import DashboardApp

Compare = Callable[..., bool]

CASES = {
    "dashboard_120x36": ((120, 36), ("down",)),
    "dashboard_80x24": ((80, 24), ("down",)),
    "dashboard_light": ((120, 36), ("down", "t")),
    "hosts": ((120, 36), ("2",)),
    "tasks": ((120, 36), ("3",)),
    "manager": ((100, 30), ("4",)),
    "task_120x36": ((120, 36), ("down", "enter")),
    "task_80x24": ((80, 24), ("down", "enter")),
    "groups": ((120, 36), ("down", "enter", "equals_sign", "down", "d")),
    "new_task": ((80, 24), ("n", *"role=web", "tab", *"uptime", "tab", "tab", *"5x")),
    "cancel": ((80, 24), ("down", "c")),
    "help": ((120, 36), ("question_mark",)),
    "too_small": ((58, 14), ()),
}


@pytest.mark.parametrize("name", list(CASES))
def test_screen(name: str, fleet: FakeOperator, snap_compare: Compare) -> None:
    size, keys = CASES[name]
    app = DashboardApp(fleet.open, now=fleet.now)

    async def before(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)


def test_no_color(
    fleet: FakeOperator, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(
        DashboardApp(fleet.open, now=fleet.now), terminal_size=(120, 36), run_before=settle
    )


def test_empty(snap_compare: Compare) -> None:
    fleet = FakeOperator()
    app = DashboardApp(fleet.open, now=fleet.now)
    assert snap_compare(app, terminal_size=(80, 24), run_before=settle)

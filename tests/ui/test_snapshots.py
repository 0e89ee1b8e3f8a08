"""What the screens look like, from a seeded fleet and a fixed clock."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator import FakeOperator
from tests.support.seeded_fleet import words
from tests.ui.conftest import settle
from tui_manager.domain.status import Admission
from tui_manager.ui.app import DashboardApp

Compare = Callable[..., bool]

CASES = {
    "dashboard_120x36": ((120, 36), ("down",)),
    "dashboard_80x24": ((80, 24), ("down",)),
    "dashboard_light": ((120, 36), ("down", "t")),
    "hosts": ((120, 36), ("2",)),
    "tasks": ((120, 36), ("3",)),
    "manager": ((120, 36), ("4",)),
    "manager_80x24": ((80, 24), ("4", "down")),
    "schedules_80x24": ((80, 24), ("5",)),
    "schedules_120x36": ((120, 36), ("5",)),
    "templates_80x24": ((80, 24), ("5", "tab", "tab", "down")),
    "templates_200x50": ((200, 50), ("5", "tab", "tab", "down")),
    "run_template_80x24": ((80, 24), ("5", "tab", "tab", "down", "enter", *"ops")),
    "run_template_120x36": ((120, 36), ("5", "tab", "tab", "down", "enter")),
    "run_template_200x50": ((200, 50), ("5", "tab", "tab", "down", "enter")),
    "schedule_form_80x24": ((80, 24), ("5", "e")),
    "schedule_form_120x36": ((120, 36), ("5", "a")),
    "schedule_form_200x50": ((200, 50), ("5", "tab", "tab", "down", "a")),
    "task_120x36": ((120, 36), ("down", "enter")),
    "task_80x24": ((80, 24), ("down", "enter")),
    "groups": ((120, 36), ("down", "enter", "equals_sign", "down", "d")),
    "new_task": ((80, 24), ("n", *"role=web", "tab", *"uptime", "tab", "tab", *"5x")),
    "cancel": ((80, 24), ("down", "c")),
    "approve": ((80, 24), ("2", "a")),
    "revoke": ((80, 24), ("2", *["down"] * 9, "x")),
    "join_token": ((80, 24), ("J", "tab", "0", "tab", *"env=prod", "tab", "space")),
    "join_line_80x24": ((80, 24), ("J", "f5")),
    "join_line_160x48": ((160, 48), ("J", "f5")),
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


def test_a_name_that_another_host_has(fleet: FakeOperator, snap_compare: Compare) -> None:
    fleet.add_host(
        "web02",
        host_id="twin",
        admission=Admission.PENDING,
        fingerprint=words("twin"),
        note=f"The name web02 is also that of web02, which is admitted ({words('web02')}, machine "
        "4c1f2ab1d0e04c27a9a2b1ffbc0d7a11, last seen from 10.0.0.9:40112).",
    )
    app = DashboardApp(fleet.open, now=fleet.now)

    async def before(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        await pilot.press("2", "down", "a")
        await settle(pilot)

    assert snap_compare(app, terminal_size=(120, 36), run_before=before)


def test_no_color(
    fleet: FakeOperator, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(
        DashboardApp(fleet.open, now=fleet.now), terminal_size=(120, 36), run_before=settle
    )


@pytest.mark.parametrize("security", ["mTLS", "insecure"])
def test_empty(security: str, snap_compare: Compare) -> None:
    fleet = FakeOperator()
    fleet.security = security
    app = DashboardApp(fleet.open, now=fleet.now)
    assert snap_compare(app, terminal_size=(80, 24), run_before=settle)

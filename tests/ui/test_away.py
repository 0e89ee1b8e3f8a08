"""While the manager is away nothing on the screen pretends to be of now."""

import re
from datetime import timedelta

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.support.waiting import wait_until
from tests.ui.conftest import SOON, Running, press, settle, shown
from tui_manager.ui import manager_link
from tui_manager.ui.frame.main_screen import MainScreen

PAUSE = 2 * SOON  # seconds between two tries: an app that tried again sooner would never rest


def pass_minutes(fleet: FakeOperator, screen: object, minutes: int) -> None:
    """Time goes on, and the screen draws what has changed."""
    fleet.clock += timedelta(minutes=minutes)
    assert isinstance(screen, MainScreen)
    screen.tick()


@pytest.mark.parametrize("key", ["1", "2"])
async def test_hosts_are_not_shown_online(
    key: str, fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_link, "RETRY", PAUSE)
    async with running(fleet, (160, 40)) as pilot:
        await press(pilot, key)
        assert "●" in shown(pilot)
        began = fleet.clock
        fleet.end()
        await settle(pilot)
        pass_minutes(fleet, pilot.app.screen, 5)
        await settle(pilot)
        text = shown(pilot)
        assert f"away since {began:%H:%M:%S}: The manager has ended. Trying again…" in text
        assert f"{fleet.clock:%H:%M} " in text
        assert "●" not in text
        assert "? web01" in text
        assert f"as of {began:%H:%M:%S}" in text
        assert "◌" in text  # who waits to be approved waits
        if key == "2":
            assert f"at {began:%H:%M:%S}, not known since" in text
        fleet.revive()

        async def look() -> str:
            return shown(pilot)

        await wait_until(look, lambda screen: "away since" not in screen)
        pass_minutes(fleet, pilot.app.screen, 0)
        await settle(pilot)
        assert "●" in shown(pilot)
        assert "away since" not in shown(pilot)
        assert "as of" not in shown(pilot)


async def test_running_times_stand_still(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_link, "RETRY", PAUSE)
    async with running(fleet, (160, 40)) as pilot:
        await press(pilot, "3")
        pass_minutes(fleet, pilot.app.screen, 1)
        await settle(pilot)
        before = re.findall(r"(?<![\d:])\d+:\d\d ", shown(pilot).split("\n", 1)[1])
        assert before
        fleet.end()
        await settle(pilot)
        pass_minutes(fleet, pilot.app.screen, 5)
        await settle(pilot)
        assert re.findall(r"(?<![\d:])\d+:\d\d ", shown(pilot).split("\n", 1)[1]) == before
        await press(pilot, "enter")
        pass_minutes(fleet, pilot.app.screen, 5)
        await settle(pilot)
        assert "5:" not in shown(pilot).split("\n")[1]

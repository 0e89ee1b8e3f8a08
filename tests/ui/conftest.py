"""The app over a fake operator, with a fixed clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from textual.pilot import Pilot

from tests.support.fake_operator import FakeOperator
from tests.support.seeded_fleet import seeded_fleet
from tui_manager.ui.app import DashboardApp

Running = Callable[..., AbstractAsyncContextManager["Pilot[None]"]]


async def settle(pilot: "Pilot[None]", rounds: int = 4) -> None:
    """Lets workers, messages and layout come to rest; nothing here waits for a time to pass."""
    for _ in range(rounds):
        await pilot.pause()


@pytest.fixture
async def fleet() -> FakeOperator:
    return await seeded_fleet()


@pytest.fixture
def running() -> Running:
    """Runs the app over an operator: `async with running(fleet, size) as pilot`."""

    @asynccontextmanager
    async def run(
        operator: FakeOperator, size: tuple[int, int] = (120, 36), *, joined: bool = False
    ) -> AsyncIterator["Pilot[None]"]:
        app = DashboardApp(operator.open, joined=joined, now=operator.now)
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            yield pilot

    return run


async def press(pilot: "Pilot[None]", *keys: str) -> None:
    """Presses keys; the pilot waits for the effect of each."""
    for key in keys:
        await pilot.press(key)
    await settle(pilot, 2)


def shown(pilot: "Pilot[None]") -> str:
    """The text of the whole screen."""
    screen = pilot.app.screen
    width, height = screen.size
    strips = screen._compositor.render_strips()
    assert len(strips) <= height
    return "\n".join(strip.text[:width] for strip in strips)

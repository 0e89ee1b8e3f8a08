"""What a test of the screen waits for: the app, and no clock."""

import asyncio
import time

import pytest
import textual.notifications

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, loop_at_rest, press


async def test_a_pause_ends_when_nothing_is_left_to_run() -> None:
    done = 0

    async def steps() -> None:
        nonlocal done
        for _ in range(100):
            await asyncio.sleep(0)
            done += 1

    async def chain(length: int) -> None:
        if length:
            await asyncio.create_task(chain(length - 1))
        await steps()

    working = asyncio.create_task(chain(3))
    await loop_at_rest()
    assert done == 400
    assert working.done()


async def test_a_notice_stays_however_long_a_test_takes(
    fleet: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fleet) as pilot:
        await press(pilot, "ctrl+c")
        monkeypatch.setattr(textual.notifications, "time", lambda: time.time() + 3600)
        await press(pilot, "ctrl+c")
        said = [notice.message for notice in pilot.app._notifications]
        assert said == ["q quits.", "q quits."]

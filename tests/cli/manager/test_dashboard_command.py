"""What the command that shows the dashboard sets up around the screen."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.cli.commands import dashboard
from tui_manager.cli.commands.dashboard import opened, show
from tui_manager.cli.commands.serve import SWITCH_INTERVAL
from tui_manager.settings import Settings
from tui_manager.ui.terminal.screen_restarter import ScreenRestarter


@pytest.fixture(autouse=True)
def _interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_the_threads_of_the_manager_give_way_soon_while_the_screen_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []

    def run(screens: ScreenRestarter) -> int:
        found.append(sys.getswitchinterval())
        return 0

    monkeypatch.setattr(dashboard, "short_collections", nullcontext)  # see `tests/conftest.py`
    monkeypatch.setattr(ScreenRestarter, "run", run)
    assert show(opened(FakeOperator()), None, Settings()) == 0
    assert found == [pytest.approx(SWITCH_INTERVAL)]

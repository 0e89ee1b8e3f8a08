"""`clock accept`: the operator says that the manager's clock is right."""

from datetime import timedelta

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main


def test_accepting_ends_the_wait(connect_to: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    operator = FakeOperator()
    operator.clock_ahead = timedelta(days=40)
    connect_to(lambda: operator)
    assert main(["clock", "accept"]) == 0
    assert (
        capsys.readouterr().out
        == "The clock is accepted; schedules start tasks, and old history is removed again.\n"
    )
    assert main(["clock", "accept"]) == 0
    assert capsys.readouterr().out == "Nothing waits for the clock.\n"
    assert operator.calls == ["accept_clock", "accept_clock"]


def test_there_is_nothing_else_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clock"]) == 2
    assert "A command is missing: accept." in capsys.readouterr().err

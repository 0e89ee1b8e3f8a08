"""`run` and the world around it: ctrl-c, a reader that leaves, a manager that goes away."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tui_manager.cli.main import main
from tui_manager.domain.status import TaskStatus
from tui_manager.domain.task_spec.task_spec import TaskSpec

RUN = ["run", "@all", "--", "sleep", "600"]
Capture = pytest.CaptureFixture[str]


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def press_and_read(operator: FakeOperator, capsys: Capture) -> str:
    """What is said after one ctrl-c."""
    press_ctrl_c()
    return await until(operator, lambda: capsys.readouterr().err)


async def until(operator: FakeOperator, look: Callable[[], str]) -> str:
    while not (found := look()):
        await operator.a_moment()
    return found


def test_the_first_tells_and_the_second_cancels(connect_to: Connect, capsys: Capture) -> None:
    said = []

    async def script(operator: FakeOperator) -> None:
        operator.end_on("web01")
        await operator.a_moment()
        said.append(await press_and_read(operator, capsys))
        assert operator.tasks[1].row.status is TaskStatus.RUNNING
        press_ctrl_c()

    operators: list[FakeOperator] = []
    connect_to(lambda: scripted(operators, script, "web01", "web02"))
    assert main(RUN) == 130
    assert said == [
        "tui-manager: task 1: 1 of 2 ended after 12s: 1 running, 1 completed; "
        "ctrl-c again cancels it\n"
    ]
    assert operators[0].tasks[1].row.status is TaskStatus.CANCELED
    assert "1 completed, 1 canceled" in capsys.readouterr().err


def test_after_one_the_end_counts_as_always(connect_to: Connect, capsys: Capture) -> None:
    async def script(operator: FakeOperator) -> None:
        await press_and_read(operator, capsys)
        operator.end_on("web01")

    connect_to(lambda: scripted([], script, "web01"))
    assert main(RUN) == 0


def test_the_third_leaves_without_waiting(
    connect_to: Connect, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    canceled = []

    async def never_ends(self: FakeOperator, task_id: int) -> None:
        canceled.append(task_id)

    monkeypatch.setattr(FakeOperator, "cancel_task", never_ends)

    async def script(operator: FakeOperator) -> None:
        await press_and_read(operator, capsys)
        assert "leaves without waiting" in await press_and_read(operator, capsys)
        press_ctrl_c()

    connect_to(lambda: scripted([], script, "web01"))
    assert main(RUN) == 130
    assert canceled == [1]


def test_json_is_printed_of_a_canceled_task_too(connect_to: Connect, capsys: Capture) -> None:
    async def script(operator: FakeOperator) -> None:
        await press_and_read(operator, capsys)
        press_ctrl_c()

    connect_to(lambda: scripted([], script, "web01"))
    assert main(["run", "@all", "--json", "--", "sleep", "600"]) == 130
    assert json.loads(capsys.readouterr().out)["status"] == "canceled"


def test_ctrl_c_before_there_is_a_task(
    connect_to: Connect, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(self: FakeOperator, spec: TaskSpec, request_id: str) -> None:
        press_ctrl_c()
        while True:
            await self.a_moment()

    monkeypatch.setattr(FakeOperator, "start_new_task", slow)
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    assert main(RUN) == 130
    assert operator.tasks == {}
    assert capsys.readouterr().err == (
        "tui-manager: the task may have been made; `tui-manager task list` says whether it was\n"
    )


@pytest.mark.usefixtures("manager_goes_away")
def test_a_manager_that_goes_away_is_3(capsys: Capture) -> None:
    assert main(RUN) == 3
    assert capsys.readouterr().err == (
        "tui-manager: The manager has stopped. Task 1 goes on without it; its hosts keep the "
        "results.\n"
    )


@pytest.mark.parametrize("options", [[], ["--json"], ["--gather"]])
def test_a_reader_that_leaves_is_no_error(
    connect_to: Connect, capsys: Capture, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    async def script(operator: FakeOperator) -> None:
        operator.say("web01", "line\n")
        operator.end_on("web01")

    reading, writing = os.pipe()
    os.close(reading)
    connect_to(lambda: scripted([], script, "web01"))
    with open(writing, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert main(["run", "@all", *options, "--", "true"]) == 141
    assert capsys.readouterr().err == ""


def test_hosts_for_a_reader_that_leaves(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    connect_to(lambda: FakeOperator("web01"))
    with open(writing, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert main(["hosts"]) == 141


def test_a_locale_that_lacks_a_character(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def script(operator: FakeOperator) -> None:
        operator.say("web01", "10 €\n")
        operator.end_on("web01")

    connect_to(lambda: scripted([], script, "web01"))
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["run", "@all", "--", "true"]) == 0
    assert (tmp_path / "out").read_text() == "web01: 10 ?\n"

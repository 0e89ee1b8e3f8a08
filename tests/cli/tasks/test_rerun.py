"""`task rerun`: which hosts it takes, what it prints, and how tasks name each other."""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.support.fake_operator.fake_operator import FakeOperator as Manager
from tui_manager.cli.main import main
from tui_manager.cli.options import secret_values
from tui_manager.domain.status import CommandHostStatus as Status
from tui_manager.domain.status import Reason
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.transitions import Operation

Capture = pytest.CaptureFixture[str]
FAILED, UNREACHED, UNKNOWN, COMPLETED = "web01", "web02", "web03", "web04"


class Ended(FakeOperator):
    """Task 1 has ended, with a host of each class. Each later task completes once it is started.

    Args:
        secrets: names of the secrets of its command.
    """

    def __init__(self, *secrets: str) -> None:
        super().__init__(FAILED, UNREACHED, UNKNOWN, COMPLETED)
        self.secrets = dict.fromkeys(secrets, "old")
        asyncio.run(self._run_first())

    async def _run_first(self) -> None:
        await self.create_task(TaskSpec("@all", (CommandSpec("true", secrets=self.secrets),)))
        await Manager.start_task(self, 1)
        away = self.execution(1, UNREACHED)
        self.apply(away, Operation.GIVE_UP_SENDING, Reason.UNDELIVERABLE)
        self.end_on(FAILED, Status.FAILED, Reason.EXIT_CODE, exit_code=3)
        self.end_on(UNKNOWN, Status.FAILED, Reason.INTERRUPTED)
        self.end_on(COMPLETED)

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        left_out = await super().start_task(task_id, request_id)
        for row in list(self.tasks[task_id].rows.values()):
            self.end_on(row.host, task_id=task_id)
        return left_out

    @property
    def again(self) -> list[str]:
        """The hosts of the second task."""
        return [row.host for row in self.tasks[2].rows.values()]


@pytest.fixture
def ended(connect_to: Connect) -> Ended:
    operator = Ended()
    connect_to(lambda: operator)
    return operator


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ((), [FAILED, UNREACHED]),
        (("--failed",), [FAILED]),
        (("--unreached",), [UNREACHED]),
        (("--unknown",), [UNKNOWN]),
        (("--unknown", "--failed", "--failed"), [FAILED, UNKNOWN]),
        (("--all",), [FAILED, UNREACHED, UNKNOWN, COMPLETED]),
        (("--all", "--unknown"), [FAILED, UNREACHED, UNKNOWN, COMPLETED]),
    ],
)
def test_the_options_choose_hosts_by_their_class(
    ended: Ended, options: Sequence[str], hosts: list[str], capsys: Capture
) -> None:
    assert main(["task", "rerun", "1", *options]) == 0
    assert ended.again == hosts
    assert capsys.readouterr().err == f"tui-manager: {len(hosts)} completed\n"


def test_it_has_the_output_options_of_run(ended: Ended, capsys: Capture) -> None:
    assert main(["task", "rerun", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task_id"], found["status"], found["left_out"]) == (2, "completed", [])
    assert [row["host"] for row in found["hosts"]] == [FAILED, UNREACHED]
    assert main(["task", "rerun", "1", "--detach"]) == 0
    assert capsys.readouterr().out == "3\n"
    assert main(["task", "rerun", "1", "--no-start"]) == 0
    assert capsys.readouterr().out == "4\n"
    assert ended.tasks[4].row.status == "pending"
    assert main(["task", "rerun", "1", "--gather"]) == 0


def test_the_exit_status_is_that_of_run(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(task_id: int, request_id: str = "") -> Sequence[str]:
        await FakeOperator.start_task(ended, task_id, request_id)
        for row in list(ended.tasks[task_id].rows.values()):
            ended.end_on(row.host, Status.FAILED, Reason.EXIT_CODE, task_id=task_id, exit_code=1)
        return ()

    monkeypatch.setattr(ended, "start_task", fail)
    assert main(["task", "rerun", "1"]) == 1


def test_both_tasks_name_each_other(ended: Ended, capsys: Capture) -> None:
    main(["task", "rerun", "1", "--detach"])
    main(["task", "rerun", "1", "--unknown", "--detach"])
    capsys.readouterr()
    main(["task", "show", "1", "--json"])
    old = json.loads(capsys.readouterr().out)
    assert (old["rerun_of"], old["reruns"]) == (None, [3, 2])
    main(["task", "show", "3", "--json"])
    new = json.loads(capsys.readouterr().out)
    assert (new["rerun_of"], new["reruns"], new["target"]) == (1, [], "task:1:unknown")
    main(["task", "show", "1"])
    assert "Re-runs     task 3, task 2\n" in capsys.readouterr().out
    main(["task", "show", "3"])
    assert "Re-run of   task 1\n" in capsys.readouterr().out


def test_hosts_that_are_gone_are_named(ended: Ended, capsys: Capture) -> None:
    asyncio.run(ended.revoke_hosts([FAILED]))
    assert main(["task", "rerun", "1", "--no-start"]) == 0
    gone = "tui-manager: left out, in maintenance or not in the fleet any more: web01\n"
    assert capsys.readouterr().err == gone


def test_a_task_that_cannot_be_run_again_is_refused(ended: Ended, capsys: Capture) -> None:
    main(["task", "rerun", "1", "--failed"])
    capsys.readouterr()
    assert main(["task", "rerun", "2"]) == 2
    assert "Task 2 has no such host" in capsys.readouterr().err
    assert main(["task", "rerun", "9"]) == 2
    assert "There is no task 9" in capsys.readouterr().err
    assert len(ended.tasks) == 2


def test_secrets_are_asked_for_again(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    operator = Ended("KEY", "TOKEN")
    connect_to(lambda: operator)
    asked = []

    def ask(name: str) -> str:
        asked.append(name)
        return f"typed {name}"

    monkeypatch.setattr(secret_values, "_ask", ask)
    with tempfile.TemporaryFile() as file:
        file.write(b"read TOKEN")
        file.seek(0)
        descriptor = os.dup(file.fileno())
    os.set_inheritable(descriptor, True)
    assert main(["task", "rerun", "1", "--secret", f"TOKEN:{descriptor}"]) == 0
    os.close(descriptor)
    assert asked == ["KEY"]
    (command,) = operator.tasks[2].spec.commands
    assert command.secrets == {"TOKEN": "read TOKEN", "KEY": "typed KEY"}


def test_without_a_terminal_the_error_says_how_to_give_a_secret(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    operator = Ended("KEY")
    connect_to(lambda: operator)
    monkeypatch.setattr(secret_values, "TERMINAL", "/nonexistent")
    assert main(["task", "rerun", "1"]) == 2
    assert "--secret KEY:3 3<FILE" in capsys.readouterr().err
    assert main(["task", "rerun", "1", "--secret", "OTHER"]) == 2
    assert "Task 1 has no secret OTHER" in capsys.readouterr().err
    assert len(operator.tasks) == 1

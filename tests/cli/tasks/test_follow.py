"""`task follow`, and `output --prefix`: the output of a task that was started before."""

import asyncio
from dataclasses import replace

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.tasks.test_interrupt import press_ctrl_c, until
from tui_manager.cli.main import main
from tui_manager.domain.status import CommandHostStatus, Reason, Stream, TaskStatus
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.task import Progress

Capture = pytest.CaptureFixture[str]
SPEC = TaskSpec("@all", (CommandSpec("date"),))


class Started(FakeOperator):
    """Has a task that runs and has printed something. Whoever asks for its progress or status lets
    the next act happen."""

    def __init__(self, *acts: str) -> None:
        super().__init__("web01", "web02")
        self.acts = list(acts)

    async def begin(self) -> "Started":
        await self.create_task(SPEC)
        await self.start_task(1)
        self.say("web01", "one\nt")
        return self

    def act(self) -> None:
        match self.acts.pop(0) if self.acts else "":
            case "say":
                self.say("web01", "wo\n")
                self.say("web02", "oops\n", Stream.STDERR)
            case "end":
                self.end_on("web01")
                self.end_on("web02", CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=3)
            case "complete":
                self.end_on("web01")
                self.end_on("web02")

    async def get_task_status(self, task_id: int) -> TaskStatus:
        status = await super().get_task_status(task_id)
        asyncio.get_running_loop().call_soon(self.act)
        return status

    async def get_task_progress(self, task_id: int) -> Progress:
        progress = await super().get_task_progress(task_id)
        asyncio.get_running_loop().call_soon(self.act)
        return progress


def started(*acts: str) -> Started:
    return asyncio.run(Started(*acts).begin())


def test_what_is_stored_and_then_what_comes(connect_to: Connect, capsys: Capture) -> None:
    operator = started("say", "end")
    connect_to(lambda: operator)
    assert main(["task", "follow", "1"]) == 1
    out, err = capsys.readouterr()
    assert out == "web01: one\nweb01: two\n"
    assert err.splitlines() == [
        "web02: oops",
        "tui-manager: task 1: 1 completed, 1 failed: web02 exit code 3",
    ]


def test_a_task_that_has_ended_is_printed(connect_to: Connect, capsys: Capture) -> None:
    operator = started("complete")
    operator.act()
    connect_to(lambda: operator)
    assert main(["task", "follow", "1"]) == 0
    assert capsys.readouterr() == ("web01: one\nweb01: t\n", "tui-manager: 2 completed\n")


def test_a_paused_task_is_said_to_be_paused(connect_to: Connect, capsys: Capture) -> None:
    operator = started("end")
    asyncio.run(operator.pause_task(1))
    connect_to(lambda: operator)
    assert main(["task", "follow", "1"]) == 1
    assert "`tui-manager task resume 1`" in capsys.readouterr().err.splitlines()[0]


def test_ctrl_c_leaves_the_task_running(connect_to: Connect, capsys: Capture) -> None:
    operator = started()
    printed = []

    async def press_after_output() -> None:
        printed.append(await until(operator, lambda: capsys.readouterr().out))
        press_ctrl_c()

    def act() -> None:
        asyncio.get_running_loop().create_task(press_after_output())
        operator.act = lambda: None  # type: ignore[method-assign]

    operator.act = act  # type: ignore[method-assign]
    connect_to(lambda: operator)
    assert main(["task", "follow", "1"]) == 130
    assert printed == ["web01: one\n"]
    said = "tui-manager: task 1 goes on; `tui-manager task follow 1` prints its output again\n"
    assert capsys.readouterr().err == said
    assert operator.tasks[1].row.status is TaskStatus.RUNNING
    assert "cancel_task" not in operator.calls


def test_a_task_that_is_not_started_is_waited_for(connect_to: Connect, capsys: Capture) -> None:
    operator = FakeOperator("web01")
    asyncio.run(operator.create_task(SPEC))

    async def cancel_when_asked(task_id: int) -> Progress:
        progress = await FakeOperator.get_task_progress(operator, task_id)
        if not progress.status.ended:
            asyncio.get_running_loop().create_task(operator.cancel_task(task_id))
        return progress

    operator.get_task_progress = cancel_when_asked  # type: ignore[method-assign]

    async def status(task_id: int) -> TaskStatus:
        return (await cancel_when_asked(task_id)).status

    operator.get_task_status = status  # type: ignore[method-assign]
    connect_to(lambda: operator)
    assert main(["task", "follow", "1"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "tui-manager: task 1 is not started; `tui-manager task start 1` starts it",
        "tui-manager: task 1: no hosts",
    ]


def test_no_such_task_is_2(connect_to: Connect, capsys: Capture) -> None:
    connect_to(lambda: FakeOperator("web01"))
    assert main(["task", "follow", "9"]) == 2
    assert capsys.readouterr().err == "tui-manager: There is no task 9.\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "web01: one\nweb01: two\nweb01: 5\nweb02: oops\nweb02: \ufffd\n"),
        (["--stream", "stderr"], "web02: oops\n"),
        (["--host", "web02"], "web02: oops\nweb02: \ufffd\n"),
    ],
)
def test_output_with_the_names_of_hosts(
    connect_to: Connect, capsys: Capture, options: list[str], expected: str
) -> None:
    operator = started("say")
    operator.act()
    operator.say("web02", b"\xff\n")
    operator.say("web01", "5")
    connect_to(lambda: operator)
    assert main(["output", "1", "--prefix", *options]) == 0
    assert capsys.readouterr() == (expected, "")


def test_escape_sequences_of_hosts_do_not_reach_a_terminal(
    connect_to: Connect, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = started()
    operator.say("web02", "\x1b]0;title\x07\x1b[2Jx\n")
    operator.say("web02", b"", gap=7)
    rows = operator.tasks[1].rows
    execution_id = operator.execution(1, "web02")
    rows[execution_id] = replace(rows[execution_id], truncated_bytes=9)
    connect_to(lambda: operator)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["output", "1", "--prefix", "--host", "web02"]) == 0
    out, err = capsys.readouterr()
    assert not set(out) & {"\x1b", "\x07"}
    assert out.splitlines()[1] == "web02: [7 bytes are gone]"
    assert err == "tui-manager: web02: 9 bytes past the output limit were not kept\n"

"""`run`: what is printed, in all its modes, and the exit status."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tui_manager.cli.main import main
from tui_manager.domain.errors import StorageError, UnreachableError
from tui_manager.domain.hosts.maintenance import Maintenance
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.task_spec import TaskSpec

FAILED = CommandHostStatus.FAILED
Script = Callable[[FakeOperator], Awaitable[None]]


def run(connect_to: Connect, script: Script, *options: str) -> tuple[int, FakeOperator]:
    """Runs a command on web01 and web02, which do what `script` says once it is started."""
    operators: list[FakeOperator] = []
    connect_to(lambda: scripted(operators, script, "web01", "web02"))
    code = main(["run", "@all", *options, "--", "hostname", "-f"])
    return code, operators[0]


async def nothing(_operator: FakeOperator) -> None:
    """The hosts are silent."""


async def both_complete(operator: FakeOperator) -> None:
    """Both print and complete."""
    for host in ("web01", "web02"):
        operator.say(host, "same\n")
        operator.end_on(host)


async def one_fails(operator: FakeOperator) -> None:
    """web02 writes to both streams and fails."""
    operator.say("web01", "fine\n")
    operator.end_on("web01")
    operator.say("web02", "out\n")
    operator.say("web02", "err\n", Stream.STDERR)
    operator.end_on("web02", FAILED, Reason.EXIT_CODE, exit_code=3)


def test_lines_carry_the_host_and_keep_their_stream(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    code, operator = run(connect_to, one_fails)
    out, err = capsys.readouterr()
    assert code == 1
    assert out == "web01: fine\nweb02: out\n"
    assert err == "web02: err\ntui-manager: task 1: 1 completed, 1 failed: web02 exit code 3\n"
    assert operator.tasks[1].spec.commands[0].text == "hostname -f"


def test_all_completed_is_0(connect_to: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = run(connect_to, both_complete)
    assert code == 0
    assert capsys.readouterr().err == "tui-manager: 2 completed\n"


def test_lines_and_characters_may_come_in_pieces(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    async def pieces(operator: FakeOperator) -> None:
        euro = "€".encode()
        operator.say("web01", b"one " + euro[:1])
        operator.say("web02", "other\r\nbad \udcff".encode(errors="surrogateescape"))
        operator.say("web01", euro[1:] + b"\n\nlast " + euro[:2])
        operator.say("web02", b"", gap=7)
        operator.end_on("web01")
        operator.end_on("web02")

    assert run(connect_to, pieces)[0] == 0
    assert capsys.readouterr().out.splitlines() == [
        "web02: other",
        "web01: one €",
        "web01: ",
        "web01: last \N{REPLACEMENT CHARACTER}",
        "web02: bad \N{REPLACEMENT CHARACTER}[7 bytes are gone]",
    ]


def test_stdout_and_stderr_keep_their_order_in_one_place(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def in_turns(operator: FakeOperator) -> None:
        operator.say("web01", "1\n")
        operator.say("web01", "2\n", Stream.STDERR)
        operator.say("web01", "3\n")
        operator.end_on("web01")
        operator.end_on("web02")

    path = tmp_path / "both"
    with path.open("a") as out, path.open("a") as err:
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        run(connect_to, in_turns)
    assert path.read_text().startswith("web01: 1\nweb01: 2\nweb01: 3\n")


def test_lines_are_printed_before_the_end(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    async def step_by_step(operator: FakeOperator) -> None:
        operator.say("web01", "first\n")
        while not (text := capsys.readouterr().out):
            await operator.a_moment()
        seen.append(text)
        operator.end_on("web01")
        operator.end_on("web02")

    assert run(connect_to, step_by_step)[0] == 0
    assert seen == ["web01: first\n"]


def test_what_was_not_kept_is_said(connect_to: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    async def too_much(operator: FakeOperator) -> None:
        operator.end_on("web01", truncated_bytes=123)
        operator.end_on("web02", FAILED, Reason.SPAWN_FAILED, detail="no folder\n/x")

    assert run(connect_to, too_much)[0] == 1
    assert capsys.readouterr().err.splitlines() == [
        "tui-manager: web01: 123 bytes past the output limit were not kept",
        "tui-manager: task 1: 1 completed, 1 failed: web02 spawn failed (no folder␊/x)",
    ]


def test_gather_prints_identical_output_once(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(connect_to, both_complete, "--gather")[0] == 0
    rule = "-" * 15
    out, err = capsys.readouterr()
    assert out == f"{rule}\nweb[01-02] (2)\n{rule}\nsame\n"
    assert err == "tui-manager: 2 completed\n"


def test_gather_does_not_care_how_output_was_cut(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    async def differently_cut(operator: FakeOperator) -> None:
        operator.say("web01", "a\nb")
        operator.say("web02", "a")
        operator.say("web02", "\nb")
        operator.say("web02", "only me\n", Stream.STDERR)
        operator.end_on("web01")
        operator.end_on("web02", FAILED, Reason.SIGNAL, signal=9)

    assert run(connect_to, differently_cut, "--gather")[0] == 1
    rule = "-" * 15
    out, err = capsys.readouterr()
    assert out == f"{rule}\nweb[01-02] (2)\n{rule}\na\nb\n"
    assert err == (
        f"{rule}\nweb02 (1)\n{rule}\nonly me\n"
        "tui-manager: task 1: 1 completed, 1 failed: web02 signal 9 (SIGKILL)\n"
    )


class Resting(FakeOperator):
    """web02 is in maintenance."""

    def __init__(self) -> None:
        super().__init__("web01", "web02")
        self.change_host("web02", maintenance=Maintenance("new disk", None, "ana@pts/3"))

    async def start_task(self, task_id: int, request_id: str = "") -> Sequence[str]:
        left_out = await super().start_task(task_id, request_id)
        for row in list(self.tasks[task_id].rows.values()):
            self.end_on(row.host)
        return left_out


def test_hosts_in_maintenance_are_named(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    connect_to(Resting)
    assert main(["run", "web*", "--", "true"]) == 0
    assert capsys.readouterr().err == (
        "tui-manager: left out, in maintenance or not in the fleet any more: web02\n"
        "tui-manager: 1 completed\n"
    )
    assert main(["run", "web*", "--json", "--", "true"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == ["web02"]


def test_hosts_in_maintenance_can_be_included(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    connect_to(Resting)
    assert main(["run", "web*", "--include-maintenance", "--", "true"]) == 0
    assert capsys.readouterr().err == "tui-manager: 2 completed\n"


def test_json_is_one_object_of_the_promised_shape(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(connect_to, one_fails, "--json")[0] == 1
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    hosts = found.pop("hosts")
    assert found == {
        "task_id": 1,
        "status": "failed",
        "counts": {
            "total": 2, "pending": 0, "running": 0, "completed": 1, "failed": 1, "timeout": 0,
            "canceled": 0, "skipped": 0,
        },
        "left_out": [],
    }  # fmt: skip
    assert [row["host"] for row in hosts] == ["web01", "web02"]
    assert hosts[1] == {
        "host": "web02",
        "command": 0,
        "status": "failed",
        "reason": "exit_code",
        "detail": "",
        "exit_code": 3,
        "signal": None,
        "stdout": "out\n",
        "stderr": "err\n",
        "stdout_bytes": 4,
        "stderr_bytes": 4,
        "truncated_bytes": 0,
        "started_at": "2026-03-01T12:00:00.250Z",
        "finished_at": "2026-03-01T12:00:01.250Z",
        "late": False,
    }
    assert list(hosts[1]) == [
        "host", "command", "status", "reason", "detail", "exit_code", "signal", "stdout", "stderr",
        "stdout_bytes", "stderr_bytes", "truncated_bytes", "started_at", "finished_at", "late",
    ]  # fmt: skip


def test_json_cuts_a_stream_at_one_mebibyte(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    mebibyte = 1 << 20

    async def plenty(operator: FakeOperator) -> None:
        operator.say("web01", b"x" * mebibyte)
        operator.say("web02", b"x" * (mebibyte - 1))
        operator.say("web02", "€")
        operator.end_on("web01")
        operator.end_on("web02")

    run(connect_to, plenty, "--json")
    whole, cut = json.loads(capsys.readouterr().out)["hosts"]
    assert whole["stdout"] == "x" * mebibyte
    assert "cut" not in whole
    assert cut["stdout"] == "x" * (mebibyte - 1)
    assert cut["cut"] is True
    assert cut["stdout_bytes"] == mebibyte + 2


def test_detach_prints_the_id_of_a_running_task(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    code, operator = run(connect_to, nothing, "--detach")
    assert (code, capsys.readouterr().out) == (0, "1\n")
    assert operator.tasks[1].row.started_at is not None


def test_no_start_prints_the_id_of_a_pending_task(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    code, operator = run(connect_to, nothing, "--no-start")
    assert (code, capsys.readouterr().out) == (0, "1\n")
    assert operator.tasks[1].row.started_at is None


def test_all_options_reach_the_task(connect_to: Connect) -> None:
    options = (
        "--name=upgrade --description=all --param=A=1 --param=B=2 --env=C=3 --cwd=/tmp "
        "--timeout=5m --user=deploy --memory-max=512M --tasks-max=100 --cpu-max=150%"
    )
    _, operator = run(connect_to, nothing, "--no-start", *options.split())
    spec = operator.tasks[1].spec
    (command,) = spec.commands
    assert (spec.name, spec.description, spec.target) == ("upgrade", "all", "@all")
    assert spec.created_by
    assert (command.parameters, command.environment) == ({"A": "1", "B": "2"}, {"C": "3"})
    assert (command.cwd, command.timeout.total_seconds()) == ("/tmp", 300)
    assert command.run_as_user == "deploy"
    assert command.limits == ResourceLimits(memory_max=512 << 20, tasks_max=100, cpu_max=150)


def test_a_target_without_hosts_makes_no_task(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    assert main(["run", "web09", "--", "true"]) == 2
    assert capsys.readouterr().err == "tui-manager: Not known: web09.\n"
    assert operator.tasks == {}


def test_a_task_that_cannot_start_is_not_stored(
    connect_to: Connect, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: FakeOperator, task_id: int, request_id: str = "") -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(FakeOperator, "start_task", full)
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    assert main(["run", "web01", "--", "true"]) == 1
    assert capsys.readouterr().err == "tui-manager: The disk is full.\n"
    assert operator.tasks == {}


def test_the_target_is_not_asked_for_before_the_start(connect_to: Connect) -> None:
    _, operator = run(connect_to, nothing, "--detach")
    assert operator.calls[0] == "start_new_task"
    assert "preview_target" not in operator.calls


def test_a_manager_that_goes_while_it_starts_a_task_may_have_made_it(
    connect_to: Connect, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(self: FakeOperator, spec: TaskSpec, request_id: str) -> None:
        raise UnreachableError("The manager on /s has gone.")

    monkeypatch.setattr(FakeOperator, "start_new_task", gone)
    connect_to(lambda: FakeOperator("web01"))
    assert main(["run", "web01", "--", "true"]) == 3
    assert capsys.readouterr().err == (
        "tui-manager: The manager on /s has gone. The task may have been made; `tui-manager task "
        "list` says whether it was.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "TARGET"),
        (["run", "@all"], "put it after `--`"),
        (["run", "@all", "ls"], "unrecognized arguments: ls"),
        (["run", "@all", "uname", "-r"], "put the command after `--`"),
        (["run", "@all", "uname", "-r"], "See `tui-manager run --help`"),
        (["run", "@all"], "See `tui-manager run --help`"),
        (["task", "list", "7"], "See `tui-manager task --help`"),
        (["run", "@all", "--"], "put it after `--`"),
        (["run", "@all", "--", " "], "The command is empty"),
        (["run", " ", "--", "ls"], "The target is empty"),
        (["run", "@all", "--timeout", "0", "--", "ls"], "from 1 s to 7 d"),
        (["run", "@all", "--timeout", "-5", "--", "ls"], "-5 s is not"),
        (["run", "@all", "--timeout", "8d", "--", "ls"], "691200 s is not"),
        (["run", "@all", "--timeout", "soon", "--", "ls"], "--timeout soon: expected"),
        (["run", "@all", "--env", "A", "--", "ls"], "--env A: expected NAME=VALUE"),
        (["run", "@all", "--param", "1A=x", "--", "ls"], "'1A' is not a variable's name"),
        (["run", "@all", "--env", "TUI_MANAGER_EXECUTION_ID=1", "--", "ls"], "take another"),
        (["run", "@all", "--param", "TUI_MANAGER_X=1", "--", "ls"], "begin with TUI_MANAGER_"),
        (["run", "@all", "--memory-max", "1", "--", "ls"], "from 1 MiB to 1024 TiB; 1 bytes is"),
        (["run", "@all", "--memory-max", "0", "--", "ls"], "leave it out for no limit"),
        (["run", "@all", "--memory-max", "much", "--", "ls"], "--memory-max much: expected a num"),
        (["run", "@all", "--memory-max", "", "--", "ls"], "expected a number of bytes"),
        (["run", "@all", "--tasks-max", "-1", "--", "ls"], "--tasks-max -1: expected a whole num"),
        (["run", "@all", "--tasks-max", "9999999", "--", "ls"], "from 1 to 4194304; 9999999 is"),
        (["run", "@all", "--cpu-max", "50", "--", "ls"], "--cpu-max 50: expected a percentage"),
        (["run", "@all", "--cpu-max", "0%", "--", "ls"], "it must be more than 0"),
        (["run", "@all", "--cpu-max", "100001%", "--", "ls"], "from 1% to 100000%; 100001 is not"),
        (["run", "@all", "--user", "de ploy", "--", "ls"], "'de ploy' is not a user's name"),
        (["run", "@all", "--user", "-x", "--", "ls"], "expected one argument"),
        (["run", "@all", "--user=-x", "--", "ls"], "'-x' is not a user's name"),
        (["run", "@all", "--user=a:b", "--", "ls"], "'a:b' is not a user's name"),
        (["run", "@all", "--user", "u" * 129, "--", "ls"], "up to 128 characters"),
        (["run", "@all", "--name", "n" * 201, "--", "ls"], "at most 200 characters"),
        (["run", "@all", "--json", "--gather", "--", "ls"], "not allowed with argument"),
        (["run", "@all", "--det", "--", "ls"], "arguments: --det; did you mean --detach?\n"),
        (["run", "@all", "--tiemout=5", "--", "ls"], "did you mean --timeout?\n"),
        (["task", "list", "--jsno"], "arguments: --jsno; did you mean --json?\n"),
        (["run", "@all", "--offline", "x", "--", "ls"], "--offline: 'x' is none of fail, wait\n"),
        (["run", "\udcff", "--", "ls"], "not valid UTF-8"),
        (["task", "show", "0"], "'0' is not a task's number"),
        (["task", "show", "9" * 30], "is not a task's number"),
        (["task", "start"], "ID"),
        (["task"], "A command is missing: list, show, start, cancel, rerun, pause, resume"),
        (["tsak", "list"], "There is no command 'tsak'; did you mean task?\n"),
        (["task", "7"], "There is no command '7'; did you mean `tui-manager task show 7`?\n"),
        (["output", "1", "--stream", "both"], "--stream"),
        (["output", "1", "--command", "-1"], "--command"),
        (["demo", "--agents", "0"], "a number from 1 to 50"),
        (["nonsense"], "There is no command 'nonsense'.\n"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_usage_is_2_and_says_what(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tui-manager: ")
    assert words in err


def test_the_task_is_checked_before_a_manager_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "@all", "--timeout", "1ms", "--", "ls"]) == 2
    assert "0.001 s is not" in capsys.readouterr().err

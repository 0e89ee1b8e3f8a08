"""`hosts`, `task` and `output`: tables for people, shapes for scripts, raw bytes."""

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager import __version__
from tui_manager.cli.main import main
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.printing.text_table import table
from tui_manager.cli.printing.write_text import local_time
from tui_manager.domain.status import CommandHostStatus, Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

SPEC = TaskSpec("@all", (CommandSpec("date"),), name="when", created_by="ana@pts/3")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """Three hosts, an ended task 1 and a pending task 2."""
    made = FakeOperator("web01", "web02", "web03")
    connect_to(lambda: made)
    asyncio.run(_fill(made))
    return made


async def _fill(operator: FakeOperator) -> None:
    await operator.create_task(SPEC)
    await operator.create_task(SPEC)
    await operator.start_task(1)
    for host in ("web01", "web02", "web03"):
        operator.say(host, f"{host} says\n")
        operator.say(host, b"\xff\x00", Stream.STDERR)
        operator.say(host, "more\n")
    operator.end_on("web01")
    operator.end_on("web02", CommandHostStatus.TIMEOUT, Reason.TIMEOUT)
    operator.end_on("web03", CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=3)


def test_hosts_as_json(operator: FakeOperator, capsys: Capture) -> None:
    operator.change_host("web03", online=False, vitals=None)
    assert main(["hosts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [host["name"] for host in found] == ["web01", "web02", "web03"]
    assert found[0] == {
        "host_id": "host-web01",
        "name": "web01",
        "labels": {"env": "prod", "role": "web"},
        "admission": "admitted",
        "online": True,
        "since": "2026-03-01T12:00:00.250Z",
        "address": "10.0.0.9:40112",
        "os": "linux",
        "arch": "x86_64",
        "agent_version": "0.1.0",
        "build": "",
        "installed_by": "",
        "running": 2,
        "fingerprint": None,
        "maintenance": None,
        "cpu": 12.4,
        "memory": 25.0,
    }
    assert found[2]["online"] is False
    assert (found[2]["cpu"], found[2]["memory"]) == (None, None)


def test_hosts_as_a_table(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["hosts"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["NAME", "STATE", "FINGERPRINT", "LABELS"]
    assert rows[0].split()[:4] == ["web01", "online", "-", "env=prod"]
    assert rows[0].split()[4:8] == ["role=web", "12%", "25%", "2"]
    assert len(rows) == 3


def test_what_runs_on_a_host_is_not_known_before_its_vitals(
    operator: FakeOperator, capsys: Capture
) -> None:
    operator.change_host("web02", vitals=None)
    operator.change_host("web03", online=False, vitals=None)
    assert main(["hosts"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[6:8] for row in rows] == [["25%", "2"], ["-", "-"], ["-", "0"]]


def test_without_hosts_or_tasks(connect_to: Connect, capsys: Capture) -> None:
    connect_to(FakeOperator)
    assert main(["hosts"]) == main(["task", "list"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "tui-manager: No hosts yet; start an agent: tui-manager-agent run "
        "--manager 127.0.0.1:7443 --insecure --name NAME",
        "tui-manager: No tasks yet: run one with `tui-manager run TARGET -- COMMAND`.",
    ]
    assert main(["hosts", "--json"]) == main(["task", "list", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n[]\n"


def test_the_state_folder_may_stand_before_what_is_done_to_a_task(tmp_path: Path) -> None:
    for words in (
        ["--state-dir", str(tmp_path), "task", "list"],
        ["task", "--state-dir", str(tmp_path), "list"],
        ["task", "list", "--state-dir", str(tmp_path)],
        ["task", "--state-dir", "/elsewhere", "list", "--state-dir", str(tmp_path)],
    ):
        assert parse(words).state_dir == str(tmp_path)


def test_task_list_as_json(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["task", "list", "--json"]) == 0
    pending, ended = json.loads(capsys.readouterr().out)
    assert ended == {
        "task_id": 1,
        "name": "when",
        "status": "failed",
        "target": "@all",
        "counts": {
            "total": 3, "pending": 0, "running": 0, "completed": 1, "failed": 1, "timeout": 1,
            "canceled": 0, "skipped": 0,
        },
        "created_at": "2026-03-01T12:00:00.250Z",
        "started_at": "2026-03-01T12:00:00.250Z",
        "finished_at": "2026-03-01T12:00:01.250Z",
        "created_by": "ana@pts/3",
        "paused": False,
        "hold": None,
        "template": None,
    }  # fmt: skip
    assert (pending["task_id"], pending["status"]) == (2, "pending")
    assert pending["started_at"] is pending["finished_at"] is None


def test_task_show_as_json_adds_the_hosts(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["task", "show", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["task", "list", "--json"]) == 0
    hosts = found.pop("hosts")
    more = {name: found.pop(name) for name in ("rerun_of", "reruns", "left_out")}
    assert more == {"rerun_of": None, "reruns": [], "left_out": []}
    (step,) = found.pop("steps")
    assert (step["name"], step["kind"], step["status"]) == ("", "run", "timeout")
    assert step["counts"] == found["counts"]
    assert found == json.loads(capsys.readouterr().out)[1]
    assert hosts[1] == {
        "host": "web02",
        "command": 0,
        "status": "timeout",
        "reason": "timeout",
        "detail": "",
        "exit_code": None,
        "signal": None,
        "stdout_bytes": 16,
        "stderr_bytes": 2,
        "truncated_bytes": 0,
        "started_at": "2026-03-01T12:00:00.250Z",
        "finished_at": "2026-03-01T12:00:01.250Z",
        "late": False,
    }


def test_task_list_and_show_as_tables(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["task", "list"]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["2", "pending", "when", "@all"]
    assert second.split()[:4] == ["1", "failed", "when", "@all"]
    assert "1 completed, 1 failed, 1 timeout" in second
    assert main(["task", "show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "failed: 1 completed, 1 failed, 1 timeout" in shown
    assert "date  timeout 1h" in shown
    assert shown.splitlines()[-1].split()[:6] == ["web03", "0", "failed", "exit", "code", "3"]


def test_task_show_says_as_whom_and_no_secrets(connect_to: Connect, capsys: Capture) -> None:
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    reader, writer = os.pipe()
    os.write(writer, b"hunter2\n")
    os.close(writer)
    os.set_inheritable(reader, True)
    options = (f"--secret=KEY:{reader}", "--user=deploy", "--cwd=/srv", "--env=A=1")
    assert main(["run", "@all", "--no-start", *options, "--", "date"]) == 0
    os.close(reader)
    assert operator.tasks[1].spec.commands[0].secrets == {"KEY": "hunter2"}
    assert main(["task", "show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "date  timeout 1h  as deploy  in /srv  A=1  KEY=•••" in shown
    assert main(["task", "show", "1", "--json"]) == 0
    assert "hunter2" not in shown + capsys.readouterr().out


def test_task_start_and_cancel(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["task", "start", "2"]) == 0
    assert capsys.readouterr().out == "task 2 running: 3 running\n"
    assert main(["task", "cancel", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "canceled"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["task", "show", "9"], "There is no task 9."),
        (["task", "start", "9"], "There is no task 9."),
        (["task", "cancel", "9"], "There is no task 9."),
        (["output", "9"], "There is no task 9."),
        (["task", "start", "1"], "it cannot start"),
        (["task", "cancel", "1"], "it cannot cancel"),
        (["output", "1", "--host", "web09"], "Task 1 has no host 'web09'."),
        (["output", "1", "--host", ""], "Task 1 has no host ''."),
        (["output", "1", "--command", "1"], "Task 1 has no command 1; its commands are 0 to 0."),
    ],
)
def test_what_does_not_exist_or_may_not_be_is_2(
    operator: FakeOperator, capsys: Capture, arguments: list[str], words: str
) -> None:
    before = {task_id: task.row for task_id, task in operator.tasks.items()}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tui-manager: ")
    assert words in err
    assert {task_id: task.row for task_id, task in operator.tasks.items()} == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "web02"], b"web02 says\n\xff\x00more\n"),
        (["--host", "web02", "--stream", "stdout"], b"web02 says\nmore\n"),
        (["--host", "web02", "--stream", "stderr", "--command", "0"], b"\xff\x00"),
        (["--stream", "stderr"], b"\xff\x00" * 3),
        (["--stream", "stdout"], b"web01 says\nmore\nweb02 says\nmore\nweb03 says\nmore\n"),
    ],
)
def test_output_is_raw_bytes(
    operator: FakeOperator,
    capsysbinary: pytest.CaptureFixture[bytes],
    options: list[str],
    expected: bytes,
) -> None:
    assert main(["output", "1", *options]) == 0
    assert capsysbinary.readouterr() == (expected, b"")


def test_output_says_what_is_missing(operator: FakeOperator, capsys: Capture) -> None:
    operator.say("web01", b"", gap=5)
    rows = operator.tasks[1].rows
    execution_id = operator.execution(1, "web01")
    rows[execution_id] = replace(rows[execution_id], truncated_bytes=7)
    assert main(["output", "1", "--host", "web01", "--stream", "stdout"]) == 0
    out, err = capsys.readouterr()
    assert out == "web01 says\nmore\n"
    assert err.splitlines() == [
        "tui-manager: web01 stdout: 5 bytes at 16 are gone",
        "tui-manager: web01: 7 bytes past the output limit were not kept",
    ]


def test_no_manager_is_3(capsys: Capture, own_folders: Path, connect_to: Connect) -> None:
    def refuse() -> FakeOperator:
        from tui_manager.domain.errors import UnreachableError

        raise UnreachableError("No manager runs here.")

    connect_to(refuse)
    for arguments in (["hosts"], ["task", "list"], ["output", "1"], ["run", "x", "--", "ls"]):
        assert main(arguments) == 3
        assert capsys.readouterr().err == "tui-manager: No manager runs here.\n"


def test_a_table_shows_what_a_host_says_on_one_line(capsys: Capture) -> None:
    text = table(("A", "B"), [("日本", "x\x1b[2J\ny"), ("a", "b")], stretch=(0,))
    assert text == "A     B\n日本  x␊y\na     b\n"


def test_a_table_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    lines = table(("A", "LONG", "C"), [("a", "日本" * 20, "c")], stretch=(1,)).splitlines()
    assert lines == ["A  LONG            C", "a  日本日本日本…   c"]


def test_a_table_shortens_more_columns_when_one_is_not_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "32")
    lines = table(("A", "B", "C"), [("a" * 30, "b" * 20, "ccc")], stretch=(0, 1)).splitlines()
    assert lines[1] == "aaaaaaaaaaa…  bbbbbbbbbbbb…  ccc"
    monkeypatch.setenv("COLUMNS", "20")
    lines = table(("A", "B", "C"), [("a" * 30, "b" * 20, "ccc")], stretch=(0, 1)).splitlines()
    assert lines == ["A             B…", "aaaaaaaaaaa…  bbbbb…"]


def test_a_time_for_people_carries_its_zone() -> None:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert datetime.strptime(local_time(moment), "%Y-%m-%d %H:%M:%S%z") == moment


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["task", "show", "--help"]])
def test_help(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 0
    assert "usage: tui-manager" in capsys.readouterr().out


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tui-manager {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["demo"]])
def test_a_screen_needs_a_terminal(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 2
    assert "needs a terminal" in capsys.readouterr().err

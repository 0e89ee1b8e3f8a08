"""The steps of a task: what `task show` and `run --plan` print of them, as text and as JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.status import CommandHostStatus, Reason

Capture = pytest.CaptureFixture[str]
TASK = """
target = "@all"
timeout = "5m"
[[steps]]
name = "install"
script_text = '''
#!/bin/sh
'''
args = ["-v", "a b"]
on_failure = "continue"
[[steps]]
run = "restart; sleep 1"
barrier = true
user = "root"
[[steps]]
name = "clean up"
run = '''
rm -f a
rm -f b'''
always = true
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A task file of three steps."""
    path = tmp_path / "task.toml"
    path.write_text(TASK)
    return str(path)


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    """Two hosts."""
    made = FakeOperator("web01", "web02")
    connect_to(lambda: made)
    return made


def test_a_plan_has_the_steps(operator: FakeOperator, file: str, capsys: Capture) -> None:
    assert main(["run", "--file", file, "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing is started. The 3 steps would run on 2 hosts, in one batch:"
    assert [line.split() for line in lines[-4:]] == [
        ["STEP", "NAME", "WHAT", "RULES"],
        ["0", "install", "script", "of", "10", "bytes", "-v", "'a", "b'", "on_failure=continue"],
        ["1", "-", "restart;", "sleep", "1", "barrier"],
        ["2", "clean", "up", "rm", "-f", "a", "⏎", "rm", "-f", "b", "always"],
    ]
    assert main(["run", "--file", file, "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [
        {"name": "install", "kind": "script"},
        {"name": "", "kind": "run"},
        {"name": "clean up", "kind": "run"},
    ]
    assert operator.tasks == {}


def test_task_show_has_the_steps(operator: FakeOperator, file: str, capsys: Capture) -> None:
    assert main(["run", "--file", file, "--detach"]) == 0
    operator.end_on("web01", CommandHostStatus.FAILED, Reason.EXIT_CODE, exit_code=3)
    capsys.readouterr()
    assert main(["task", "show", "1"]) == 0
    out = capsys.readouterr().out
    assert "Command 0   script of 10 bytes -v 'a b'  " in out
    assert "Command 1   restart; sleep 1  timeout 5m  as root\n" in out
    head, steps, _hosts = out.split("\n\n")
    assert "STEP" not in head
    assert [line.split()[:5] for line in steps.splitlines()] == [
        ["STEP", "NAME", "KIND", "RULES", "STATUS"],
        ["0", "install", "script", "on_failure=continue", "running"],
        ["1", "-", "run", "barrier", "running"],
        ["2", "clean", "up", "run", "always"],
    ]
    assert "1 running, 1 failed" in steps.splitlines()[1]
    assert main(["task", "show", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["steps"]
    assert [(one["name"], one["kind"], one["status"]) for one in found] == [
        ("install", "script", "running"),
        ("", "run", "running"),
        ("clean up", "run", "running"),
    ]
    assert (found[0]["counts"]["failed"], found[0]["counts"]["total"]) == (1, 2)


def test_a_single_command_has_no_table(operator: FakeOperator, capsys: Capture) -> None:
    assert main(["run", "@all", "--no-start", "--", "date"]) == 0
    capsys.readouterr()
    assert main(["task", "show", "1"]) == 0
    assert "STEP" not in capsys.readouterr().out

"""`run --file`: which task starts, what is asked for, and what is refused before it starts."""

import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import Terminal, on_terminal
from tui_manager.cli.main import main
from tui_manager.domain.task_spec.script_and_stdin import content_of
from tui_manager.domain.task_spec.task_spec import Offline, TaskSpec

Capture = pytest.CaptureFixture[str]
DEPLOY = """
name = "deploy"
target = "web01"
timeout = "5m"
[params.VERSION]
pattern = '[0-9]+\\.[0-9]+'
[params.COUNT]
type = "integer"
default = 3
[rollout]
batches = "1"
[[steps]]
run = "install"
env = { A = "file", B = "file" }
[[steps]]
run = "restart"
timeout = "10m"
user = "root"
barrier = true
"""
SECRET = """
[params.TOKEN]
type = "secret"
pattern = ".*[0-9]"
help = "the token"
"""


@pytest.fixture
def operators(connect_to: Connect) -> list[FakeOperator]:
    """Where the manager of a command can be looked at."""
    made: list[FakeOperator] = []

    async def complete(operator: FakeOperator) -> None:
        for host in ("web01", "web02"):
            operator.end_on(host)

    connect_to(lambda: scripted(made, complete, "web01", "web02"))
    return made


@pytest.fixture
def deploy(tmp_path: Path) -> str:
    """A task file."""
    path = tmp_path / "deploy.toml"
    path.write_text(DEPLOY)
    return str(path)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can be asked."""
    monkeypatch.setattr("tui_manager.cli.options.parameter_values.TERMINAL", "/dev/null/none")


def run(*arguments: str) -> int:
    return main(["run", "--no-start", *arguments])


def made(operators: list[FakeOperator]) -> TaskSpec:
    return operators[-1].tasks[1].spec


def test_a_file_is_run(operators: list[FakeOperator], deploy: str) -> None:
    assert run("--file", deploy, "--param", "VERSION=1.2") == 0
    spec = made(operators)
    assert (spec.name, spec.target, spec.rollout.batches) == ("deploy", "web01", "1")
    install, restart = spec.commands
    assert (install.text, restart.text) == ("install", "restart")
    assert install.timeout.total_seconds() == 300
    assert restart.timeout.total_seconds() == 600
    assert (install.barrier, restart.barrier) == (False, True)
    assert install.parameters == restart.parameters == {"VERSION": "1.2", "COUNT": "3"}


def test_options_win_over_the_file(operators: list[FakeOperator], deploy: str) -> None:
    options = (
        "--param VERSION=1.2 --param COUNT=7 --target web02 --name other --timeout 9s --user alice "
        "--env A=option --batches 2,rest --max-failures 1 --strict --offline wait --tasks-max 5"
    )
    assert run("--file", deploy, *options.replace("--strict ", "").split()) == 0
    spec = made(operators)
    assert (spec.target, spec.name, spec.offline) == ("web02", "other", Offline.WAIT)
    assert (spec.rollout.batches, spec.rollout.max_failures) == ("2,rest", "1")
    for step in spec.commands:
        assert step.timeout.total_seconds() == 9
        assert (step.run_as_user, step.limits.tasks_max) == ("alice", 5)
        assert step.parameters["COUNT"] == "7"
    assert spec.commands[0].environment == {"A": "option", "B": "file"}
    assert spec.commands[1].environment == {"A": "option"}


def test_an_option_may_need_one_of_the_file(
    operators: list[FakeOperator], deploy: str, capsys: Capture
) -> None:
    assert run("--file", deploy, "--param", "VERSION=1.2", "--delay", "5m") == 0
    assert made(operators).rollout.delay.total_seconds() == 300
    assert run("--file", deploy, "--param", "VERSION=1.2", "--hold-timeout", "5m") == 2
    assert "--hold-timeout needs --hold." in capsys.readouterr().err


def test_a_file_is_read_from_stdin(
    operators: list[FakeOperator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    path.write_text('target = "web01"\n[[steps]]\nscript = "a.sh"\n')
    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert run("--file", "-") == 0
    assert made(operators).commands[0].script == content_of(b"#!/bin/sh\n")


def test_scripts_are_found_beside_the_file(operators: list[FakeOperator], tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    path = tmp_path / "tasks" / "task.toml"
    path.write_text('target = "web01"\n[[steps]]\nscript = "../a.sh"\nstdin = "in"\n')
    (tmp_path / "a.sh").write_bytes(b"#!/bin/sh\n\xff")
    (tmp_path / "tasks" / "in").write_bytes(b"")
    assert run("--file", str(path)) == 0
    step = made(operators).commands[0]
    assert step.script == content_of(b"#!/bin/sh\n\xff")
    assert step.stdin == content_of(b"")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--param VERSION=1", "VERSION cannot be '1': give a value that matches [0-9]+"),
        ("--param VERSION=1.2 --param COUNT=x", "COUNT cannot be 'x': give a whole number"),
        ("--param VERSION=1.2 --param FORCE=1", "There is no parameter FORCE; the parameters are "
         "COUNT, VERSION."),
        ("--param VERSION=1.2 --secret COUNT:3", "The parameter COUNT is no secret"),
        ("--param VERSION=1.2 --env COUNT=3", "COUNT is a parameter of the task; give it with"),
        ("--param VERSION=1.2 --timeout 9d", "A timeout must be from 1 s to 7 d"),
        ("--param VERSION=1.2 --target=", "The target is empty"),
        ("--param VERSION=1.2 web02", "leave TARGET and COMMAND out"),
        ("--param VERSION=1.2 -- true", "leave TARGET and COMMAND out"),
        ("--param VERSION=1.2 web02 -- true", "leave TARGET and COMMAND out"),
        ("", "no terminal to ask at; give --param VERSION=… (text)."),
    ],
)  # fmt: skip
def test_nothing_starts_with_a_wrong_option(
    operators: list[FakeOperator], deploy: str, capsys: Capture, arguments: str, words: str
) -> None:
    assert run("--file", deploy, *arguments.split()) == 2
    assert words in capsys.readouterr().err
    assert operators == []


def test_a_target_option_needs_a_file(capsys: Capture) -> None:
    assert run("--target", "web01", "--", "true") == 2
    assert "--target needs --file" in capsys.readouterr().err


def test_a_file_without_a_target_needs_one(
    operators: list[FakeOperator], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "x.toml"
    path.write_text('[[steps]]\nrun = "x"\n')
    assert run("--file", str(path)) == 2
    assert "has no target of its own; give --target T" in capsys.readouterr().err
    assert run("--file", str(path), "--target", "web01") == 0


def test_what_is_no_task_file_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """None of them is read for ever."""
    folder, fifo, missing = tmp_path / "folder", tmp_path / "fifo", tmp_path / "missing"
    large, latin = tmp_path / "large", tmp_path / "latin"
    folder.mkdir()
    os.mkfifo(fifo)
    with large.open("wb") as file:
        file.truncate(20 << 20)
    latin.write_bytes(b"a = 1\nb = '\xe4'\n")
    for path, words in (
        (folder, "folder: Is a directory."),
        (fifo, "fifo: it is not a regular file."),
        (missing, "missing: No such file or directory."),
        (large, "large: it has more than 18874368 bytes"),
        (latin, "latin: it is not UTF-8 at byte 12."),
        (Path("/dev/zero"), "/dev/zero: it is not a regular file."),
    ):
        assert run("--file", str(path)) == 2
        assert words in capsys.readouterr().err


def test_what_is_no_script_is_refused(tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"#!/bin/sh\n" + b"#" * (1 << 20))
    path = tmp_path / "x.toml"
    for script, words in (
        ("fifo", "x.toml, line 2: steps[0].script: fifo: it is not a regular file."),
        ("../../../etc/none", "steps[0].script: ../../../etc/none: No such file or directory."),
        ("large", "steps[0].script: large: it has more than 1048576 bytes"),
        (".", "steps[0].script: .: Is a directory."),
        ("a\\u0000b", "'a\\x00b' is not the path of a file"),
    ):
        path.write_text(f'[[steps]]\nscript = "{script}"\n')
        assert run("--file", str(path), "--target", "web01") == 2
        assert words in capsys.readouterr().err


def test_a_plan_names_what_is_missing_and_asks_for_nothing(
    operators: list[FakeOperator], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text(DEPLOY.replace("default = 3\n", "") + SECRET)
    plan = ["run", "--file", str(path), "--plan"]
    assert main(plan) == 2
    said = capsys.readouterr().err
    assert "need a value; give --param VERSION=… (text), --param COUNT=… (integer)." in said
    assert operators == []
    assert main([*plan, "--param", "VERSION=1.2", "--param", "COUNT=3"]) == 0
    assert operators[-1].tasks == {}


def test_all_unknown_parameters_are_named(deploy: str, capsys: Capture) -> None:
    assert run("--file", deploy, "--param", "A=1", "--param", "VERSION=1.2", "--param", "B=1") == 2
    assert "There is no parameter A or B; the parameters are" in capsys.readouterr().err


def test_a_script_gives_its_step_the_name_of_its_file(
    operators: list[FakeOperator], tmp_path: Path
) -> None:
    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    path = tmp_path / "task.toml"
    step = '[[steps]]\nscript = "./a.sh"\n'
    path.write_text(f'target = "web01"\n{step}{step}name = "named"\n')
    assert run("--file", str(path)) == 0
    assert [one.title for one in made(operators).commands] == ["a.sh", "named"]


def see(text: str, terminal: Terminal) -> None:
    wait_for(f"{text!r} drawn", lambda: terminal.drawn, lambda drawn: text in drawn)


ASKING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.parameter_values import fill_parameters, with_options
from tui_manager.cli.options.read_files import load_task_file
from tui_manager.operator.local_files.sources_of_task import TaskSources
from tui_manager.domain.errors import InvalidInputError
options = parse(["run", *sys.argv[1:]])
try:
    task_file = with_options(load_task_file(options.task_file, TaskSources()).task_file, options)
    spec = fill_parameters(task_file, options)
    print("got", dict(spec.commands[0].parameters), dict(spec.commands[0].secrets))
except InvalidInputError as error:
    print("refused", error)
"""


def test_missing_values_are_asked_for_until_they_are_right(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    text = DEPLOY.replace("[params.COUNT]", 'help = "which \\u001b[31mversion"\n[params.COUNT]')
    path.write_text(text.replace("default = 3\n", "") + SECRET)
    with on_terminal([sys.executable, "-c", ASKING, "--file", str(path)], os.environ) as terminal:
        see("VERSION (text): ", terminal)
        terminal.press("one\n")
        see("VERSION cannot be 'one'", terminal)
        terminal.press("\n")
        see("VERSION needs a value", terminal)
        terminal.press("1.2\n")
        see("COUNT (integer): ", terminal)
        terminal.press("007\n")
        see("Secret TOKEN: ", terminal)
        terminal.press("hunter\n")
        see("The secret TOKEN is wrong", terminal)
        terminal.press("hunter2\n")
        see("got", terminal)
        drawn = terminal.drawn
    assert "which" in drawn
    assert "\x1b[31m" not in drawn
    assert "the token" in drawn
    assert "got {'VERSION': '1.2', 'COUNT': '7'} {'TOKEN': 'hunter2'}" in drawn
    assert drawn.count("hunter2") == 1  # not echoed


def test_the_end_of_input_ends_the_question(deploy: str) -> None:
    with on_terminal([sys.executable, "-c", ASKING, "--file", deploy], os.environ) as terminal:
        see("VERSION (text): ", terminal)
        terminal.press("\x04")
        see("refused Nothing was typed for VERSION.", terminal)

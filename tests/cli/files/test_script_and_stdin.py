"""`--script` and `--stdin`: what becomes of the files, and errors before anything starts."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import on_terminal
from tui_manager.cli.main import main
from tui_manager.domain.task_files.task_file import read_task_file
from tui_manager.domain.task_spec.script_and_stdin import CONTENT_LENGTH, content_of
from tui_manager.domain.task_spec.task_spec import CommandSpec

Capture = pytest.CaptureFixture[str]
SCRIPT = b"#!/bin/sh\nprintf '%s\\n' \"$@\"\n"
READING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.tasks.run import task_spec
from tui_manager.cli.options.secret_values import read_secrets
options = parse(["run", "@all", "--stdin", "-", *sys.argv[1:], "--", "cat"])
step = task_spec(options).commands[0]
print("got", step.stdin.data, read_secrets(options.secret))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deploy.sh"
    path.write_bytes(SCRIPT)
    return path


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    made = FakeOperator("web01")
    connect_to(lambda: made)
    return made


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def created(operator: FakeOperator, *words: str) -> CommandSpec:
    """The step of the task that `run` has created."""
    assert main(["run", "@all", "--no-start", *words]) == 0
    (step,) = operator.tasks[1].spec.commands
    return step


def test_a_script_gets_the_words_behind_the_dashes_as_they_are(
    file: Path, operator: FakeOperator
) -> None:
    step = created(operator, "--script", str(file), "--", "two words", "$HOME", "", "--", "-n")
    assert step.script == content_of(SCRIPT)
    assert step.arguments == ("two words", "$HOME", "", "--", "-n")
    assert (step.text, step.name, step.stdin) == ("", "deploy.sh", None)
    assert operator.tasks[1].spec.shown_name == "deploy.sh"


@pytest.mark.parametrize("dashes", [(), ("--",)])
def test_a_script_needs_no_words(
    file: Path, operator: FakeOperator, dashes: tuple[str, ...]
) -> None:
    assert created(operator, "--script", str(file), *dashes).arguments == ()


def test_a_target_can_stand_behind_the_dashes_with_a_script(
    file: Path, operator: FakeOperator
) -> None:
    assert main(["run", "--no-start", "--script", str(file), "--", "@all", "--", "a"]) == 0
    task = operator.tasks[1].spec
    assert (task.target, task.commands[0].arguments) == ("@all", ("a",))


def test_it_goes_with_all_other_options(file: Path, operator: FakeOperator) -> None:
    options = ["--param=A=1", "--env=B=2", "--user=deploy", "--cwd=/srv", "--timeout=5m"]
    more = ["--memory-max=1G", "--name=Deploy", "--batches=1,rest", "--stdin", str(file)]
    step = created(operator, "--script", str(file), *options, *more)
    assert (step.parameters, step.environment) == ({"A": "1"}, {"B": "2"})
    assert (step.run_as_user, step.cwd) == ("deploy", "/srv")
    assert step.stdin == step.script == content_of(SCRIPT)
    assert operator.tasks[1].spec.shown_name == "Deploy"
    assert operator.tasks[1].spec.rollout.batches == "1,rest"


def test_stdin_comes_from_a_file_byte_for_byte(tmp_path: Path, operator: FakeOperator) -> None:
    path = tmp_path / "in"
    path.write_bytes(bytes(range(256)) * 4096)
    step = created(operator, "--stdin", str(path), "--", "cat")
    assert step.stdin == content_of(path.read_bytes())
    assert (step.text, step.name) == ("cat", "")


@pytest.mark.parametrize("data", [b"", b"\0\r\n\xff", bytes(CONTENT_LENGTH)])
def test_stdin_comes_from_stdin(
    operator: FakeOperator, stdin: Callable[[bytes], None], data: bytes, capsys: Capture
) -> None:
    stdin(data)
    assert created(operator, "--stdin", "-", "--", "cat").stdin == content_of(data)
    assert "ctrl-d" not in capsys.readouterr().err


def test_a_file_that_is_called_dash(
    tmp_path: Path, operator: FakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(b"dash")
    assert created(operator, "--stdin", "./-", "--", "cat").stdin == content_of(b"dash")


def test_the_plan_of_a_script(file: Path, operator: FakeOperator, capsys: Capture) -> None:
    assert main(["run", "@all", "--plan", "--script", str(file), "--", "two words"]) == 0
    assert f"script of {len(SCRIPT)} bytes 'two words'" in capsys.readouterr().out
    assert operator.tasks == {}


def test_a_task_shows_its_script_and_its_stdin(
    file: Path, operator: FakeOperator, capsys: Capture
) -> None:
    created(operator, "--script", str(file), "--stdin", str(file), "--", "two words")
    capsys.readouterr()
    assert main(["task", "show", "1"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("Command 0")]
    assert line == (
        f"Command 0   script of {len(SCRIPT)} bytes 'two words'  "
        f"sha256 {content_of(SCRIPT).sha256}  timeout 1h  stdin {len(SCRIPT)} bytes"
    )
    assert main(["task", "show", "1", "--json"]) == 0
    (step,) = json.loads(capsys.readouterr().out)["steps"]
    assert (step["name"], step["kind"]) == ("deploy.sh", "script")


def test_a_schedule_keeps_the_script(file: Path, operator: FakeOperator) -> None:
    words = ["--cron=@daily", "--zone=UTC", "--script", str(file), "--", "a b"]
    assert main(["schedule", "add", "nightly", "@all", *words]) == 0
    text = operator.schedules["nightly"].spec.task_file
    (step,) = read_task_file(text, "nightly").spec.commands
    assert (step.script, step.arguments, step.name) == (content_of(SCRIPT), ("a b",), "deploy.sh")


# ---------------------------------------------------------------------------------------- errors


def refused(capsys: Capture, *words: str) -> str:
    """The error of `run`."""
    assert main(["run", "@all", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("option", ["script", "stdin"])
def test_a_file_that_cannot_be_read(
    option: str, tmp_path: Path, operator: FakeOperator, capsys: Capture
) -> None:
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    os.mkfifo(fifo)
    large.write_bytes(b"#!/bin/sh\n" + bytes(CONTENT_LENGTH))
    for path, why in (
        (tmp_path / "gone", "No such file or directory."),
        (tmp_path, "Is a directory."),
        (fifo, "it is not a regular file."),
        (Path("/dev/zero"), "it is not a regular file."),
        (large, f"it has more than {CONTENT_LENGTH} bytes."),
        (tmp_path / ("x" * 300), "File name too long."),
    ):
        error = refused(capsys, f"--{option}", str(path), "--", "x")
        assert error == f"tui-manager: --{option} {path}: {why}\n"
    assert operator.tasks == {}


def test_a_script_that_no_host_can_run(file: Path, operator: FakeOperator, capsys: Capture) -> None:
    file.write_bytes(b"echo hello\n")
    assert "name the program that runs it, such as #!/bin/sh" in refused(
        capsys, "--script", str(file)
    )
    file.write_bytes(SCRIPT.replace(b"\n", b"\r\n"))
    assert "carriage return, as in files of Windows" in refused(capsys, "--script", str(file))
    assert operator.tasks == {}


def test_stdin_that_is_too_long_or_closed(
    operator: FakeOperator,
    stdin: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    stdin(bytes(CONTENT_LENGTH + 1))
    error = refused(capsys, "--stdin", "-", "--", "cat")
    assert error == f"tui-manager: --stdin -: it has more than {CONTENT_LENGTH} bytes.\n"
    monkeypatch.setattr(sys, "stdin", None)
    assert refused(capsys, "--stdin", "-", "--", "cat") == "tui-manager: --stdin -: it is closed.\n"
    assert operator.tasks == {}


@pytest.mark.parametrize("option", ["script", "stdin"])
def test_a_task_file_has_its_own(
    option: str, file: Path, operator: FakeOperator, capsys: Capture
) -> None:
    task = file.with_name("job.toml")
    task.write_text('target = "@all"\n[[steps]]\nrun = "date"\n')
    assert main(["run", "--file", str(task), f"--{option}", str(file)]) == 2
    assert f"leave --{option} out" in capsys.readouterr().err
    words = ["--cron=@daily", "--zone=UTC", "--file", str(task), f"--{option}", str(file)]
    assert main(["schedule", "add", "nightly", *words]) == 2
    assert "Give the task in one way only" in capsys.readouterr().err


# ------------------------------------------------------------------------------- at the terminal


def test_it_says_that_it_reads_from_the_terminal() -> None:
    with on_terminal([sys.executable, "-c", READING], dict(os.environ)) as terminal:
        wait_for("the note", lambda: terminal.drawn, lambda seen: "ctrl-d ends it" in seen)
        terminal.press("typed\n\x04")
        wait_for("its words", lambda: terminal.drawn, lambda seen: "got " in seen)
        assert terminal.process.wait() == 0
        assert r"got b'typed\n' {}" in terminal.drawn


def test_a_secret_is_typed_at_the_terminal_while_stdin_is_a_pipe(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(READING)
    shell = f"printf 'from a pipe' | {sys.executable} {program} --secret KEY"
    with on_terminal(["/bin/sh", "-c", shell], dict(os.environ)) as terminal:
        wait_for("the question", lambda: terminal.drawn, lambda seen: "Secret KEY: " in seen)
        terminal.press("hidden\n")
        wait_for("its words", lambda: terminal.drawn, lambda seen: "got " in seen)
        assert terminal.process.wait() == 0
        assert "got b'from a pipe' {'KEY': 'hidden'}" in terminal.drawn

"""`run --secret`: where the value comes from, and that no word of it gets anywhere else."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.support.programs.programs import wait_for
from tests.support.programs.terminals import on_terminal
from tui_manager.cli.main import main
from tui_manager.cli.options import secret_values
from tui_manager.cli.options.secret_values import read_secrets
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.text_and_variables import COMMAND_LENGTH

Capture = pytest.CaptureFixture[str]
Given = Callable[[bytes], int]
VALUE = "hunter2 ünïcode"
ASKING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tui_manager.cli.options.secret_values import read_secrets
print("got", ascii(read_secrets(sys.argv[1:])))
"""


@pytest.fixture
def given() -> Iterator[Given]:
    """Descriptors with something to read, as a shell hands them over."""
    made: list[int] = []

    def give(data: bytes) -> int:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            made.append(os.dup(file.fileno()))
        os.set_inheritable(made[-1], True)
        return made[-1]

    yield give
    for descriptor in made:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (VALUE.encode(), VALUE),
        (VALUE.encode() + b"\n", VALUE),
        (b"two\nlines\n\n", "two\nlines\n"),
        (b" blanks stay \r\n", " blanks stay \r"),
        (b"x" * (COMMAND_LENGTH - 2) + b"\n", "x" * (COMMAND_LENGTH - 2)),
    ],
)
def test_a_descriptor_is_read_to_its_end(given: Given, data: bytes, value: str) -> None:
    assert read_secrets([f"K:{given(data)}"]) == {"K": value}


def test_a_pipe_is_read_until_it_closes() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    if os.fork() == 0:
        for piece in (b"first ", b"second"):
            os.write(writer, piece)
        os._exit(0)
    os.close(writer)
    assert read_secrets([f"K:{reader}"]) == {"K": "first second"}
    os.close(reader)
    os.wait()


def test_what_never_ends_is_left_at_the_longest_value() -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        os.set_inheritable(endless.stdout.fileno(), True)
        with pytest.raises(InvalidInputError, match="The value of K is longer"):
            read_secrets([f"K:{endless.stdout.fileno()}"])
        endless.kill()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * COMMAND_LENGTH, f"The value of K is longer than {COMMAND_LENGTH} bytes"),
        (b"x" * 10_000_000, f"The value of K is longer than {COMMAND_LENGTH} bytes"),
        (b"a\0b", "A NUL character"),
        (b"\xff", "The secret K is not valid UTF-8"),
    ],
)
def test_what_no_variable_can_hold(given: Given, data: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_secrets([f"K:{given(data)}"])


def test_a_descriptor_that_was_not_handed_over(given: Given) -> None:
    """One that the program has opened for itself is not meant, and may never come to its end."""
    reader, writer = os.pipe()
    for descriptor in (reader, 987654):
        with pytest.raises(InvalidInputError, match="there is nothing to read on descriptor"):
            read_secrets([f"K:{descriptor}"])
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("option", ["K=hunter2", "K:hunter2", "K:", "K:-1", "K:1=hunter2", "K:٣"])
def test_a_value_on_the_command_line_is_refused_and_not_repeated(
    option: str, capsys: Capture
) -> None:
    assert main(["run", "@all", "--secret", option, "--", "true"]) == 2
    said = capsys.readouterr().err
    assert "--secret takes a name and no value" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["1K:3"], "'1K' is not a variable's name"),
        (["TUI_MANAGER_K:3"], "take another"),
        (["K:3", "K:4"], "--secret K is given twice"),
        (["K:3", "L:3"], "Descriptor 3 can be read only once"),
    ],
)
def test_what_is_asked_for_makes_sense(options: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_secrets(options)


def test_all_else_is_checked_before_a_secret_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(secret_values, "_ask", lambda name: pytest.fail("it asked"))
    assert main(["run", "@all", "--secret", "K", "--timeout=0", "--", "true"]) == 2
    assert "from 1 s to 7 d" in capsys.readouterr().err


def test_an_empty_secret_and_one_that_is_shown_as_well_are_refused(
    given: Given, capsys: Capture
) -> None:
    assert main(["run", "@all", "--secret", f"K:{given(b'')}", "--", "true"]) == 2
    assert "The secret K is empty." in capsys.readouterr().err
    option = f"K:{given(b'x')}"
    assert main(["run", "@all", "--secret", option, "--param=K=x", "--", "true"]) == 2
    assert "K is given twice" in capsys.readouterr().err


def test_it_reaches_the_task(given: Given, connect_to: Connect) -> None:
    operator = FakeOperator("web01")
    connect_to(lambda: operator)
    options = [f"--secret=A:{given(b'one')}", f"--secret=B:{given(b'two')}"]
    assert main(["run", "@all", "--no-start", *options, "--", "true"]) == 0
    assert operator.tasks[1].spec.commands[0].secrets == {"A": "one", "B": "two"}


# ------------------------------------------------------------------------------- at the terminal


def test_it_is_asked_for_in_order_and_not_echoed() -> None:
    words = [sys.executable, "-c", ASKING, "FIRST", "SECOND"]
    with on_terminal(words, {**os.environ, "LC_ALL": "C.UTF-8"}) as terminal:
        wait_for("the first", lambda: terminal.drawn, lambda seen: "Secret FIRST: " in seen)
        terminal.press("one ü\n")
        wait_for("the second", lambda: terminal.drawn, lambda seen: "Secret SECOND: " in seen)
        before = terminal.drawn
        terminal.press("two\n")
        wait_for("its words", lambda: terminal.drawn, lambda seen: "got " in seen)
        assert terminal.process.wait() == 0
        assert "one" not in before
        assert "{'FIRST': 'one \\xfc', 'SECOND': 'two'}" in terminal.drawn


@pytest.mark.parametrize(("keys", "code"), [("\x04", 2), ("\x03", 130)])
def test_it_can_be_left(keys: str, code: int) -> None:
    program = "import sys; from tui_manager.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "run", "@all", "--secret", "K", "--", "true"]
    with on_terminal(words, os.environ) as terminal:
        wait_for("the question", lambda: terminal.drawn, lambda seen: "Secret K: " in seen)
        terminal.press(keys)
        assert terminal.process.wait() == code
        wait_for(
            "a sentence",
            lambda: terminal.drawn,
            lambda seen: code == 130 or "Nothing was typed for the secret K." in seen,
        )
        assert "Traceback" not in terminal.drawn


def test_without_a_terminal_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_values, "TERMINAL", "/nonexistent/tty")
    with pytest.raises(InvalidInputError) as none:
        read_secrets(["K"])
    assert str(none.value) == (
        "There is no terminal to ask for the secret K at; give it on a file descriptor: "
        "--secret K:3 3<FILE"
    )

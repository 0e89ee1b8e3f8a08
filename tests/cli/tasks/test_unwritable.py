"""Output that cannot be written: a full device, a closed descriptor, one in non-blocking mode."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tests.cli.script import scripted
from tui_manager.cli.main import main
from tui_manager.cli.printing.standard_streams import standard_streams
from tui_manager.domain.status import Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec

FULL = Path("/dev/full")
NO_SPACE = "The output cannot be written: No space left on device."
COMMANDS = (
    *("hosts", "hosts --json", "task list", "task show 1", "task show 1 --json", "task cancel 1"),
    *("output 1", "audit", "config", "config --json", "hosts revoke web01"),
    *("--help", "run --help", "--version"),
)
PROGRAM = (sys.executable, "-c", "from tui_manager.cli.main import main; exit(main())")
Capture = pytest.CaptureFixture[str]

full_device = pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")


def main_with_full_stdout(words: Sequence[str]) -> int:
    """The exit status of a command whose stdout is a device that takes nothing."""
    with FULL.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        return main(words)


@full_device
@pytest.mark.parametrize("options", [[], ["--json"], ["--gather"], ["--detach"], ["--no-start"]])
def test_a_run_names_the_task(connect_to: Connect, capsys: Capture, options: Sequence[str]) -> None:
    async def speak(operator: FakeOperator) -> None:
        operator.say("web01", "line\n")
        operator.end_on("web01")

    made: list[FakeOperator] = []
    connect_to(lambda: scripted(made, speak, "web01"))
    assert main_with_full_stdout(["run", "@all", *options, "--", "true"]) == 4
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"tui-manager: {NO_SPACE} `tui-manager task show 1` says what becomes of task 1."
    )
    assert list(made[0].tasks) == [1]


@full_device
@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_it(connect_to: Connect, capsys: Capture, words: str) -> None:
    operator = FakeOperator("web01")
    asyncio.run(_run_a_task(operator))
    connect_to(lambda: operator)
    assert main_with_full_stdout(words.split()) == 4
    assert capsys.readouterr().err == f"tui-manager: {NO_SPACE}\n"


@full_device
def test_a_join_token_that_nobody_has_seen(connect_to: Connect, capsys: Capture) -> None:
    operator = FakeOperator("web01")
    operator.security = "mTLS"
    connect_to(lambda: operator)
    assert main_with_full_stdout(["token", "create"]) == 4
    assert capsys.readouterr().err == (
        f"tui-manager: {NO_SPACE} Join token 1 was made; `tui-manager token revoke 1` revokes it.\n"
    )


@full_device
def test_what_a_host_says_on_stderr_is_output_too(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def speak(operator: FakeOperator) -> None:
        operator.say("web01", "trouble\n", Stream.STDERR)
        operator.end_on("web01")

    connect_to(lambda: scripted([], speak, "web01"))
    with FULL.open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        assert main(["run", "@all", "--", "true"]) == 4


@full_device
def test_an_error_that_cannot_be_written_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        assert main(["no-such-command"]) == 2


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        (">&-", 4, "tui-manager: stdout is closed.\n"),
        (">&- <&-", 4, "tui-manager: stdout is closed.\n"),
        (">/dev/full", 4, "tui-manager: stdout cannot be written: No space left on device.\n"),
        (">/dev/null 2>&-", 0, ""),
        (">&- 2>&-", 4, ""),
        (">/dev/full 2>/dev/full", 4, ""),
    ],
)
@pytest.mark.parametrize("words", ["config", "--help"])
def test_a_shell_closes_what_it_likes(redirection: str, status: int, said: str, words: str) -> None:
    if "full" in redirection and not FULL.exists():
        pytest.skip("a device of Linux")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, words],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)


def test_a_descriptor_in_non_blocking_mode_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "x" * 3_000_000
    read: list[bytes] = []
    with open(reading, "rb") as reader, open(writing, "w") as file:
        reads = threading.Thread(target=lambda: read.append(reader.read()))
        reads.start()
        monkeypatch.setattr("sys.stdout", file)
        with standard_streams():
            sys.stdout.write(text)
        file.close()
        reads.join()
    assert read == [text.encode()]


async def _run_a_task(operator: FakeOperator) -> None:
    await operator.create_task(TaskSpec("@all", (CommandSpec("date"),)))
    await operator.start_task(1)
    operator.say("web01", "line\n")

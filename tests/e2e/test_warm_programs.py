"""A program that is forked does what one does that was started from the shell."""

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.programs import warm_programs
from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("tui-manager", ["--version"]),
        ("tui-manager", ["config"]),
        ("tui-manager", ["hosts"]),  # no manager runs
        ("tui-manager", ["no-such-command"]),
        ("tui-manager-agent", ["--version"]),
        ("tui-manager-agent", ["policy", "check", "/no/such/file"]),
    ],
)
def test_it_says_and_returns_the_same(machine: Machine, program: str, arguments: list[str]) -> None:
    environment = machine.environment()
    started = subprocess.run(
        [installed(program), *arguments], env=environment, capture_output=True, check=False
    )
    forked = warm_programs.run(program, arguments, environment)
    assert forked == (started.returncode, started.stdout, started.stderr)
    assert forked[1] or forked[2]


def test_it_has_what_it_was_given_and_nothing_else(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(machine.folder)
    serve = machine.serve()
    proc = Path(f"/proc/{serve.process.pid}")
    assert (proc / "cwd").readlink() == machine.folder
    assert os.getsid(serve.process.pid) == serve.process.pid
    opened = {path.name: os.readlink(path) for path in (proc / "fd").iterdir()}
    assert [opened[number] for number in "012"] == [
        os.devnull,
        str(serve.out_path),
        str(serve.err_path),
    ]
    pipes = [target for target in opened.values() if target.startswith("pipe:")]
    both_ends = pipes and set(Counter(pipes).values()) == {2}  # gRPC's: see grpc_wake_ups.py
    assert both_ends or not pipes, "a descriptor of the process that has forked it"


def test_how_it_ends_is_known(machine: Machine) -> None:
    serve = machine.serve()
    assert serve.process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        serve.process.wait(0)
    serve.process.kill()
    assert serve.wait() == -signal.SIGKILL
    assert machine.serve().stop() == 0


def test_other_variables_of_python_take_a_process_of_their_own(machine: Machine) -> None:
    environment = machine.environment() | {"PYTHONUTF8": "0"}
    running = warm_programs.start("tui-manager", ["--version"], environment)
    assert isinstance(running, subprocess.Popen)
    assert running.wait() == 0

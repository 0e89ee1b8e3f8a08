"""A secret from the shell to a real command, and that it lies and shows nowhere else."""

import hashlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.files import files_below
from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed
from tests.support.programs.terminals import forked_on_terminal


@pytest.fixture
def value() -> str:
    """Nothing else on this machine has it in it."""
    return f"TopSecret-{secrets.token_hex(16)}"


def command_lines() -> Iterator[bytes]:
    """Of every process of this machine."""
    for pid in psutil.pids():
        try:
            yield Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue


def files_with(folder: Path, value: str) -> list[str]:
    """Files of a folder in which it stands."""
    disguises = {value.encode(), value.encode().hex().encode(), value.encode("utf-16-le")}
    return [
        str(path.relative_to(folder))
        for path, data in files_below(folder)
        if any(disguise in data for disguise in disguises)
    ]


def run_with_secret(machine: Machine, value: str, *arguments: str) -> int:
    """Runs `run` with TOKEN on a descriptor; the task's id."""
    reader, writer = os.pipe()
    os.write(writer, value.encode() + b"\n")
    os.close(writer)
    done = subprocess.run(
        [installed("tui-manager"), "run", f"--secret=TOKEN:{reader}", *arguments],
        env=machine.environment(),
        pass_fds=(reader,),
        capture_output=True,
        check=False,
    )
    os.close(reader)
    assert done.returncode == 0, f"{done}\n{machine.story()}"
    return int(done.stdout)


def test_a_secret_shows_and_lies_nowhere(machine: Machine, value: str) -> None:
    machine.serve()
    machine.agents("h1", "h2")
    gate = machine.folder / "gate"
    text = 'printf %s "$TOKEN" | sha256sum; until [ -e "$GATE" ]; do sleep 0.25; done'
    options = ("@all", "--detach", f"--env=GATE={gate}")
    task_id = run_with_secret(machine, value, *options, "--", text)

    machine.wait_for(
        "both to print", lambda: machine.output(task_id), lambda said: said.count(b"\n") == 2
    )
    printed = machine.run("output", str(task_id)).out
    expected = hashlib.sha256(value.encode()).hexdigest().encode()
    assert printed.count(expected) == 2, "the commands have it"
    assert not any(value.encode() in line for line in command_lines())
    assert files_with(machine.folder, value) == [], "while it runs"

    shown = machine.run("task", "show", str(task_id)).out
    assert "TOKEN=•••".encode() in shown
    shown += machine.run("task", "show", str(task_id), "--json").out
    shown += machine.run("audit", "--json").out
    assert value.encode() not in shown
    assert machine.run("backup", str(machine.folder / "copy.db")).code == 0
    with forked_on_terminal([], machine.environment()) as terminal:
        for keys, words in (("", "sha256s"), ("3", "TARGET"), ("\r", "TOKEN=•••")):
            terminal.press(keys)
            machine.wait_for(words, lambda: words in terminal.drawn)  # noqa: B023
        assert value not in terminal.drawn
    gate.touch()
    machine.wait_for_task(task_id, "completed")
    machine.stop()
    assert files_with(machine.folder, value) == [], "and afterwards"


def test_a_secret_is_asked_for(busy: Machine, value: str) -> None:
    words = ["run", "h1", "--secret", "TOKEN", "--", 'echo "${#TOKEN}"']
    with forked_on_terminal(words, busy.environment()) as terminal:
        busy.wait_for("the question", lambda: terminal.drawn, lambda seen: "TOKEN: " in seen)
        terminal.press(f"{value}\n")
        busy.wait_for("its length", lambda: terminal.drawn, lambda s: f"h1: {len(value)}" in s)
        assert value not in terminal.drawn


def test_a_backup_that_is_put_back_has_no_secrets(machine: Machine, value: str) -> None:
    serve = machine.serve()
    machine.agents("h1")
    task_id = run_with_secret(machine, value, "h1", "--no-start", "--", "true")
    copy = machine.folder / "copy.db"
    assert machine.run("backup", str(copy)).code == 0
    serve.stop()
    for left in machine.state_dir.glob("manager.db*"):
        left.unlink()
    copy.rename(machine.state_dir / "manager.db")
    machine.serve("--listen", machine.address)
    machine.wait_until_online("h1")
    assert machine.run("task", "start", str(task_id)).code == 0
    (row,) = machine.wait_for_task(task_id, "failed")["hosts"]
    assert row["reason"] == "undeliverable"
    assert row["detail"].startswith("its secret TOKEN is erased")

"""UTF-8 is read and written also where the locale is C and Python's UTF-8 mode is off."""

import json
from pathlib import Path

import pytest

from tests.support.programs.processes import Machine

NAME = "größe €"


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a script that wants no locale."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")


@pytest.mark.usefixtures("plain")
def test_utf_8_is_read_and_written_in_the_c_locale(machine: Machine) -> None:
    state_dir = machine.folder / "zustand-ü"
    machine.serve("--state-dir", str(state_dir))
    state = ("--state-dir", str(state_dir))
    assert state_dir.is_dir()
    made = machine.run("run", "@all", *state, "--no-start", "--name", NAME, "--", "echo", NAME)
    assert (made.code, made.out) == (0, b"1\n"), made
    shown = machine.run("task", "show", "1", *state)
    assert f"1  {NAME}\n" in shown.out.decode(), shown
    assert f"echo {NAME}  timeout 1h\n" in shown.out.decode()
    assert json.loads(machine.run("task", "show", "1", *state, "--json").out)["name"] == NAME
    copy = machine.folder / "kopie-ü.db"
    assert machine.run("backup", str(copy), *state).out.decode().startswith(f"{copy}: ")
    assert machine.run("check", str(copy)).code == 0
    wrong = machine.run("run", NAME, *state, "--", "true")
    assert wrong.code == 2
    assert NAME.split()[0] in wrong.err


@pytest.mark.usefixtures("plain")
def test_what_is_not_utf_8_is_refused(machine: Machine) -> None:
    done = machine.run("run", b"\xff".decode(errors="surrogateescape"), "--", "true")
    assert done.code == 2
    assert "is not valid UTF-8" in done.err

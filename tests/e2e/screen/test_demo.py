"""The demo in a terminal of its own: what it starts is real, and none of it stays."""

import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.programs.processes import Machine, marked
from tests.support.programs.terminals import Terminal, forked_on_terminal

# A command with a child that ignores SIGTERM, and one that has left its session.
BUSY = "(trap '' TERM; exec sleep 600) & setsid sleep 600 > /dev/null 2>&1 & wait"


def leave_by_term(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)


def leave_by_closing_the_window(terminal: Terminal) -> None:
    terminal.hang_up()


def state_folder_by(page: str, environment: Mapping[str, str]) -> str:
    """The folder that a shell finds with the line of a page of the manual."""
    text = (Path(__file__).parents[3] / "docs" / page).read_text()
    (line,) = re.findall(r"^export TUI_MANAGER_STATE_DIR=.*demo.*$", text, re.MULTILINE)
    asked = ["/bin/sh", "-c", f'{line}; printf %s "$TUI_MANAGER_STATE_DIR"']
    return subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("leave", [leave_by_term, leave_by_closing_the_window])
def test_nothing_stays_of_a_demo(machine: Machine, leave: Callable[[Terminal], None]) -> None:
    throwaway = machine.folder / "tmp"
    throwaway.mkdir()
    mark = {"MARK_OF_DEMO": uuid.uuid4().hex}
    environment = {**machine.environment(), "TMPDIR": str(throwaway)}
    with forked_on_terminal(["demo", "--agents", "2"], environment) as terminal:
        machine.wait_for(
            "the dashboard with its agents",
            lambda: terminal.drawn,
            lambda seen: "\x1b[?1049h" in seen and "web01" in seen and "web02" in seen,
        )
        (folder,) = throwaway.iterdir()
        for page in ("commands.md", "tutorials/ten-hosts.md"):
            assert state_folder_by(page, environment) == str(folder / "manager")
        started = machine.run(
            *("run", "@all", "--detach", "--state-dir", str(folder / "manager")),
            *(f"--env={name}={value}" for name, value in mark.items()),
            *("--", BUSY),
        )
        assert started.code == 0, started
        machine.wait_for("its work", lambda: len(marked(mark)), lambda seen: seen >= 6)
        leave(terminal)
        machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
    assert machine.left_behind() == []
    assert marked(mark) == []
    assert list(throwaway.iterdir()) == []


def test_a_demo_needs_a_terminal(machine: Machine) -> None:
    done = machine.run("demo")
    assert done.code == 2
    assert "needs a terminal" in done.err

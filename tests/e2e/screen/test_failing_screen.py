"""A screen that fails, in a real terminal with a real manager: both go on."""

import os
import re
from pathlib import Path

from tests.support.programs import failing_dashboard
from tests.support.programs.processes import Machine
from tests.support.programs.terminals import Terminal, forked_on_terminal

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # the alternate screen
PROGRAM = Path(failing_dashboard.__file__)


def wait_for_screens(machine: Machine, terminal: Terminal, number: int) -> None:
    """Waits until so many dashboards have been drawn, the newest one whole."""

    def newest() -> str:
        parts = terminal.drawn.split(ENTER)
        return parts[-1] if len(parts) == number + 1 else ""

    machine.wait_for(f"screen {number}", newest, lambda seen: " hosts" in seen and "Hosts" in seen)


def fail_until_it_ends(machine: Machine, terminal: Terminal, first: int) -> None:
    """Lets the screen fail until it is not built again, and looks at what it leaves."""
    for number in range(first, 3):
        terminal.press("?")
        wait_for_screens(machine, terminal, number + 1)
    terminal.press("?")
    machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
    assert terminal.process.returncode == 1, terminal.drawn
    said = machine.wait_for(
        "why", lambda: terminal.drawn, lambda seen: "3 times within a minute" in seen
    )
    assert said.rindex(LEAVE) < said.index("3 times within a minute")
    for mode in ("?1000", "?1003", "?1006", "?1016", "?2004", "?1004"):
        assert said.rfind(f"\x1b[{mode}l") > said.rfind(f"\x1b[{mode}h"), mode
    assert said.count("\x1b[<u") == said.count(ENTER)
    assert "Traceback" not in said
    (log,) = machine.folder.rglob("tui-manager.log")
    assert log.read_text().count("KeyError: 'help'") == 3


def test_commands_go_on_when_the_screen_fails(machine: Machine) -> None:
    first, second = machine.folder / "first", machine.folder / "second"
    os.mkfifo(first)
    os.mkfifo(second)
    arguments = ["--insecure", "--listen", "127.0.0.1:0"]
    with forked_on_terminal(arguments, machine.environment(), file=PROGRAM) as terminal:
        wait_for_screens(machine, terminal, 1)
        said = machine.wait_for(
            "its address", lambda: re.search(r"--manager (127\.0\.0\.1:\d+)", terminal.drawn)
        )
        assert said
        machine.address = said[1]
        machine.agents("h1")
        for go in (first, second):
            assert machine.run("run", "h1", "--detach", "--", f"cat {go}").code == 0
        machine.wait_for("both to run", lambda: machine.task(2)["counts"]["running"])
        terminal.press("?")
        wait_for_screens(machine, terminal, 2)
        machine.wait_for(
            "what happened", lambda: terminal.drawn, lambda seen: "KeyError: 'help'" in seen
        )
        first.write_text("stored after the screen was built anew")
        machine.wait_for_task(1, "completed")
        assert machine.run("output", "1").out == b"stored after the screen was built anew"
        fail_until_it_ends(machine, terminal, 2)
        assert "picked up at the next start" in terminal.drawn
    assert machine.run("hosts").code == 3
    machine.serve("--listen", machine.address)
    second.write_text("on")
    machine.wait_for_task(2, "completed")


def test_a_joined_dashboard_whose_screen_fails_leaves_the_manager_alone(machine: Machine) -> None:
    machine.serve()
    with forked_on_terminal([], machine.environment(), file=PROGRAM) as terminal:
        wait_for_screens(machine, terminal, 1)
        fail_until_it_ends(machine, terminal, 1)
        assert "The manager goes on in its own process." in terminal.drawn
    assert machine.hosts() == []

"""What the program does on a terminal: the dashboard, and lines of hosts that are hostile. One of
the dashboards is started by its program, the others are forked."""

import os
import re
import signal

import pytest

from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed
from tests.support.programs.terminals import Terminal, forked_on_terminal, on_terminal

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # the alternate screen


def wait_until_drawn(machine: Machine, terminal: Terminal) -> None:
    machine.wait_for(
        "the dashboard",
        lambda: terminal.drawn,
        lambda seen: ENTER in seen and "0/0 hosts" in seen,
    )


def leave(machine: Machine, terminal: Terminal) -> None:
    """Leaves it with SIGTERM; the terminal is as it was before."""
    terminal.process.send_signal(signal.SIGTERM)
    machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
    assert terminal.process.returncode == 0, terminal.drawn
    machine.wait_for("the screen before", lambda: terminal.drawn, lambda seen: LEAVE in seen)


def test_a_dashboard_needs_a_terminal(machine: Machine) -> None:
    done = machine.run("--insecure")
    assert done.code == 2
    assert "needs a terminal" in done.err
    assert not machine.state_dir.exists()


def test_a_dashboard_is_a_manager_for_others(machine: Machine) -> None:
    arguments = [installed("tui-manager"), "--insecure", "--listen", "127.0.0.1:0"]
    with on_terminal(arguments, machine.environment()) as terminal:
        wait_until_drawn(machine, terminal)
        machine.wait_for("it to answer", machine.answers)
        assert machine.json("hosts") == []
        leave(machine, terminal)
    assert machine.run("hosts").code == 3


def test_a_dashboard_joins_a_manager_and_leaves_it_running(machine: Machine) -> None:
    machine.serve()
    with forked_on_terminal([], machine.environment()) as terminal:
        wait_until_drawn(machine, terminal)
        leave(machine, terminal)
    with forked_on_terminal(["--insecure"], machine.environment()) as terminal:
        wait_until_drawn(machine, terminal)
        leave(machine, terminal)
    assert machine.json("hosts") == []


def test_a_dashboard_joins_without_a_log_and_says_so(machine: Machine) -> None:
    machine.serve()
    log_dir = machine.folder / "file" / "log"
    log_dir.parent.touch()
    machine.configure(f"log_dir = '{log_dir}'")
    with forked_on_terminal([], machine.environment()) as terminal:
        wait_until_drawn(machine, terminal)
        # The notice is wrapped somewhere, after the path that it names.
        reason = ".{,200}?".join(["This", "dashboard", "has", "no", r"log\."])
        machine.wait_for(
            "the reason",
            lambda: terminal.drawn,
            lambda seen: re.search(reason, seen, re.DOTALL),
        )
        leave(machine, terminal)


def test_a_dashboard_that_starts_a_manager_needs_a_log(machine: Machine) -> None:
    log_dir = machine.folder / "file" / "log"
    log_dir.parent.touch()
    machine.configure(f"log_dir = '{log_dir}'")
    arguments = ["--insecure", "--listen", "127.0.0.1:0"]
    with forked_on_terminal(arguments, machine.environment()) as terminal:
        machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
        assert terminal.process.returncode == 2
        machine.wait_for(
            "the reason",
            lambda: terminal.drawn,
            lambda seen: "cannot be written: File exists" in seen,
        )
    assert not machine.state_dir.exists()


@pytest.mark.parametrize("controlling", [True, False], ids=["SIGHUP", "no SIGHUP"])
def test_a_dashboard_whose_terminal_goes_away_ends_and_its_work_goes_on(
    machine: Machine, controlling: bool
) -> None:
    go = machine.folder / "go"
    os.mkfifo(go)
    arguments = ["--insecure", "--listen", "127.0.0.1:0"]
    with forked_on_terminal(arguments, machine.environment(), controlling=controlling) as terminal:
        wait_until_drawn(machine, terminal)
        said = machine.wait_for(
            "its address", lambda: re.search(r"--manager (127\.0\.0\.1:\d+)", terminal.drawn)
        )
        assert said
        machine.address = said[1]
        machine.agents("h1")
        assert machine.run("run", "h1", "--detach", "--", f"cat {go}").code == 0
        machine.wait_for("it to run", lambda: machine.task(1)["counts"]["running"])
        terminal.hang_up()
        machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
        assert terminal.process.returncode == 129
    (log,) = machine.folder.rglob("tui-manager.log")
    assert "hung up, the dashboard ends" in log.read_text()
    assert "Traceback" not in log.read_text()
    machine.serve("--listen", machine.address)
    go.write_text("on")
    machine.wait_for_task(1, "completed")


def test_a_dashboard_that_has_joined_ends_with_its_terminal(machine: Machine) -> None:
    machine.serve()
    with forked_on_terminal([], machine.environment(), controlling=False) as terminal:
        wait_until_drawn(machine, terminal)
        terminal.hang_up()
        machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
        assert terminal.process.returncode == 129
    assert machine.json("hosts") == []


def test_without_a_manager_and_on_an_address_that_needs_tls(machine: Machine) -> None:
    arguments = ["--insecure", "--listen", "0.0.0.0:0"]
    with forked_on_terminal(arguments, machine.environment()) as terminal:
        machine.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
        assert terminal.process.returncode == 2
        machine.wait_for("why", lambda: terminal.drawn, lambda seen: "without TLS" in seen)
    assert ENTER not in terminal.drawn


def test_no_escape_sequence_of_a_host_reaches_the_terminal(busy: Machine) -> None:
    command = r"printf '\033[2J\033]0;title\007\233J[b]x[/b]\n' | tee /dev/stderr"
    arguments = ["run", "h1", "--", command]
    with forked_on_terminal(arguments, busy.environment()) as terminal:
        busy.wait_for("its end", terminal.process.poll, lambda seen: seen is not None)
        drawn = busy.wait_for(
            "the summary", lambda: terminal.drawn, lambda seen: "1 completed" in seen
        )
    assert terminal.process.returncode == 0
    assert drawn.count("[b]x[/b]") == 2
    assert not set(drawn) & set("\x1b\x07\x9b")


def test_an_editor_has_the_terminal_while_the_manager_goes_on(machine: Machine) -> None:
    machine.folder.mkdir(exist_ok=True)
    editor, signals = machine.folder / "editor", machine.folder / "signals"
    # It asks the manager of the dashboard that waits for it. Ctrl+c is for the editor alone.
    editor.write_text(
        "#!/bin/sh\n"
        f"trap 'echo int >> {signals}' INT\n"
        f"kill -INT 0; hosts=$({installed('tui-manager')} hosts --json)\n"
        'echo "echo manager-says-$hosts" > "$1"; echo editor-was-here > /dev/tty\n'
    )
    editor.chmod(0o700)
    environment = {**machine.environment(), "VISUAL": str(editor)}
    arguments = ["--insecure", "--listen", "127.0.0.1:0"]
    with forked_on_terminal(arguments, environment) as terminal:
        wait_until_drawn(machine, terminal)
        machine.wait_for("it to answer", machine.answers)
        terminal.press("n\t")
        machine.wait_for("the form", lambda: terminal.drawn, lambda seen: "ctrl+r search" in seen)
        terminal.press("\x05")
        machine.wait_for(
            "the command from the editor",
            lambda: terminal.drawn.rpartition("editor-was-here")[2],
            lambda seen: "manager-says-[]" in seen and ENTER in seen,
        )
        assert signals.read_text() == "int\n"
        leave(machine, terminal)

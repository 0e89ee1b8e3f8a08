"""Whoever stops reading what a program says stops that, and nothing else."""

import os
import re
import signal

from tests.support.programs.processes import Machine
from tests.support.programs.programs import full_pipe
from tests.support.programs.terminals import forked_on_terminal

XOFF, XON = "\x13", "\x11"  # ctrl-s, ctrl-q


def test_nobody_reads_what_manager_and_agent_log(machine: Machine) -> None:
    with full_pipe() as (reader, writer):
        machine.stderr = writer
        serve = machine.serve()
        (agent,) = machine.agents("h1")
        done = machine.run("run", "h1", "--json", "--", "echo out")
        assert done.code == 0, done
        assert machine.json("task", "show", "1")["status"] == "completed"
        assert not reads(reader).strip(b"\0")  # until now nothing could be said
        said = b""
        while b"manager started" not in said or b"welcome: name=h1" not in said:
            said += reads(reader)
        assert agent.stop() == 0
        assert serve.stop() == 0


def test_the_end_does_not_wait_for_a_reader(machine: Machine) -> None:
    with full_pipe() as (_, writer):
        machine.stderr = writer
        serve = machine.serve()
        (agent,) = machine.agents("h1")
        assert agent.stop() == 0
        assert serve.stop() == 0


def test_ctrl_s_in_the_terminal_of_serve(machine: Machine) -> None:
    arguments = ["serve", "--insecure", "--listen", "127.0.0.1:0"]
    with forked_on_terminal(arguments, machine.environment()) as terminal:
        found = machine.wait_for(
            "its address", lambda: re.search(r"^listening on (\S+) .*\n", terminal.drawn, re.M)
        )
        assert found
        machine.address = found[1]
        terminal.press(XOFF)
        machine.agents("h1")
        assert machine.run("run", "h1", "--", "true").code == 0
        serve = terminal.process
        assert "h1" not in terminal.drawn
        terminal.press(XON)
        machine.wait_for("the line of the host", lambda: terminal.drawn, lambda seen: "h1" in seen)
        terminal.press(XOFF)
        serve.send_signal(signal.SIGTERM)
        machine.wait_for("its end", serve.poll, lambda seen: seen is not None)
        assert serve.returncode == 0


def reads(reader: int) -> bytes:
    """What a pipe holds, at least a byte."""
    return os.read(reader, 1 << 20)

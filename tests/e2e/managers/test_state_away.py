"""A state folder that is away for a moment: what is to be stored waits, and no other is made."""

from pathlib import Path

import pytest

from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program

AWAY = "is out of reach: No such file or directory"
BACK = "the database can be written again"


def move_away(machine: Machine, serve: Program) -> Path:
    """Moves the manager's state folder, and waits until the manager knows."""
    away = machine.folder / "away"
    machine.state_dir.rename(away)
    machine.wait_for("the manager to say so", lambda: serve.err, lambda seen: AWAY in seen)
    return away


def test_the_manager_waits_for_its_state_folder(machine: Machine) -> None:
    serve, gate = machine.serve(), machine.folder / "gate"
    (agent,) = machine.agents("h1")
    running = f'until [ -e "{gate}" ]; do sleep 0.25; done; echo done'
    assert machine.run("run", "h1", "--detach", "--", running).code == 0
    machine.wait_for("it to run", lambda: machine.task(1)["counts"]["running"])
    away = move_away(machine, serve)
    refused = machine.run("--state-dir", str(away), "run", "h1", "--", "true")
    assert refused.code == 1, refused
    assert AWAY in refused.err
    gate.touch()
    machine.wait_for("the command to end", lambda: agent.err, lambda seen: "ended: " in seen)
    shown = machine.json("--state-dir", str(away), "task", "show", "1")
    assert shown["status"] == "running"
    assert not machine.state_dir.exists()
    away.rename(machine.state_dir)
    machine.wait_for_task(1, "completed")
    assert machine.run("output", "1").out == b"done\n"
    machine.wait_for("the manager to say so", lambda: serve.err, lambda seen: BACK in seen)
    assert machine.run("run", "h1", "--", "true").code == 0
    assert machine.run("check").code == 0
    assert serve.stop() == 0


def test_nothing_is_made_in_another_folder_of_that_name(machine: Machine) -> None:
    serve = machine.serve()
    machine.agents("h1")
    away = move_away(machine, serve)
    machine.state_dir.mkdir()
    assert machine.run("--state-dir", str(away), "run", "h1", "--", "true").code == 1
    assert list(machine.state_dir.iterdir()) == []
    machine.state_dir.rmdir()
    away.rename(machine.state_dir)
    machine.wait_for("the manager to say so", lambda: serve.err, lambda seen: BACK in seen)
    assert machine.run("run", "h1", "--", "true").code == 0


@pytest.mark.parametrize("restarted", [False, True], ids=["own", "taken up"])
def test_an_agent_loses_nothing_while_its_state_folder_is_away(
    machine: Machine, restarted: bool
) -> None:
    machine.serve()
    (agent,) = machine.agents("h1")
    gate, state, away = (machine.folder / name for name in ("gate", "agents/h1", "away"))
    command = f'echo one; until [ -e "{gate}" ]; do sleep 0.25; done; echo two'
    assert machine.run("run", "h1", "--detach", "--", command).code == 0
    machine.wait_for("its output", lambda: machine.output(1))
    if restarted:
        agent.process.kill()
        agent.wait()
        agent = machine.agent("h1")
        machine.wait_for("it to be back", lambda: agent.err, lambda seen: "welcome" in seen)
    state.rename(away)
    refused = machine.run("run", "h1", "--", "true")
    assert refused.code == 1
    assert "the agent cannot write its journal: No such file or directory" in refused.err
    gate.touch()
    machine.wait_for("the command to end", lambda: list(away.rglob("result")))
    later = "not ended, again later"
    machine.wait_for("the agent to miss it", lambda: agent.err, lambda seen: later in seen)
    assert machine.task(1)["status"] == "running"
    assert not state.exists()
    away.rename(state)
    machine.wait_for_task(1, "completed")
    assert machine.run("output", "1").out == b"one\ntwo\n"
    assert machine.run("run", "h1", "--", "true").code == 0
    assert agent.stop() == 0

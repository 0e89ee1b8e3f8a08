"""A disk that is full and a damaged database, seen by whoever waits for results."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.scenarios.disks import fill, may_be_root, small_disk
from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program

SAID = "tui-manager: results cannot be stored now: "
AGAIN = "tui-manager: results can be stored again\n"


def gated(machine: Machine) -> tuple[Program, Path]:
    """A `run` whose command waits for a file, and then prints more than fits; and the file."""
    gate = machine.folder / "gate"
    command = f'until [ -e "{gate}" ]; do sleep 0.25; done; seq 100000'
    running = machine.start("live", "run", "h1", "--", command)
    machine.wait_for(
        "it to run",
        machine.tasks,
        lambda seen: seen and seen[0]["counts"]["running"],
    )
    return running, gate


def wait_until_said(machine: Machine, running: Program, why: str) -> None:
    """What `run` says once, lists say as well."""
    machine.wait_for("run to say so", lambda: running.err, lambda seen: SAID in seen)
    assert why in running.err
    for arguments in (("hosts",), ("task", "list")):
        done = machine.run(*arguments)
        assert done.code == 0
        assert SAID in done.err
        assert why in done.err


@pytest.mark.skipif(not may_be_root(), reason="only root makes small disks")
def test_a_full_disk_is_said_and_waited_out(machine: Machine) -> None:
    machine.configure("free_disk = 0\n")
    with small_disk(machine.state_dir, "8m"):
        serve = machine.serve()
        machine.agents("h1")
        running, gate = gated(machine)
        filler = fill(machine.state_dir)
        gate.touch()
        wait_until_said(machine, running, "is full; free some space")
        assert running.process.poll() is None
        filler.unlink()
        assert running.wait() == 0
        assert running.err.count(SAID) == 1
        assert AGAIN in running.err
        assert running.out == "".join(f"h1: {number}\n" for number in range(1, 100_001))
        assert serve.stop() == 0


def test_a_damaged_page_is_said(machine: Machine) -> None:
    serve = machine.serve()
    (agent,) = machine.agents("h1")
    assert agent.stop() == 0
    assert serve.stop() == 0
    damage(machine, "output_chunks")
    machine.serve()
    machine.agent("h1")
    machine.wait_until_online("h1")
    running, gate = gated(machine)
    gate.touch()
    wait_until_said(machine, running, "is damaged or no database; put a backup back")
    assert running.process.poll() is None
    running.stop()


def damage(machine: Machine, table: str) -> None:
    """Overwrites the first page of a table."""
    path = machine.state_dir / "manager.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(query, (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

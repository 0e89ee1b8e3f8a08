"""A manager whose wall clock is wrong for a while locks no host out and removes no history.

TLS itself, which is of gRPC, sees the real time all along, as it does once the clock is right.
"""

from pathlib import Path

import pytest

from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program

DAY = 24 * 3600
INJECT = str(Path(__file__).parents[2] / "faults" / "inject")


class WrongClock:
    """The clock of a manager that is started with its variables."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shift"
        self.variables = {"PYTHONPATH": INJECT, "FAULTS_SHIFT_FILE": str(self._file)}
        self.shift(0)

    def shift(self, seconds: float) -> None:
        """So far from the real time from now on."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.rename(self._file)


def _says(machine: Machine, agent: Program, words: str, times: int = 1) -> None:
    machine.wait_for(f"the agent to say {words!r}", lambda: agent.err.count(words) >= times)


@pytest.mark.parametrize(
    ("days", "words"), [(-365, "it ends before the one in use"), (22, "certificate renewed")]
)
def test_a_clock_that_is_wrong_for_a_while_locks_no_host_out(
    days: int, words: str, machine: Machine
) -> None:
    machine.secure = True
    machine.configure('heartbeat = "200ms"\n')
    clock = WrongClock(machine.folder)
    machine.serve(**clock.variables)
    agent = machine.agent("h1", token=machine.token("--auto-approve"))
    machine.wait_for_host("h1", "admitted")
    clock.shift(days * DAY)
    _says(machine, agent, words)
    assert agent.stop() == 0, agent.story()
    agent = machine.agent("h1")
    machine.wait_for_host("h1", "admitted")
    clock.shift(0)
    assert agent.stop() == 0, agent.story()
    agent = machine.agent("h1")
    machine.wait_for_host("h1", "admitted")
    done = machine.run("run", "h1", "--", "echo here")
    assert (done.code, done.out) == (0, b"h1: here\n"), machine.story()


def test_a_clock_that_is_put_right_brings_good_certificates_at_once(machine: Machine) -> None:
    machine.secure = True
    machine.configure('heartbeat = "200ms"\n')
    clock = WrongClock(machine.folder)
    machine.serve(**clock.variables)
    agent = machine.agent("h1", token=machine.token("--auto-approve"))
    machine.wait_for_host("h1", "admitted")
    clock.shift(22 * DAY)
    _says(machine, agent, "certificate renewed")
    clock.shift(0)
    _says(machine, agent, "certificate renewed", times=2)


def test_a_start_with_a_clock_that_is_ahead_keeps_history_until_it_is_accepted(
    machine: Machine,
) -> None:
    clock = WrongClock(machine.folder)
    serve = machine.serve(**clock.variables)
    machine.agents("h1")
    assert machine.run("run", "h1", "--", "true").code == 0
    assert serve.stop() == 0
    clock.shift(40 * DAY)
    machine.serve(**clock.variables)
    assert len(machine.tasks()) == 1
    done = machine.run("clock", "accept")
    assert (done.code, done.out) == (
        0,
        b"The clock is accepted; schedules start tasks, and old history is removed again.\n",
    )
    machine.wait_for("the history to go", machine.tasks, lambda rows: not rows)
    actions = [row["action"] for row in machine.json("audit")]
    assert [word for word in actions if word in ("accept_clock", "prune_tasks")] == [
        "accept_clock",
        "prune_tasks",
    ]
    assert machine.run("clock", "accept").out == b"Nothing waits for the clock.\n"

"""The demo's agents: how they are started, and that nothing of them stays."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs.processes import marked
from tests.support.programs.programs import wait_for
from tui_manager.cli.commands import demo_agents as module
from tui_manager.cli.commands.demo_agents import DemoAgents, agent_program, host_names
from tui_manager.domain.errors import InvalidInputError, ManagerError

MARK = "FLEET_OF_TEST"

# Plays an agent: says how it was started, and leaves a child that no group or parent leads to.
AGENT = """#!{python}
import os, signal, subprocess, sys
if "stubborn" in os.environ["PLAY"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "dies" in os.environ["PLAY"]:
    sys.exit("cannot go on")
print(*sys.argv[1:], flush=True)
print("token", os.environ["TUI_MANAGER_AGENT_JOIN_TOKEN"], flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    os._exit(0)
signal.pause()
"""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Is in the environment of everything that the test starts."""
    made = {MARK: uuid.uuid4().hex}
    monkeypatch.setenv(MARK, made[MARK])
    yield made
    for process in marked(made):
        if process.pid != os.getpid():
            process.kill()


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoAgents:
    """A fleet whose agents are played."""
    program = tmp_path / "agent"
    program.write_text(AGENT.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(module, "agent_program", lambda: str(program))
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    monkeypatch.setenv("PLAY", "")
    return DemoAgents(tmp_path, "127.0.0.1:4711")


def test_names_and_roles() -> None:
    assert list(host_names(5)) == [
        ("web01", "web"), ("web02", "web"), ("db01", "db"), ("web03", "web"), ("web04", "web"),
    ]  # fmt: skip
    assert len({name for name, _ in host_names(50)}) == 50


def test_agents_are_started_as_an_owner_would(fleet: DemoAgents, mark: dict[str, str]) -> None:
    before = os.umask(0)
    try:
        fleet.start(host_names(1), "tm1.x.y")
    finally:
        os.umask(before)
    (agent,) = fleet.agents
    assert agent.stderr.stat().st_mode & 0o777 == 0o600
    try:
        said = wait_for("what it was given", lambda: agent.last_words, lambda words: "tm1" in words)
        assert said == (
            "run --manager 127.0.0.1:4711 --name web01 --label env=demo "
            f"--label role=web --state-dir {agent.stderr.parent / 'web01'}\ntoken tm1.x.y"
        )
        fleet.check_alive()
    finally:
        fleet.stop()


@pytest.mark.parametrize("play", ["", "stubborn"])
def test_nothing_stays(
    fleet: DemoAgents, mark: dict[str, str], monkeypatch: pytest.MonkeyPatch, play: str
) -> None:
    monkeypatch.setenv("PLAY", play)
    fleet.start(host_names(2), "tm1.x.y")
    wait_for("agents and what they leave", lambda: len(marked(mark)), lambda seen: seen >= 4)
    fleet.stop()
    wait_for("their end", lambda: marked(mark), lambda seen: not seen)


def test_what_an_execution_left_behind_does_not_stay(
    fleet: DemoAgents, mark: dict[str, str]
) -> None:
    environment = {**mark, "TUI_MANAGER_EXECUTION_ID": uuid.uuid4().hex}
    other = {**mark, "TUI_MANAGER_EXECUTION_ID": uuid.uuid4().hex}
    sleeping = [subprocess.Popen(["/bin/sleep", "600"], env=each) for each in (environment, other)]
    wait_for("both", lambda: len(marked(mark)), lambda seen: seen >= 2)
    fleet.stop({environment["TUI_MANAGER_EXECUTION_ID"]})
    assert sleeping[0].wait() == -signal.SIGKILL
    assert sleeping[1].poll() is None
    sleeping[1].kill()
    sleeping[1].wait()


def test_an_agent_that_dies_is_told_with_its_last_words(
    fleet: DemoAgents, mark: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAY", "dies")
    fleet.start(host_names(1), "tm1.x.y")
    fleet.agents[0].process.wait()
    with pytest.raises(ManagerError, match="web01 ended with status 1:\ncannot go on"):
        fleet.check_alive()
    fleet.stop()


def test_a_program_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInputError, match="tui-manager-agent is not installed"):
        agent_program()
    beside = tmp_path / "tui-manager-agent"
    beside.touch(mode=0o755)
    assert agent_program() == str(beside)

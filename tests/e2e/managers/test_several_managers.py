"""Two managers on one database, and what an agent does when one of them is gone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.own_postgresql import server_with_passwords, tui_url
from tests.support.programs.processes import Machine
from tui_manager.security.cluster_key import CLUSTER_KEY


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Machine]]:
    """Two machines on which nothing runs yet, whose managers share a database."""
    with server_with_passwords() as server:
        machines = []
        for name in ("m1", "m2"):
            (tmp_path / name).mkdir()
            machines.append(Machine(tmp_path / name))
            machines[-1].configure(f'database = "{tui_url(server)}"\n')
        try:
            yield machines
        finally:
            for machine in machines:
                machine.stop()


@pytest.mark.parametrize("secure", [False, True], ids=["insecure", "mTLS"])
def test_an_agent_learns_of_the_other_manager_and_goes_there(
    secure: bool, pair: list[Machine]
) -> None:
    first, second = pair
    first.secure = second.secure = secure
    serve = first.serve()
    if secure:
        second.state_dir.mkdir(mode=0o700)
        shutil.copy2(first.state_dir / CLUSTER_KEY, second.state_dir / CLUSTER_KEY)
    second.serve()
    agent = first.agent("h1", token=first.token("--auto-approve") if secure else "")
    first.wait_until_online("h1")
    first.wait_for("it to learn of the other", lambda: second.address in agent.err)
    gate = first.folder / "gate"
    command = f'echo before; until [ -e "{gate}" ]; do sleep 0.25; done; echo after'
    task_id = int(first.run("run", "--detach", "h1", "--", command).out)
    first.wait_for("it to print", lambda: first.output(task_id), lambda seen: b"before" in seen)
    serve.process.kill()
    gate.touch()
    second.wait_until_online("h1")
    second.wait_for("the rest", lambda: second.output(task_id), lambda seen: b"after" in seen)
    assert second.output(task_id) == b"before\nafter\n"
    assert second.run("run", "h1", "--", "echo here").out == b"h1: here\n"
    agent.process.terminate()
    agent.process.wait()
    again = first.agent("h1")  # it knows only the address of the one that is gone, and what it kept
    first.wait_for("it to be welcome", lambda: f"address={second.address}\n" in again.err)

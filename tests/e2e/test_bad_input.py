"""Bad input gets a clear error and changes nothing."""

import socket
import sqlite3
from contextlib import closing

import pytest

from tests.support.programs.processes import Machine

WRONG_USAGE, REFUSED = 2, 3  # exit statuses of the agent
NEWER = 9999  # a database version that no release of ours has


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nobody", "--", "true"], "nobody"),
        (["run", "h1,nobody[1-2]", "--", "true"], "nobody"),
        (["run", "role=none", "--", "true"], "role=none"),
        (["run", "@nogroup", "--", "true"], "nogroup"),
        (["run", "h1,!h1", "--", "true"], "nothing is left"),
        (["run", "h[1", "--", "true"], "h[1"),
        (["run", "h[1", "--no-start", "--", "true"], "h[1"),
        (["run", "", "--", "true"], "target"),
        (["run", "h1", "--", ""], "command"),
        (["run", "h1", "--", "x" * 70_000, "x" * 70_000], "131071"),
        (["run", "h1", "--timeout", "-1", "--", "true"], "timeout"),
        (["run", "h1", "--timeout", "8d", "--", "true"], "timeout"),
        (["task", "show", "4711"], "4711"),
        (["task", "start", "4711"], "4711"),
        (["task", "cancel", "4711"], "4711"),
        (["output", "4711"], "4711"),
        (["task", "start", "1"], "1"),
        (["task", "cancel", "1"], "1"),
        (["output", "1", "--host", "nobody"], "nobody"),
    ],
)
def test_what_an_operator_may_get_wrong(busy: Machine, arguments: list[str], words: str) -> None:
    if not busy.tasks():
        assert busy.run("run", "h1", "--", "true").code == 0
    before = busy.tasks()
    done = busy.run(*arguments)
    assert done.code == 2, done
    assert done.out == b""
    assert done.err.startswith("tui-manager: ")
    assert words in done.err.lower()
    assert "Traceback" not in done.err
    assert busy.tasks() == before


def test_without_a_manager(machine: Machine) -> None:
    for arguments in (["hosts"], ["task", "list"], ["output", "1"], ["run", "h1", "--", "true"]):
        done = machine.run(*arguments)
        assert done.code == 3, done
        assert done.err.startswith("tui-manager: ")
        assert str(machine.state_dir) in done.err
    assert not machine.state_dir.exists()


def refused(machine: Machine, *options: str) -> str:
    """What `serve` says when it refuses to start."""
    done = machine.run("serve", *options)
    assert done.code == 2, done
    assert "Traceback" not in done.err
    line = [line for line in done.err.splitlines() if line.startswith("tui-manager: ")]
    assert line, done.err
    assert done.out == b""
    return line[-1]


def test_a_port_in_use(machine: Machine) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in refused(machine, "--insecure", "--listen", address)


def test_a_second_manager_on_the_same_state(machine: Machine) -> None:
    machine.serve()
    said = refused(machine, "--insecure", "--listen", "127.0.0.1:0")
    assert str(machine.state_dir) in said
    assert machine.hosts() == []


def test_a_database_of_a_newer_version_is_left_alone(machine: Machine) -> None:
    machine.state_dir.mkdir(mode=0o700)
    path = machine.state_dir / "manager.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE of_the_future (x)")
        database.execute(f"PRAGMA user_version = {NEWER}")
        database.commit()
    before = path.read_bytes()
    assert "newer" in refused(machine, "--insecure", "--listen", "127.0.0.1:0")
    assert path.read_bytes() == before


def test_a_file_that_is_no_database(machine: Machine) -> None:
    machine.state_dir.mkdir(mode=0o700)
    path = machine.state_dir / "manager.db"
    path.write_bytes(b"not a database" * 1000)
    assert str(path) in refused(machine, "--insecure", "--listen", "127.0.0.1:0")
    assert path.read_bytes() == b"not a database" * 1000


def test_a_state_folder_that_cannot_be_made(machine: Machine) -> None:
    in_the_way = machine.folder / "file"
    in_the_way.touch()
    state = str(in_the_way / "state")
    said = refused(machine, "--insecure", "--listen", "127.0.0.1:0", "--state-dir", state)
    assert state in said


def test_two_agents_with_one_name(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1")
    (before,) = machine.hosts()
    other = machine.agent("h1", state="other")
    assert other.wait() == REFUSED, other.story()
    assert "h1" in other.err
    (host,) = machine.hosts()
    assert host["host_id"] == before["host_id"]
    assert host["online"]


def test_an_agent_of_another_manager(machine: Machine) -> None:
    machine.serve()
    (agent,) = machine.agents("h1")
    # The manager has it online just before it has noted its manager.
    machine.wait_for("it to be welcome", lambda: agent.err, lambda seen: "welcome: " in seen)
    for program in reversed(machine.programs):
        program.stop()
    machine.serve("--state-dir", str(machine.folder / "other"))
    agent = machine.agent("h1")
    assert agent.wait() == REFUSED, agent.story()
    assert "belongs to" in agent.err
    done = machine.run("hosts", "--json", "--state-dir", str(machine.folder / "other"))
    assert done.out == b"[]\n"


@pytest.mark.parametrize(
    "options",
    [["--name", "a b"], ["--name", "x" * 65], ["--label", "=x"], ["--label", "role"],
     ["--label", "role=a b"], ["--manager", "192.0.2.1:7443"]],
)  # fmt: skip
def test_what_an_owner_of_a_host_may_get_wrong(machine: Machine, options: list[str]) -> None:
    machine.serve()
    base = {"--manager": machine.address, "--name": "h1", "--state-dir": str(machine.folder / "h1")}
    base.pop(options[0], None)
    arguments = [part for pair in base.items() for part in pair]
    done = machine.run("run", "--insecure", *arguments, *options, program="tui-manager-agent")
    assert done.code in (WRONG_USAGE, REFUSED), done
    assert "tui-manager-agent" in done.err
    assert "Traceback" not in done.err
    assert machine.hosts() == []

"""Nothing in the folders of manager and agent is open to other users, whatever the umask says."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs.processes import Machine
from tests.support.programs.program_forker import installed
from tests.support.programs.terminals import forked_on_terminal, on_terminal

FOREIGN = 0o077  # the bits of a mode that let other users in


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Programs start with a umask that hides nothing."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def lies_in(folder: Path) -> dict[str, int]:
    """Everything in a folder, itself as `.`, and its mode."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        state = path.lstat()
        if not stat.S_ISLNK(state.st_mode):
            found[str(path.relative_to(folder))] = stat.S_IMODE(state.st_mode)
    return found


def is_private(folder: Path, *parts: str) -> None:
    """Asserts that nobody else gets at anything in `folder`, and that all `parts` were seen."""
    found = lies_in(folder)
    assert {part for part in parts if not any(part in path for path in found)} == set(), found
    assert {path: f"{mode:04o}" for path, mode in found.items() if mode & FOREIGN} == {}


@pytest.fixture(params=["mTLS", "insecure"])
def with_host(request: pytest.FixtureRequest, machine: Machine, open_umask: None) -> Machine:
    """A manager and the admitted host h1."""
    if request.param == "insecure":
        machine.serve()
        machine.agents("h1")
        return machine
    serve = machine.start("manager", "serve", "--listen", "127.0.0.1:0")
    machine.wait_for("the manager to listen", lambda: serve.out.endswith("\n"))
    address = serve.out.split()[2]
    token = machine.run("token", "create", "--auto-approve")
    assert token.code == 0, token
    machine.start(
        "agent",
        *("run", "--manager", address, "--name", "h1", "--join-token", token.out.decode().strip()),
        *("--state-dir", str(machine.folder / "agents" / "h1")),
        program="tui-manager-agent",
    )
    machine.wait_until_online("h1")
    return machine


def test_a_umask_takes_no_right_of_the_owner_away(machine: Machine) -> None:
    machine.umask = 0o777
    machine.serve()
    machine.agents("h1")
    ran = machine.run("run", "h1", "--", "umask; touch made; sleep 0.1")
    assert (ran.code, ran.out) == (0, b"h1: 0077\n"), f"{ran}\n{machine.story()}"
    (machine.folder / "copies").mkdir()
    assert machine.run("backup", str(machine.folder / "copies" / "copy.db")).code == 0
    masked = ("/bin/sh", "-c", 'umask 0777; exec "$@"', "sh", installed("tui-manager"))
    with on_terminal(masked, machine.environment()) as terminal:
        machine.wait_for("a screen", lambda: terminal.drawn, lambda seen: "h1" in seen)
    made: dict[Path, int] = {}
    for folder in (machine.state_dir, machine.folder / "agents", machine.folder / "state"):
        assert folder.is_dir()
        made |= {folder / path: mode for path, mode in lies_in(folder).items()}
    made[machine.folder / "copies" / "copy.db"] = 0
    assert {
        str(path): f"{mode:04o}"
        for path in made
        if (mode := stat.S_IMODE(path.lstat().st_mode)) != (0o700 if path.is_dir() else 0o600)
    } == {}


def test_nothing_in_the_state_folders_is_open_to_others(
    with_host: Machine, request: pytest.FixtureRequest
) -> None:
    machine = with_host
    ran = machine.run("run", "h1", "--", "umask; echo some output; touch made; sleep 0.1")
    assert ran.code == 0, f"{ran}\n{machine.story()}"
    assert ran.out.splitlines()[0] == b"h1: 0000", "a command has the umask of the agent"
    detached = machine.run("run", "h1", "--detach", "--", "echo running; exec sleep 600")
    machine.wait_for_task(int(detached.out), "running")
    (machine.folder / "copies").mkdir(mode=0o700)
    assert machine.run("backup", str(machine.folder / "copies" / "copy.db")).code == 0
    with forked_on_terminal([], machine.environment()) as terminal:
        log = machine.folder / "state" / "tui-manager" / "log" / "tui-manager.log"
        machine.wait_for("a log file", log.exists)
        machine.wait_for("a screen", lambda: terminal.drawn, lambda seen: "h1" in seen)
    keys: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    if "mTLS" in request.node.name:
        keys = ("authority.key", "server.key", "enrollment.key", "server.pem")
        credentials = ("credentials/key.pem", "credentials/certificate")
    is_private(machine.state_dir, "manager.db-wal", "manager.db-shm", "manager.lock", *keys)
    is_private(machine.folder / "agents" / "h1", "lock", "bell", "stdout", *credentials)
    is_private(machine.folder / "copies", "copy.db")
    is_private(machine.folder / "state", "tui-manager.log")
    sockets = (machine.state_dir, Path(machine.runtime.name))
    assert any(path.endswith(".sock") for folder in sockets for path in lies_in(folder))
    is_private(Path(machine.runtime.name))

"""What SECURITY.md says to do when the manager's state folder has leaked."""

import shutil

from tests.support.programs.processes import Machine
from tests.support.programs.programs import Program


def serve(machine: Machine, name: str, listen: str = "127.0.0.1:0") -> Program:
    """A manager with TLS."""
    ports = ("--listen", listen, "--enroll-listen", "127.0.0.1:0")
    program = machine.start(name, "serve", *ports)
    machine.wait_for("the manager to listen", lambda: program.out.endswith("\n"))
    machine.address = program.out.split()[2]
    return program


def join(machine: Machine, name: str) -> Program:
    """The agent of h1, with a new join token."""
    token = machine.run("token", "create", "--auto-approve")
    assert token.code == 0, token
    return machine.start(
        name,
        *("run", "--manager", machine.address, "--name", "h1"),
        *("--state-dir", str(machine.folder / "h1")),
        *("--join-token", token.out.decode().strip()),
        program="tui-manager-agent",
    )


def test_a_new_authority_is_believed_by_hosts_that_enrol_again_and_they_stay_the_same(
    machine: Machine,
) -> None:
    manager = serve(machine, "before")
    agent = join(machine, "agent-before")
    machine.wait_until_online("h1")
    (known,) = machine.hosts()
    manager.stop()
    shutil.move(machine.state_dir / "security", machine.folder / "leaked")
    manager = serve(machine, "after", machine.address)
    machine.wait_for(
        "the host to refuse a manager of another authority",
        lambda: agent.err,
        lambda seen: "not signed by the authority" in seen,
    )
    assert not any(host["online"] for host in machine.hosts())
    agent.stop()
    (machine.folder / "h1" / "credentials" / "certificate").unlink()
    join(machine, "agent-after")
    machine.wait_until_online("h1")
    (host,) = machine.hosts()
    assert host["host_id"] == known["host_id"]
    assert host["admission"] == "admitted"
    assert machine.run("run", "h1", "--", "true").code == 0
